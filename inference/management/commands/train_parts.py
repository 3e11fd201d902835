from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.contract import InvalidImage
from inference.training.parts.train import keep, read, train
from inference.training.plans import BadPlan
from kalas.lib.malloc import tune_allocator


class Command(BaseCommand):
    help = "Train Fashion Wizard's segmentation (Mask R-CNN) on ccp's masks. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("plan", type=Path, help="a TOML file")
        parser.add_argument("data", type=Path, help="the folder of its parquet files")
        parser.add_argument("--out", type=Path, required=True, help="checkpoints go here")
        parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
        parser.add_argument("--store", type=Path, default=settings.MODELS)

    def handle(self, **options: Any) -> None:
        tune_allocator()
        try:
            plan = read(options["plan"])
            network, overlap = train(
                plan, options["data"], out=options["out"], resume=options["resume"], say=self._say
            )
        except (BadPlan, InvalidImage, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        spec = keep(network, overlap, plan=plan, store=options["store"])
        self._say(f"{spec.choice} is in {spec.folder}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
