"""manage.py etryon: eTryOn's stages on a folder of photos → one JSON and the overlays."""

import json
from argparse import ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.contract import InvalidImage
from inference.etryon import overlay
from inference.etryon.stages import Stages
from inference.mmfashion.importing import say_size
from inference.preprocess import decode
from inference.specs import BadWeights, UnknownModel
from kalas.lib.malloc import tune_allocator

_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp"}


class Command(BaseCommand):
    help = "Find garments, their classes, patterns and styles with eTryOn's models. No database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("photos", nargs="+", type=Path, help="photos, or folders of them")
        parser.add_argument(
            "--model", required=True, help="NAME, or up to three stages as NAME+NAME+NAME"
        )
        parser.add_argument("--out", required=True, type=Path, help="folder for what comes out")
        parser.add_argument(
            "--threshold",
            type=_share,
            default=-1,
            help="how sure the detector has to be, 0 to 1 (default: what its description says)",
        )
        parser.add_argument("--store", type=Path, default=settings.MODELS)
        parser.add_argument("--device", default="cpu", help="cpu or cuda")

    def handle(self, **options: Any) -> None:
        tune_allocator()
        files = list(_list_photos(options["photos"]))
        if not files:
            raise CommandError("There are no photos.", returncode=2)
        try:
            stages = Stages(
                options["model"],
                store=options["store"],
                device=options["device"],
                threshold=options["threshold"],
            )
            options["out"].mkdir(parents=True, exist_ok=True)
        except (UnknownModel, BadWeights, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(f"{', '.join(stages.stages)}: {say_size(stages.memory)} of memory.")
        failed, answers = 0, []
        for path, name in files:
            try:
                image = decode(path.read_bytes())
            except (OSError, InvalidImage) as error:
                failed += 1
                self.stderr.write(f"{path}: {error}")
                continue
            seen = stages.see(image)
            answers.append(overlay.write_json(name, image, seen))
            picture = options["out"] / f"{name.replace('/', '-')}.png"
            picture.write_bytes(overlay.draw(image, seen))
        written = options["out"] / "annotations.json"
        written.write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n")
        self.stdout.write(f"{len(answers)} photos are in {written}, their overlays beside it.")
        if failed:
            raise SystemExit(1)


def _list_photos(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Each with the name that it has in the answer: below its folder."""
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in _ENDINGS)
            yield from ((p, p.relative_to(path).as_posix()) for p in inside)
        else:
            yield path, path.name


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is no number.") from error
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"{text} does not lie between 0 and 1.")
    return value
