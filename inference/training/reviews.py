"""Photos that reviewers corrected, as `manage.py export_reviews` writes them (a row a garment)."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from inference import taxonomy
from inference.contract import Box
from inference.preprocess import Pixels, decode, whole
from inference.scenes import with_margin
from inference.training.detection.scenes import Scene, detail_of_category, stored
from inference.training.samples import (
    NONE,
    SMALLEST_CUT,
    Sample,
    attribute_indices,
    fit_height,
    head_indices,
)

FILE = "reviews-train.parquet"
"""Beside the data sets' own files; there need not be one."""


def read_garments(path: Path, *, limit: int = 0) -> list[Sample]:
    """Each garment, cut out by the box that people left with a little of what is around it; a photo
    without any is one of nothing. Categories that the model doesn't answer are left out."""
    samples: list[Sample] = []
    for image, rows in _read_photos(path, limit):
        for row in rows:
            accepts = head_indices((row["category"],))
            box = Box(*row["box"])
            if not accepts or min(box.width, box.height) < SMALLEST_CUT:
                continue
            area = with_margin(box, whole(image))
            samples.append(
                Sample(
                    image=fit_height(image[area.top : area.bottom, area.left : area.right]),
                    id=f"{row['id']}-{len(samples)}",
                    label=row["category"],
                    accepts=accepts,
                    plain=accepts[0],
                    colour=_find_colour(row["colours"]),
                    attributes=attribute_indices(dict(row["attributes"] or ())),
                )
            )
    return samples


def read_scenes(path: Path, *, limit: int = 0) -> list[Scene]:
    """Whole photos with all of their boxes, as a finder learns from them. Where boxes overlap, the
    smaller one lies on top."""
    scenes = []
    for image, rows in _read_photos(path, limit):
        garments = [row for row in rows if row["object"]]
        garments.sort(key=lambda row: -_area(row["box"]))
        ids = np.zeros(image.shape[:2], np.uint8)
        details = []
        for row in garments:
            detail = detail_of_category(row["category"])
            if detail is None:
                continue
            details.append(detail)
            left, top, right, bottom = row["box"]
            ids[top:bottom, left:right] = len(details)
        if details:
            scenes.append(stored(Scene(image, ids, tuple(details), outlined=False)))
    return scenes


def _read_photos(path: Path, limit: int) -> Iterator[tuple[Pixels, list[dict[str, Any]]]]:
    """A photo's rows stand together."""
    rows = pq.read_table(path).to_pylist()
    photos = groupby(rows, key=lambda row: (row["shop"], row["sha256"]))
    for number, (_key, group) in enumerate(photos):
        if limit and number == limit:
            return
        found = list(group)
        yield decode(found[0]["image"]), found


def _find_colour(names: list[str] | None) -> int:
    """Of the main one the family."""
    families = [family.name for family in taxonomy.load().colour_families]
    family = {colour.name: colour.family for colour in taxonomy.load().colours}
    first = family.get(names[0]) if names else None
    return families.index(first) if first in families else NONE


def _area(box: list[int]) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)
