from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow
import pyarrow.parquet
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.contract import InvalidImage
from inference.preprocess import decode
from inference.training.plans import BadPlan
from inference.training.superpoint.plan import read
from inference.training.superpoint.shapes import Grey
from inference.training.superpoint.train import keep, train
from kalas.lib.malloc import tune_allocator


class Command(BaseCommand):
    help = "Train SuperPoint without outside weights: drawn shapes, then photos. No database."
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
            photos = [
                photo
                for name in plan.photos
                for photo in _read_photos(options["data"] / name, plan.limit, plan.side)
            ]
            network, quality = train(
                photos, plan=plan, out=options["out"], resume=options["resume"], say=self._say
            )
        except (OSError, KeyError, InvalidImage, BadPlan, pyarrow.ArrowInvalid) as error:
            raise CommandError(str(error), returncode=2) from error
        spec = keep(network, quality, plan=plan, store=options["store"])
        self._say(f"{spec.choice} is in {spec.folder}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _read_photos(path: Path, limit: int, side: int) -> list[Grey]:
    """The middle two thirds of each, in grey: the garment more than what is around it."""
    try:
        file = pyarrow.parquet.ParquetFile(path)
        batch = next(file.iter_batches(batch_size=limit, columns=["image"]))
        column = batch.column("image").to_pylist()
    except (KeyError, StopIteration, pyarrow.ArrowInvalid) as error:
        raise BadPlan(f"{path.name} has no photos in a column `image`.") from error
    photos = []
    for data in column:
        grey = cv2.cvtColor(decode(data), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        scale = 1.5 * side / min(grey.shape)
        size = (round(grey.shape[1] * scale), round(grey.shape[0] * scale))
        large = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        top, left = (size[1] - side) // 2, (size[0] - side) // 2
        middle = large[top : top + side, left : left + side]
        photos.append(np.ascontiguousarray(middle, dtype=np.float32))
    return photos
