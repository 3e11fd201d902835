"""How far an imported model's category probabilities can be believed: its temperature, fitted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from inference import specs
from inference.contract import InvalidImage
from inference.mmfashion import meanings
from inference.mmfashion.engine import Family
from inference.mmfashion.pictures import read_picture
from inference.specs import WeightsSpec
from inference.training.calibration import HeadAnswers, check, fit
from inference.training.evaluation.photos import LabelledPhoto, read_photos
from inference.training.samples import UnknownFile

_BATCH = 16
_HEAD = "category"


@dataclass(frozen=True, slots=True)
class Calibrated:
    spec: WeightsSpec
    photos: int
    temperature: float
    before: float
    """Calibration error on the half of the photos that the temperature was not fitted to."""
    after: float


def calibrate(family: Family, files: Sequence[Path], *, limit: int = 0) -> Calibrated:
    """The temperature goes into the description of the model that names categories.

    A DeepFashion category is right where it means one of the photo's. limit: photos of each file.
    Raises UnknownFile, OSError.
    """
    spec = family.namer[0]
    photos = [p for path in files for p in read_photos(path, limit=limit).photos]
    meant = [meanings.mean_category(label) for label in spec.labels]
    counted = [p for p in photos if any(name in p.accepts for name in meant)]
    ids, logits = [], []
    for photo, row in _rank(family, counted):
        ids.append(photo)
        logits.append(row)
    if len(ids) < 2:
        raise UnknownFile("No photos whose category the model can name are in these files.")
    head = HeadAnswers(
        tuple(photo.id for photo in ids),
        np.array(logits, np.float32),
        np.array([[name in photo.accepts for name in meant] for photo in ids], np.bool_),
    )
    temperature = round(fit({_HEAD: head})[_HEAD], 4)
    before, after = check(head, temperature)
    fitted = replace(spec, metrics={**spec.metrics, "temperature": temperature})
    specs.write(fitted)
    return Calibrated(fitted, len(ids), temperature, before, after)


def _rank(
    family: Family, photos: Sequence[LabelledPhoto]
) -> Iterator[tuple[LabelledPhoto, list[float]]]:
    """Those that can be read, with their logits."""
    for start in range(0, len(photos), _BATCH):
        read = []
        for photo in photos[start : start + _BATCH]:
            try:
                read.append((photo, read_picture(photo.data)))
            except InvalidImage:
                continue
        if read:
            rows = family.rank(torch.stack([picture for _, picture in read])).tolist()
            yield from zip([photo for photo, _ in read], rows, strict=True)
