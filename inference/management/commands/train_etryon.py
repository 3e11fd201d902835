from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.contract import InvalidImage
from inference.mmfashion.data.lists import BadData
from inference.taxonomy import UnknownLabel
from inference.training.etryon.recipe import BadRecipe, read
from inference.training.etryon.train import train


class Command(BaseCommand):
    help = "Train one of eTryOn's networks by a recipe; a run that was killed goes on. No database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("recipe", type=Path, help="a TOML file")
        parser.add_argument(
            "data", type=Path, nargs="+", help="parquet files, or DeepFashion's folder"
        )
        parser.add_argument(
            "--val", type=Path, nargs="+", default=[], help="to measure on (default: every tenth)"
        )
        parser.add_argument("--store", type=Path, default=settings.MODELS)
        parser.add_argument(
            "--work", type=Path, help="where its checkpoint lies (default: under var/training)"
        )

    def handle(self, **options: Any) -> None:
        try:
            recipe = read(options["recipe"])
            spec = train(
                recipe,
                options["data"],
                options["val"],
                store=options["store"],
                work=options["work"] or settings.VAR / "training" / recipe.name,
                say=self._say,
            )
        except (BadRecipe, BadData, InvalidImage, UnknownLabel, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        self._say(f"{spec.choice} is in {spec.folder}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
