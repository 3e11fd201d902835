from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.mmfashion.engine import Family
from inference.specs import BadWeights, UnknownModel
from inference.taxonomy import UnknownLabel
from inference.training.ancestors.calibrate import calibrate
from inference.training.samples import UnknownFile
from kalas.lib.malloc import tune_allocator


class Command(BaseCommand):
    help = "Fit how sure an imported model of categories may be, on labelled photos. No database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="NAME, or NAME+DETECTOR where it looks around landmarks")
        parser.add_argument("files", type=Path, nargs="+", help="parquet files, as of `evaluate`")
        parser.add_argument("--limit", type=int, default=0, help="photos of each file")
        parser.add_argument("--store", type=Path, default=settings.MODELS)

    def handle(self, **options: Any) -> None:
        tune_allocator()
        try:
            family = Family(options["model"], store=options["store"])
            done = calibrate(family, options["files"], limit=options["limit"])
        except (UnknownModel, BadWeights, UnknownFile, UnknownLabel, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(
            f"{done.spec.choice}: temperature {done.temperature:.3f} by half of {done.photos}"
            f" photos; calibration error on the others {done.before:.3f} before,"
            f" {done.after:.3f} with it."
            " Engines that run take it up when they are started anew."
        )
