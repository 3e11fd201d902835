"""Where the garment is in a photo of one garment, until a detector says so.

A plain background is fitted as a smooth surface of colour, and what differs from it or lies
within edges (Canny, as eTryOn D3.1 boxes flat-lays) is the garment. Before any other background,
colours that are common at the photo's border and rare in its middle are background: a naive
Bayes classifier over colour bins that re-estimates itself a few times (expectation maximisation
in the manner of GrabCut, Rother et al. 2004, with a blur in place of the graph cut).
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.contract import Box
from inference.preprocess import Pixels

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

WORKING_SIDE = 96
"""Longest side of the copy that is looked at; the box is as fine as its pixels."""

WHOLE_CONFIDENCE = 0.3
_PLAIN_NOISE = 2.5
_PLAIN_SHARE = 0.75
_BINS = 12
_ROUNDS = 5
_LAB_OFFSET = np.array([0, 64, 64], dtype=np.float32)
_LAB_RANGE = np.array([100, 128, 128], dtype=np.float32)
"""Colours of photos; the few beyond fall into the outermost bins."""


@dataclass(frozen=True, slots=True)
class Foreground:
    box: Box
    """In the pixels of the image that was given."""
    confidence: float
    """How sure the box is, 0 to 1; WHOLE_CONFIDENCE when it is only the area that was searched."""
    small: Pixels
    """The area, shrunk to WORKING_SIDE."""
    shown: Mask
    """Which pixels of `small` show the garment, without what is known as background."""

    @property
    def is_told(self) -> bool:
        """Whether anything tells it from the ground, so that it isn't all that was searched."""
        return self.confidence > WHOLE_CONFIDENCE

    @property
    def pixels(self) -> Pixels:
        """(N, 3) RGB: a sample of what shows the garment."""
        return self.small[self.shown]


@dataclass(frozen=True, slots=True)
class _Found:
    mask: Mask
    """The garment with its holes filled, for the box."""
    shown: Mask
    """The pixels that show it, for the colours."""
    confidence: float


class Ground:
    """An area of a uint8 (H, W, 3) RGB image, in which the garment is looked for by the ground."""

    def __init__(self, image: Pixels, area: Box) -> None:
        self._area = area
        self._small, self._lab = _shrink_to_lab(image, area)
        self._on_plain = _find_on_plain(self._small, self._lab)

    def find_on_plain(self) -> Foreground | None:
        """The garment where that costs little and is most sure: before a plain background."""
        found = self._on_plain
        return _foreground(found, self._small, self._area) if found and _is_part(found) else None

    def find(self) -> Foreground:
        """The garment before any background."""
        found = self._on_plain or _find_on_any(self._lab)
        if not _is_part(found):
            everything = np.ones(self._small.shape[:2], dtype=np.bool_)
            return Foreground(self._area, WHOLE_CONFIDENCE, small=self._small, shown=everything)
        return _foreground(found, self._small, self._area)


def find_foreground(image: Pixels, area: Box) -> Foreground:
    return Ground(image, area).find()


def find_on_plain(image: Pixels, area: Box) -> Foreground | None:
    return Ground(image, area).find_on_plain()


def _shrink_to_lab(image: Pixels, area: Box) -> tuple[Pixels, Floats]:
    small = _shrink(image[area.top : area.bottom, area.left : area.right])
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return small, np.asarray(lab, dtype=np.float32)


def _is_part(found: _Found) -> bool:
    return bool(0.01 < found.mask.mean() < 0.97)


def _foreground(found: _Found, small: Pixels, area: Box) -> Foreground:
    return Foreground(
        box=_source_box(found.mask, area),
        confidence=found.confidence,
        small=small,
        shown=_middle(found),
    )


def _find_on_plain(small: Pixels, lab: Floats) -> _Found | None:
    """None where the border shows no plain background."""
    surface = _fit_background(lab)
    if surface is None:
        return None
    background, noise = surface
    distance = np.sqrt(np.square(lab - background).sum(axis=2))
    differs = distance > max(5.0, 4.0 * noise)
    edges = _edges(small) & (distance > 2.0)
    mask = _fill(_close((differs | edges).astype(np.uint8)))
    mask = _large_parts(_open(mask), 0.1)
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8)).astype(np.bool_)
    shown = inner if inner.sum() >= 0.5 * mask.sum() else mask.astype(np.bool_)
    # Holes show the background; but most of a white garment on white looks like it too.
    different = shown & differs
    if different.sum() >= 0.5 * shown.sum():
        shown = different
    return _Found(mask=mask.astype(np.bool_), shown=shown, confidence=0.95)


def _find_on_any(lab: Floats) -> _Found:
    height, width = lab.shape[:2]
    bins = _colour_bins(lab)
    everything = _histogram(bins, np.ones(height * width, dtype=np.float32))
    prior = _prior(height, width)
    belief = prior
    for turn in range(_ROUNDS):
        garment = _histogram(bins, belief.ravel())
        share = float(belief.mean())
        # How common a colour is in the garment, and in the rest, each in relation to its size.
        inside, outside = garment / share, (everything - garment) / (1 - share)
        likelihood = (inside / (inside + outside + 1e-9))[bins].reshape(height, width)
        near = prior if turn == 0 else 0.9 * cv2.GaussianBlur(belief, (0, 0), 2.0) + 0.1 * prior
        yes, no = likelihood * near, (1 - likelihood) * (1 - near)
        belief = np.asarray(cv2.GaussianBlur(yes / (yes + no + 1e-9), (0, 0), 0.9))
    sure = belief > 0.5
    mask = _large_parts(_fill(_close(_open(sure.astype(np.uint8)))), 0.15).astype(np.bool_)
    certainty = float(np.abs(2 * belief - 1).mean())
    return _Found(mask=mask, shown=mask & sure, confidence=round(0.4 + 0.5 * certainty, 2))


def _middle(found: _Found) -> Mask:
    """What shows the garment in the middle of its box: faces, shoes and other clothes are aside."""
    rows, columns = _extent(found.mask)
    aside_y, aside_x = int(0.15 * (rows[1] - rows[0])), int(0.15 * (columns[1] - columns[0]))
    middle = np.zeros_like(found.shown)
    middle[rows[0] + aside_y : rows[1] - aside_y, columns[0] + aside_x : columns[1] - aside_x] = (
        True
    )
    middle &= found.shown
    return middle if middle.sum() >= 0.2 * found.shown.sum() else found.shown


def _fit_background(lab: Floats) -> tuple[Floats, float] | None:
    """The background's smooth colour at every pixel and its noise, in units of CIELAB."""
    border, terms = _surface_terms(*lab.shape[:2])
    colours, at = lab[border], terms[border]
    near = np.square(colours - np.median(colours, axis=0)).sum(axis=1) < 20**2
    for tolerance in (12, 8):
        if near.mean() < 0.4:
            return None
        inner = at[near].T
        # Normal equations: six unknowns. The ridge holds the slopes where little border is left.
        ridge = np.diag([0, 1, 1, 1, 1, 1]) * 1e-3 * len(colours)
        surface = np.linalg.solve(inner @ inner.T + ridge, inner @ colours[near])
        residual = np.square(colours - at @ surface).sum(axis=1)
        near = residual < tolerance**2
    noise = float(np.sqrt(residual[near].mean())) if near.any() else np.inf
    if near.mean() < _PLAIN_SHARE or noise >= _PLAIN_NOISE:
        return None
    return np.asarray(terms @ surface, dtype=np.float32), noise


@lru_cache(maxsize=64)
def _surface_terms(height: int, width: int) -> tuple[Mask, Floats]:
    """Which pixels are the border, and the terms (H, W, 6) of a quadratic surface."""
    depth = max(1, round(min(height, width) * 0.04))
    border = np.ones((height, width), dtype=np.bool_)
    border[depth:-depth, depth:-depth] = False
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    return border, np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=2)


def _edges(small: Pixels) -> Mask:
    soft = cv2.GaussianBlur(small, (3, 3), 0)
    edges = [cv2.Canny(np.ascontiguousarray(soft[:, :, i]), 30, 80) for i in range(3)]
    return np.asarray(np.stack(edges).any(axis=0), dtype=np.bool_)


def _colour_bins(lab: Floats) -> NDArray[np.intp]:
    """(H·W,) index of each pixel's colour bin."""
    level = np.clip((lab + _LAB_OFFSET) * _BINS / _LAB_RANGE, 0, _BINS - 1).astype(np.intp)
    return np.ravel((level[..., 0] * _BINS + level[..., 1]) * _BINS + level[..., 2])


def _histogram(bins: NDArray[np.intp], weights: Floats) -> Floats:
    """Weight of each bin, softened towards its neighbours in colour."""
    cube = np.bincount(bins, weights, _BINS**3).astype(np.float32).reshape(_BINS, _BINS, _BINS)
    # As a picture with many channels for two axes, then as one with long rows for the third.
    soft = cv2.blur(cube, (3, 3), borderType=cv2.BORDER_REPLICATE)
    rows = cv2.blur(soft.reshape(-1, _BINS), (3, 1), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(rows, dtype=np.float32).ravel()


@lru_cache(maxsize=64)
def _prior(height: int, width: int) -> Floats:
    """How likely each pixel shows the garment before its colour is seen: the middle rather does.

    Below a half everywhere, so that a garment that fills little of the photo is found as well.
    """
    y = (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height * 2 - 1
    x = (np.arange(width, dtype=np.float32)[None, :] + 0.5) / width * 2 - 1
    prior = 0.1 + 0.35 * np.exp(-((x / 0.75) ** 4 + (y / 0.85) ** 4))
    prior[np.maximum(np.abs(x), np.abs(y)) > 0.94] *= 0.3
    return prior.astype(np.float32)


def _shrink(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(image)
    # Of a large photo every few pixels are enough: each result is still a mean of several.
    step = max(1, int(1 / scale) // 2)
    sample = np.ascontiguousarray(image[::step, ::step])
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(sample, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _close(mask: Pixels) -> Pixels:
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, ellipse), dtype=np.uint8)


def _open(mask: Pixels) -> Pixels:
    square = np.ones((3, 3), dtype=np.uint8)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, square), dtype=np.uint8)


def _fill(mask: Pixels) -> Pixels:
    """With the holes: all that the photo's border can't be reached from."""
    outside = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(outside, None, (0, 0), 2)
    return np.asarray(outside[1:-1, 1:-1] != 2, dtype=np.uint8)


def _large_parts(mask: Pixels, share: float) -> Pixels:
    """Without the parts that are smaller than this share of the largest; a pair of shoes is two."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count == 1:
        return np.zeros_like(mask)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.asarray((areas >= share * areas.max())[labels], dtype=np.uint8)


def _extent(mask: Mask) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last, exclusive, of the rows and of the columns that the mask touches."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)


def _source_box(mask: Mask, area: Box) -> Box:
    (top, bottom), (left, right) = _extent(mask)
    scale_x, scale_y = area.width / mask.shape[1], area.height / mask.shape[0]
    return Box(
        left=area.left + int(left * scale_x),
        top=area.top + int(top * scale_y),
        right=min(area.right, area.left + int(np.ceil(right * scale_x))),
        bottom=min(area.bottom, area.top + int(np.ceil(bottom * scale_y))),
    )
