import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.etryon import report
from inference.training.evaluate import read_evaluation
from inference.training.evaluation.compare import NotComparable


class Command(BaseCommand):
    help = "Print an evaluation as tables: detection, categories by object, labels."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "evaluations",
            nargs="+",
            type=Path,
            metavar="EVAL.json",
            help="of evaluate --json or evaluate_etryon --json",
        )

    def handle(self, **options: Any) -> None:
        for path in options["evaluations"]:
            try:
                lines = list(report.write(_read(path)))
            except (NotComparable, OSError) as error:
                raise CommandError(str(error), returncode=2) from error
            except (KeyError, TypeError, ValueError) as error:
                raise CommandError(f"{path.name} lacks {error}.", returncode=2) from error
            self.stdout.write("\n".join(lines))


def _read(path: Path) -> Any:
    """Raises NotComparable, OSError."""
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise NotComparable(f"{path.name} is no JSON.") from error
    if isinstance(content, dict) and content.get("format") == report.FORMAT:
        return content
    return read_evaluation(path)
