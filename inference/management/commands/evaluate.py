from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.training import evaluate


class Command(BaseCommand):
    help = "Measure a model on parquet files of the data sets' columns. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        evaluate.add_arguments(parser)

    def handle(self, **options: Any) -> None:
        try:
            evaluate.run(Namespace(**options), self._say)
        except evaluate.REFUSED as error:
            raise CommandError(str(error), returncode=2) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
