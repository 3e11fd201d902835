"""A garment that lies flat on a plain ground is boxed by its edges: no network needed."""

import cv2
import numpy as np

from inference.contract import Box
from inference.preprocess import Pixels

_LOW, _HIGH = 50, 150
_LEAST = 0.02
"""Of the photo's pixels: what is smaller is dirt on the ground."""


def find_box(image: Pixels) -> Box | None:
    """uint8 (H, W, 3) RGB → the box around everything that has edges, None where nothing has.

    By Canny's edges (1986), closed over gaps of a fiftieth of the photo; specks fall away.
    """
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    edges = cv2.Canny(grey, _LOW, _HIGH)
    reach = max(3, min(image.shape[:2]) // 50) | 1
    closed = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    if count < 2:
        return None
    left, top, width, height = (
        stats[1:, i]
        for i in (cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)
    )
    large = width * height >= _LEAST * image.shape[0] * image.shape[1]
    if not large.any():
        return None
    return Box(
        int(left[large].min()),
        int(top[large].min()),
        int((left + width)[large].max()),
        int((top + height)[large].max()),
    )
