"""What a photo is like apart from what it shows: sharp, bright, before a plain ground, with skin.

Measured once a photo, on the stored file, without a model.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.foreground import find_on_plain
from inference.preprocess import Pixels, decode, whole

SEEN_SIDE = 1000
"""Longest side that a shop's page shows: blur that is not seen there does no harm."""
_SKIN_SIDE = 160


@dataclass(frozen=True, slots=True)
class Measures:
    sharpness: float
    """0 to 1: the part of the fine contrast that a further blur takes away. One that is blurred
    already has little to lose (Crété et al., "The blur effect", 2007)."""
    brightness: float
    """0 to 1: of the lightest twentieth of the pixels."""
    skin: float
    """Share of pixels with a colour of skin (0 to 1), however dark it is; cloth may have it too."""
    plain: bool
    """Whether all is before one smooth ground, as in a catalogue."""


def measure_photo(data: bytes) -> Measures:
    """`data`: an encoded photo that we wrote ourselves. Raises InvalidImage."""
    image = decode(data)
    grey = cv2.cvtColor(_shrink(image, SEEN_SIDE), cv2.COLOR_RGB2GRAY)
    return Measures(
        sharpness=round(_measure_sharpness(np.asarray(grey, dtype=np.float32)), 4),
        brightness=round(float(np.percentile(grey, 95)) / 255, 4),
        skin=round(_measure_skin(_shrink(image, _SKIN_SIDE)), 4),
        plain=find_on_plain(image, whole(image)) is not None,
    )


def _shrink(image: Pixels, side: int) -> Pixels:
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _measure_sharpness(grey: NDArray[np.float32]) -> float:
    """Of the direction in which it is less: a hand that shook blurs along one."""
    return min(_measure_along(grey, axis) for axis in (0, 1))


def _measure_along(grey: NDArray[np.float32], axis: int) -> float:
    size = (1, 9) if axis == 0 else (9, 1)
    blurred = np.asarray(cv2.blur(grey, size))
    before, after = (np.abs(np.diff(each, axis=axis)) for each in (grey, blurred))
    total = float(before.sum())
    # Nothing to see is nothing that could be sharper.
    return float(np.maximum(before - after, 0).sum()) / total if total > before.size * 0.1 else 1.0


def _measure_skin(image: Pixels) -> float:
    """By chrominance alone, which differs little between light and dark skin (Chai, Ngan 1999)."""
    lightness, red, blue = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
    skin = (red >= 135) & (red <= 173) & (blue >= 80) & (blue <= 127) & (lightness > 40)
    return float(np.mean(skin))
