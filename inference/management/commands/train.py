from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from inference.training import train


class Command(BaseCommand):
    help = "Train a model from random weights; resumable. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        train.add_arguments(parser)

    def handle(self, **options: Any) -> None:
        train.run(Namespace(**options), self._say)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
