from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.contract import InvalidImage
from inference.mmfashion.data.lists import BadData
from inference.networks.mmfashion.settings import BadConfig
from inference.training.ancestors.recipe import BadRecipe, read
from inference.training.ancestors.train import train


class Command(BaseCommand):
    help = "Train one of MMFashion's models by a recipe. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("recipe", type=Path, help="a TOML file")
        parser.add_argument("data", type=Path, help="the data set's folder")
        parser.add_argument("--store", type=Path, default=settings.MODELS)

    def handle(self, **options: Any) -> None:
        try:
            spec = train(
                read(options["recipe"]), options["data"], store=options["store"], say=self._say
            )
        except (BadRecipe, BadConfig, BadData, InvalidImage, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        self._say(f"{spec.choice} is in {spec.folder}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
