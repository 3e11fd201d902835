from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from annotations import demo
from annotations.models import DemoShop
from retrieval.demo_files import load_catalogue


class Command(BaseCommand):
    help = "Fills the demo shop with a product for each photo of a Parquet file; the jobs annotate."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="path", type=Path, required=True, metavar="FILE")
        parser.add_argument("--limit", type=int, help="at most so many rows")

    def handle(self, *args: Any, **options: Any) -> None:
        demo.load_demo(now=timezone.now())
        tenant = DemoShop.objects.select_related("tenant").get().tenant
        done = None
        try:
            for done in load_catalogue(
                tenant=tenant, path=options["path"], now=timezone.now(), most=options["limit"]
            ):
                self.stdout.write(f"{done.products} new, {done.known} there before", ending="\r")
        except (OSError, ValueError) as error:
            raise CommandError(str(error)) from error
        new, refused = (done.products, done.refused) if done else (0, 0)
        self.stdout.write(f"\n{tenant} has {new} new products; {refused} photos were refused.")
