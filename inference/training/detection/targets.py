"""What the finder's maps should say about a view, after TTFNet (Liu et al. 2020)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.detection import DETAILS, STRIDE

Floats = NDArray[np.float32]

_SPREAD = 0.54 / 6
"""Standard deviation of a garment's peak as a share of its box."""


@dataclass(frozen=True, slots=True)
class Targets:
    heat: Floats
    """(details, h, w), 1 at a garment's middle and less around it."""
    edges: Floats
    """(details, 4, h, w) distances in input pixels, where `weights` is not 0."""
    weights: Floats
    """(details, h, w): how much each place's box counts; each garment's sum to 1."""


def encode(boxes: Floats, details: NDArray[np.int64], *, size: tuple[int, int]) -> Targets:
    """Boxes (n, 4) in a view's pixels → maps at a STRIDE-th of `size` = (height, width)."""
    h, w = size[0] // STRIDE, size[1] // STRIDE
    heat = np.zeros((len(DETAILS), h, w), np.float32)
    edges = np.zeros((len(DETAILS), 4, h, w), np.float32)
    weights = np.zeros((len(DETAILS), h, w), np.float32)
    x = (np.arange(w, dtype=np.float32) + 0.5) * STRIDE
    y = (np.arange(h, dtype=np.float32) + 0.5) * STRIDE
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    # Large ones first: where two of one detail meet, the small one has its place.
    for index in np.argsort(-areas, kind="stable"):
        left, top, right, bottom = boxes[index]
        detail = details[index]
        column = int(np.clip((left + right) / 2 / STRIDE, 0, w - 1))
        row = int(np.clip((top + bottom) / 2 / STRIDE, 0, h - 1))
        bell = _bell(x, x[column], right - left)[None, :] * _bell(y, y[row], bottom - top)[:, None]
        heat[detail] = np.maximum(heat[detail], bell)
        inside = (bell > 0.05) & (x > left) & (x < right) & (y > top)[:, None]
        inside &= (y < bottom)[:, None]
        inside[row, column] = True
        near = bell * inside
        weights[detail][inside] = (near / near.sum())[inside]
        distances = np.broadcast_arrays(
            (x - left)[None, :], (y - top)[:, None], (right - x)[None, :], (bottom - y)[:, None]
        )
        edges[detail][:, inside] = np.stack(distances)[:, inside]
    return Targets(heat, edges, weights)


def _bell(at: Floats, centre: float, extent: float) -> Floats:
    spread = max(_SPREAD * extent, 0.35 * STRIDE)
    return np.asarray(np.exp(-((at - centre) ** 2) / (2 * spread**2)), dtype=np.float32)
