from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.contract import InvalidImage
from inference.etryon import report
from inference.mmfashion.data.lists import BadData
from inference.specs import BadWeights, UnknownModel
from inference.taxonomy import UnknownLabel
from inference.training.etryon import evaluate
from kalas.lib.malloc import tune_allocator


class Command(BaseCommand):
    help = "Measure a model, any one, in eTryOn's taxonomy by eTryOn's numbers. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="kalas-mini, NAME, or stages as NAME+NAME+NAME")
        parser.add_argument(
            "files", nargs="+", type=Path, help="parquet files, or DeepFashion's folder"
        )
        parser.add_argument("--limit", type=int, default=0, help="photos a stage and file")
        parser.add_argument("--json", type=Path, help="write it there, for `report` too")
        parser.add_argument("--store", type=Path, default=settings.MODELS)

    def handle(self, **options: Any) -> None:
        tune_allocator()
        if options["json"] and not options["json"].absolute().parent.is_dir():
            # Rather now than after minutes of measuring.
            raise CommandError(f"There is no folder {options['json'].parent}.", returncode=2)
        try:
            answerer = evaluate.open_answerer(
                options["model"], store=options["store"], cache=settings.VAR / "exports"
            )
            content = evaluate.evaluate(
                answerer, options["files"], limit=options["limit"], say=self.stderr.write
            )
        except (UnknownModel, BadWeights, BadData, InvalidImage, UnknownLabel, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        if options["json"]:
            evaluate.write(content, options["json"])
        self.stdout.write("\n".join(report.write(content)))
