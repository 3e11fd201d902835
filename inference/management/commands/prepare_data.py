from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.mmfashion.data.lists import BadData
from inference.mmfashion.data.prepare import PREPARERS, write


class Command(BaseCommand):
    help = "Write MMFashion's prepared files from DeepFashion's lists. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=PREPARERS)
        parser.add_argument("folder", type=Path, help="with Anno/, Eval/ and Img/ in it")
        parser.add_argument("--out", type=Path, help="where to (default: the folder's Anno/)")

    def handle(self, **options: Any) -> None:
        kind, folder = options["kind"], options["folder"]
        anno = folder / ("Anno_fine" if kind == "attributes-fine" else "Anno")
        try:
            files = PREPARERS[kind](folder)
            write(files, options["out"] or anno)
        except BadData as error:
            raise CommandError(str(error), returncode=2) from error
        except OSError as error:
            raise CommandError(f"The files cannot be written: {error}", returncode=2) from error
        boxes = sum(len(lines) for name, lines in files.items() if "bbox" in name)
        self.stdout.write(f"{len(files)} files are written, with {boxes} boxes.")
