from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.contract import InvalidImage
from inference.preprocess import decode
from inference.specs import BadWeights, UnknownModel
from inference.wizard import parts, segmenting

_KINDS = {".jpg", ".jpeg", ".png", ".webp", ".avif"}


class Command(BaseCommand):
    help = "A folder of photos → their parts: PNGs in Fashion Wizard's colours, and COCO's JSON."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("photos", type=Path, help="a folder")
        parser.add_argument("target", type=Path, help="a folder; parts.json is put there too")
        parser.add_argument("--store", type=Path, default=settings.MODELS)

    def handle(self, **options: Any) -> None:
        try:
            segmenter = segmenting.load(options["store"])
        except UnknownModel as error:
            raise CommandError(
                f"There are no weights {segmenting.NAME}: train them (manage.py train_parts).",
                returncode=2,
            ) from error
        except BadWeights as error:
            raise CommandError(str(error), returncode=2) from error
        try:
            photos = sorted(p for p in options["photos"].iterdir() if p.suffix.lower() in _KINDS)
            if not photos:
                raise CommandError(f"There is no photo in {options['photos']}.", returncode=2)
            options["target"].mkdir(parents=True, exist_ok=True)
            count = _segment(segmenter, photos, options["target"])
        except OSError as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(f"{count} of {len(photos)} photos are in {options['target']}")


def _segment(segmenter: segmenting.Segmenter, photos: list[Path], target: Path) -> int:
    maps = {}
    for path in photos:
        try:
            image = decode(path.read_bytes())
        except InvalidImage:
            # One photo fails alone; the count says so.
            continue
        map_ = segmenter.segment(image)
        (target / f"{path.stem}.png").write_bytes(parts.write_png(map_))
        maps[path.name] = map_
    (target / "parts.json").write_text(parts.write_json(maps))
    return len(maps)
