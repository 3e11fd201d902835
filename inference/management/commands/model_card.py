from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.training import evaluate, model_card


class Command(BaseCommand):
    help = "Write a model's card from what `evaluate --json` measured. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        model_card.add_arguments(parser)

    def handle(self, **options: Any) -> None:
        try:
            model_card.run(Namespace(**options), self.stdout.write)
        except (*evaluate.REFUSED, model_card.WrongModel) as error:
            raise CommandError(str(error), returncode=2) from error
