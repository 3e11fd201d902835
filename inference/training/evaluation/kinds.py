"""What type of photo it is: catalogue, worn in a catalogue, flat-lay, worn."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from inference import taxonomy
from inference.preprocess import Pixels
from inference.training.samples import DataSet

CATALOGUE, CATALOGUE_WORN, FLAT_LAY, WORN = "catalogue", "catalogue, worn", "flat-lay", "worn"

_BRIGHT = 235
"""Of 255, darkest channel: what is brighter is the catalogue's white ground."""
_TOP = 0.16
"""Of the height of what is not ground: where a face would be."""
_SKIN_SHARE = 0.2
"""Of the top's pixels. Looked at on 280 photos of clothes: a handful on either side are wrong, most
of them trousers on legs whose owner is cut off."""


def tell_kind(data_set: DataSet, image: Pixels, categories: Iterable[str]) -> str:
    """Of clothes in a catalogue by whether skin shows where a face would be."""
    if data_set == "clothing":
        return FLAT_LAY
    if data_set == "ccp":
        return WORN
    names = taxonomy.load()
    clothes = any(
        name != names.abstention and names.category(name).object_type.endswith("-body")
        for name in categories
    )
    return CATALOGUE_WORN if clothes and _shows_face(image) else CATALOGUE


def _shows_face(image: Pixels) -> bool:
    shown = image.min(axis=2) < _BRIGHT
    rows = np.flatnonzero(shown.any(axis=1))
    if not len(rows):
        return False
    height = int(rows[-1] + 1 - rows[0])
    top = slice(int(rows[0]), int(rows[0]) + max(4, round(height * _TOP)))
    there = shown[top]
    return bool((_skin(image[top]) & there).sum() >= _SKIN_SHARE * there.sum())


def _skin(pixels: Pixels) -> NDArray[np.bool_]:
    """By chrominance, as skin of any tone lies there (Chai and Ngan 1999)."""
    light, red, blue = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb))
    return np.asarray(
        (light > 50) & (light < 235) & (red > 136) & (red < 176) & (blue > 85) & (blue < 127)
    )
