"""Which pixels of a photo show a garment's cloth: not the ground, not skin or hair."""

import cv2
import numpy as np

from inference.contract import Box
from inference.detection import Found
from inference.foreground import Foreground, Mask
from inference.preprocess import Pixels

_HALF = 128
_ENOUGH = 0.02
"""Share of a box's pixels that its colours can be told from."""


def cloth_of(image: Pixels, found: Found) -> Pixels:
    """(N, 3) RGB: a sample of what the finder's mask says is this garment."""
    box, mask, body = found.box, found.mask, found.body
    if mask is None or body is None:
        return image[box.top : box.bottom, box.left : box.right].reshape(-1, 3)
    height, width = mask.shape
    rows = box.top + ((np.arange(height) + 0.5) * box.height / height).astype(np.intp)
    columns = box.left + ((np.arange(width) + 0.5) * box.width / width).astype(np.intp)
    sample: Pixels = image[rows[:, None], columns]
    sure = (mask >= _HALF) & (body < _HALF)
    # The masks are coarser than the photo: at their edges is a mixture of what they part.
    inner = _inner(sure, sample.shape[0] // 16) & ~_outer(body >= _HALF, sample.shape[0] // 10)
    for shown in (inner, _inner(sure, 1), sure, mask > body, body < _HALF):
        if shown.mean() >= _ENOUGH:
            return np.asarray(sample[shown], dtype=np.uint8)
    return sample.reshape(-1, 3)


def cloth_on_ground(ground: Foreground, area: Box, found: Found | None) -> Pixels:
    """The same where the ground tells the garment better; skin is what the finder saw of it, and
    what lies beyond its box."""
    if found is None or found.body is None:
        return ground.pixels
    body = _body_on(ground, area, found.box, found.body)
    for cloth in (ground.shown & ~_outer(body, len(body) // 16), ground.shown & ~body):
        if cloth.mean() >= _ENOUGH:
            return np.asarray(ground.small[cloth], dtype=np.uint8)
    return ground.pixels


def _inner(mask: Mask, depth: int) -> Mask:
    return ~_outer(~mask, depth)


def _outer(mask: Mask, depth: int) -> Mask:
    """Grown by that many pixels; the picture's edge is no edge of what is shown."""
    side = 2 * max(depth, 1) + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(np.bool_)


def _body_on(ground: Foreground, area: Box, box: Box, body: Pixels) -> Mask:
    """Where the ground's small copy of the area shows skin or hair."""
    height, width = ground.small.shape[:2]
    x, y = width / area.width, height / area.height
    left, right = (round((v - area.left) * x) for v in (box.left, box.right))
    top, bottom = (round((v - area.top) * y) for v in (box.top, box.bottom))
    skin = np.ones((height, width), dtype=np.bool_)
    if right > left and bottom > top:
        size = (right - left, bottom - top)
        skin[top:bottom, left:right] = cv2.resize(body, size, interpolation=cv2.INTER_AREA) >= _HALF
    return skin
