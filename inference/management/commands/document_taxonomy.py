"""manage.py document_taxonomy: the taxonomy's page of the documentation. Needs no database."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference import reference


class Command(BaseCommand):
    help = "Write docs/reference/taxonomy.md from the taxonomy's data."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only say whether it is current")

    def handle(self, **options: Any) -> None:
        page = settings.BASE_DIR / "docs" / "reference" / "taxonomy.md"
        text = reference.render()
        if not options["check"]:
            page.parent.mkdir(exist_ok=True)
            page.write_text(text, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            raise CommandError("The page lags behind; run manage.py document_taxonomy.")
