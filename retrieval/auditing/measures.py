"""What a photo is like apart from what it shows: sharp, bright, before a plain ground, with skin.

Measured once a photo, without a model.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.foreground import find_on_plain
from inference.preprocess import Pixels, decode, whole

Grey = NDArray[np.uint8]
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
    return measure_pixels(decode(data))


def measure_pixels(image: Pixels) -> Measures:
    """`image`: uint8 (H, W, 3) RGB, as large as the photo."""
    grey = np.asarray(cv2.cvtColor(_shrink(image, SEEN_SIDE), cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    return Measures(
        sharpness=round(_measure_sharpness(grey), 4),
        brightness=round(_find_percentile(grey, 0.95) / 255, 4),
        skin=round(_measure_skin(_sample(image, _SKIN_SIDE)), 4),
        plain=find_on_plain(image, whole(image)) is not None,
    )


def _shrink(image: Pixels, side: int) -> Pixels:
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _sample(image: Pixels, side: int) -> Pixels:
    """Every few pixels as they are: enough for a share of them, in a fifth of the time."""
    step = -(-max(image.shape[:2]) // side)
    return np.ascontiguousarray(image[::step, ::step])


def _find_percentile(grey: Grey, share: float) -> float:
    """As numpy's, from the numbers of each of the 256 levels."""
    numbers = cv2.calcHist([grey], [0], None, [256], [0, 256])
    up_to = np.cumsum(numbers.ravel().astype(np.int64))
    place = share * (grey.size - 1)
    low, high = np.searchsorted(up_to, [int(place) + 1, int(np.ceil(place)) + 1])
    return float(low + (place - int(place)) * (high - low))


def _measure_sharpness(grey: Grey) -> float:
    """Of the direction in which it is less: a hand that shook blurs along one."""
    return min(_measure_along(grey, axis) for axis in (0, 1))


def _measure_along(grey: Grey, axis: int) -> float:
    """In whole numbers, nine times as large, which takes an eighth of the time of fractions."""
    sums = cv2.boxFilter(grey, cv2.CV_16U, (1, 9) if axis == 0 else (9, 1), normalize=False)
    before = np.multiply(_differ(grey, axis), 9, dtype=np.uint16)
    total = cv2.sumElems(before)[0]
    if total <= 9 * before.size * 0.1:
        return 1.0  # nothing to see is nothing that could be sharper
    # What is less than nothing counts as nothing: the subtraction saturates.
    lost = cv2.subtract(before, _differ(np.asarray(sums, dtype=np.uint16), axis))
    return float(cv2.sumElems(lost)[0] / total)


def _differ(image: NDArray[Any], axis: int) -> NDArray[Any]:
    first, second = (image[:-1], image[1:]) if axis == 0 else (image[:, :-1], image[:, 1:])
    return np.asarray(cv2.absdiff(first, second))


def _measure_skin(image: Pixels) -> float:
    """By chrominance alone, which differs little between light and dark skin (Chai, Ngan 1999)."""
    lightness, red, blue = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
    skin = (red >= 135) & (red <= 173) & (blue >= 80) & (blue <= 127) & (lightness > 40)
    return float(np.mean(skin))
