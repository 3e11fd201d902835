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
from inference.training.superpoint import shapes
from inference.training.superpoint.shapes import Grey
from inference.training.superpoint.train import Plan, keep, train


class Command(BaseCommand):
    help = "Train SuperPoint without outside weights: drawn shapes, then photos. No database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("photos", type=Path, help="a parquet file with a column `image`")
        parser.add_argument("--name", default="superpoint")
        parser.add_argument("--shape-steps", type=int, default=Plan().shape_steps)
        parser.add_argument("--photo-steps", type=int, default=Plan().photo_steps)
        parser.add_argument("--batch", type=int, default=Plan().batch)
        parser.add_argument("--limit", type=int, default=1000, help="at most that many photos")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--store", type=Path, default=settings.MODELS)

    def handle(self, **options: Any) -> None:
        plan = Plan(
            shape_steps=options["shape_steps"],
            photo_steps=options["photo_steps"],
            batch=options["batch"],
            seed=options["seed"],
        )
        try:
            photos = _read_photos(options["photos"], options["limit"])
            network, quality = train(photos, plan=plan, say=self._say)
        except (OSError, KeyError, ValueError, InvalidImage, pyarrow.ArrowInvalid) as error:
            raise CommandError(f"{options['photos']}: {error}", returncode=2) from error
        spec = keep(
            network,
            quality,
            name=options["name"],
            data=options["photos"].name,
            plan=plan,
            store=options["store"],
        )
        self._say(f"{spec.choice} is in {spec.folder}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _read_photos(path: Path, limit: int) -> list[Grey]:
    """The middle of each, in grey, at the shapes' size."""
    column = pyarrow.parquet.read_table(path, columns=["image"]).column("image")
    photos = []
    for data in column.slice(0, limit).to_pylist():
        grey = cv2.cvtColor(decode(data), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        scale = max(shapes.HEIGHT / grey.shape[0], shapes.WIDTH / grey.shape[1])
        size = (
            max(shapes.WIDTH, round(grey.shape[1] * scale)),
            max(shapes.HEIGHT, round(grey.shape[0] * scale)),
        )
        large = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        top, left = (size[1] - shapes.HEIGHT) // 2, (size[0] - shapes.WIDTH) // 2
        middle = large[top : top + shapes.HEIGHT, left : left + shapes.WIDTH]
        photos.append(np.asarray(middle, dtype=np.float32))
    return photos
