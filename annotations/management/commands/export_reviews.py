from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date

from accounts.models import Tenant
from annotations.reviewing import exporting


class Command(BaseCommand):
    help = "Write what reviewers said as a training set; only of shops that consented."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="Made if it is not there.")
        parser.add_argument("--format", choices=sorted(exporting.WRITERS), default="parquet")
        parser.add_argument("--shop", help="Only this shop's id.")
        parser.add_argument("--since", help="Only what was reviewed since this day: 2026-01-31.")

    def handle(self, *args: Any, **options: Any) -> None:
        tenants = exporting.list_consenting(tenant=_find_shop(options["shop"]))
        if not tenants:
            raise CommandError(
                "No shop has consented. Its owner does so on the page Review, Thresholds."
            )
        folder: Path = options["folder"]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            counted = exporting.WRITERS[options["format"]](
                folder=folder, tenants=tenants, since=_read_day(options["since"])
            )
        except OSError as error:
            raise CommandError(f"{folder} can't be written: {error.strerror}.") from error
        self.stdout.write(
            f"{counted.photos} photos with {counted.garments} garments of {counted.shops} shops"
            f" are in {folder}."
        )
        if counted.missing:
            self.stderr.write(f"{counted.missing} photos were left out: their files are gone.")


def _find_shop(text: str | None) -> Tenant | None:
    if text is None:
        return None
    try:
        return Tenant.objects.get(id=UUID(text))
    except (ValueError, Tenant.DoesNotExist) as error:
        raise CommandError(f"There is no shop {text}.") from error


def _read_day(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise CommandError(f"{text} is no day. Write it as 2026-01-31.")
    return timezone.make_aware(datetime(day.year, day.month, day.day))  # noqa: DTZ001
