from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.specs import BadWeights
from inference.training import train


class Command(BaseCommand):
    help = (
        "Train a model as a file says, from random weights or others; resumable. Needs no database."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        train.add_arguments(parser)

    def handle(self, **options: Any) -> None:
        try:
            train.run(Namespace(**options), self._say)
        except BadWeights as error:
            raise CommandError(str(error), returncode=2) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
