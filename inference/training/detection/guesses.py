"""Outfits that nobody outlined: their boxes as a published finder sees them, after their tags.

Self-training with labels for whole photos: the tags say which garments there are, so the teacher
only has to say where, and what it mistakes for something else is left out.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import torch

from inference import registry, specs
from inference.detection import OBJECTS, Found
from inference.preprocess import decode
from inference.training.detection.measure import find_all, look_twice
from inference.training.detection.scenes import Guess, guess
from inference.training.outfits import details_of

_SURE = 0.1
"""Confidence from which a garment that a tag names is where the teacher sees it."""
_SECOND = 0.2
"""The same of the other shoe."""


def guess_outfits(teacher: str, path: Path, *, limit: int = 0) -> list[Guess]:
    """The photos of a ccp file without masks in which the published finder `teacher` sees every
    garment that their tags name. Raises UnknownModel, BadWeights, InvalidImage."""
    table = pq.read_table(path, columns=["image", "mask", "tags"])
    rows = [row for row in table.to_pylist() if row["mask"] is None][: limit or None]
    photos = [decode(row["image"]) for row in rows]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    finder = registry.build_finder(specs.find(teacher)).to(device)
    found = find_all(partial(look_twice, finder), photos)
    seen = [choose(each, row["tags"]) for each, row in zip(found, rows, strict=True)]
    return [guess(photo, each) for photo, each in zip(photos, seen, strict=True) if each]


def choose(found: Sequence[Found], tags: Sequence[str]) -> list[Found]:
    """The surest garment of each detail that the tags name, of shoes two; none at all where a
    garment other than an accessory is missing."""
    chosen: list[Found] = []
    for detail in sorted(details_of(tags)):
        sure = sorted((g for g in found if g.detail == detail), key=lambda g: -g.confidence)
        kept = [g for g in sure[:1] if g.confidence >= _SURE]
        if detail == "footwear":
            kept += [g for g in sure[1:2] if g.confidence >= _SECOND]
        if not kept and OBJECTS[detail] != "accessory":
            return []
        chosen += kept
    return chosen
