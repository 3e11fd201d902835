"""The dominant colours of a garment's pixels, named, with their shares.

The pixels are counted in a histogram of 32 × 32 × 32 bins, and k-means in CIELAB runs on the
occupied bins with their counts as weights: hundreds of points in place of tens of thousands, the
same centres, and always the same answer (the seeds are the farthest points, not drawn ones).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.ciede import ciede2000
from inference.contract import Colour
from inference.preprocess import Pixels
from inference.taxonomy import ColourName

Floats = NDArray[np.float64]

_CLUSTERS = 6
_ROUNDS = 24
_STILL = 0.01
"""Squared distance in CIELAB below which a centre that moves has arrived."""
_CANDIDATES = (np.arange(6) + 0.5) / 6
_SAME_COLOUR = 11.0
"""CIEDE2000 within which two centres are shades of one colour: light and shadow on one cloth."""
_LEAST_SHARE = 0.05
_NEAR = 10.0
"""CIEDE2000 that counts against a name as much as a family that is 1.6 times less likely."""
_UNLIKELY = 0.02
"""The least that a family is believed: the pixels may show what nobody expects.

Both fitted on fpi's training photos: the first colour's family is the shop's in 0.75 of them, in
0.65 without what the network expects.
"""
_UNKNOWN: Mapping[str, float] = MappingProxyType({})

# Photographed cloth is greyer than the swatch of its name: black reflects, white lies in shade,
# and light washes colours out. Fitted on fpi's training photos against their base colours.
_BLACK_CLOTH, _WHITE_CLOTH = 12.0, 92.0
_WASHED_OUT = 1.5


@dataclass(frozen=True, slots=True)
class Palette:
    """Colour names with their CIELAB coordinates."""

    names: tuple[ColourName, ...]
    lab: Floats

    @classmethod
    def of(cls, names: tuple[ColourName, ...]) -> "Palette":
        rgb = np.array([list(bytes.fromhex(name.hex[1:])) for name in names], dtype=np.uint8)
        return cls(names=names, lab=_to_lab(rgb))


class Shades(NamedTuple):
    """What colours there are, before they have names."""

    centres: Floats
    """(k, 3) in CIELAB."""
    shares: Floats


class Cloth:
    """A sample of a garment's pixels, (N, 3) RGB."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self._shades: Shades | None = None

    def find_shades(self) -> Shades:
        """Once, which takes most of the time that colours take."""
        if self._shades is None:
            self._shades = find_shades(self.pixels)
        return self._shades


def name_colours(
    pixels: Pixels, palette: Palette, families: Mapping[str, float] = _UNKNOWN
) -> tuple[Colour, ...]:
    """The colours of (N, 3) RGB pixels, as `name_shades` has them."""
    return name_shades(find_shades(pixels), palette, families)


def find_shades(pixels: Pixels) -> Shades:
    """Of (N, 3) RGB pixels; none of none."""
    if len(pixels) == 0:
        return Shades(np.empty((0, 3)), np.empty(0))
    points, weights = count_colours(pixels)
    return Shades(*merge_near(*cluster(points, weights, clusters=_CLUSTERS)))


def name_shades(
    shades: Shades, palette: Palette, families: Mapping[str, float] = _UNKNOWN
) -> tuple[Colour, ...]:
    """Shares of what is named sum to 1.

    Largest share first, or, where the garment's colour family is expected with these
    probabilities, largest share times probability: of a striped shirt the stripes may matter.
    """
    centres, shares = shades
    if len(centres) == 0:
        return ()
    believed = np.array(
        [max(families.get(name.family, 0.0), _UNLIKELY) for name in palette.names]
        if families
        else [1.0] * len(palette.names)
    )
    distance = ciede2000(_undo_photo(centres)[:, None], palette.lab[None])
    best = (np.log(believed) - np.square(distance / _NEAR) / 2).argmax(axis=1)
    named = _join_same_names(centres, shares, best, believed)
    total = sum(share for _, share, _ in named)
    return tuple(
        Colour(name=palette.names[index].name, hex=_to_hex(centre), share=round(share / total, 4))
        for centre, share, index in named
    )


def count_colours(pixels: Pixels) -> tuple[Floats, Floats]:
    """CIELAB means (M, 3) of the occupied histogram bins and the number of pixels in each (M,)."""
    level = (pixels >> 3).astype(np.intp)
    bins = (level[:, 0] << 10) | (level[:, 1] << 5) | level[:, 2]
    counts = np.bincount(bins, minlength=1 << 15)
    occupied = np.flatnonzero(counts)
    weights = counts[occupied].astype(np.float64)
    rank = np.empty(1 << 15, dtype=np.intp)
    rank[occupied] = np.arange(len(occupied))
    means = _sums(rank[bins], pixels, len(occupied)) / weights[:, None]
    return _to_lab(means), weights


def cluster(points: Floats, weights: Floats, *, clusters: int) -> tuple[Floats, Floats]:
    """Weighted k-means: centres (k, 3) and their shares (k,), with k at most `clusters`."""
    centres = _seeds(points, weights, clusters)
    # Weight and weighted coordinates side by side: one product sums both over each cluster.
    weighted = np.column_stack([weights, weights[:, None] * points])
    for _ in range(_ROUNDS):
        distance = _squared_distance(centres, points)
        # A point between two centres counts for both.
        sums = (distance == distance.min(axis=0)).astype(np.float64) @ weighted
        moved = np.where(sums[:, :1] > 0, sums[:, 1:] / np.maximum(sums[:, :1], 1), centres)
        still = np.square(moved - centres).max() < _STILL
        centres = moved
        if still:
            break
    held = sums[:, 0]
    return centres[held > 0], held[held > 0] / held.sum()


def merge_near(centres: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Join the nearest two centres until none are nearer than shades of one colour.

    The distance to a joined centre is the mean of those to its parts, by their shares.
    """
    distance = ciede2000(centres[:, None], centres[None])
    np.fill_diagonal(distance, np.inf)
    while len(centres) > 1 and distance.min() < _SAME_COLOUR:
        first, second = np.unravel_index(distance.argmin(), distance.shape)
        part = shares[first] / (shares[first] + shares[second])
        centres[first] = part * centres[first] + (1 - part) * centres[second]
        shares[first] += shares[second]
        distance[first] = part * distance[first] + (1 - part) * distance[second]
        distance[:, first] = distance[first]
        distance[first, first] = np.inf
        centres, shares = np.delete(centres, second, axis=0), np.delete(shares, second)
        distance = np.delete(np.delete(distance, second, axis=0), second, axis=1)
    return centres, shares


def _undo_photo(lab: Floats) -> Floats:
    lightness = (lab[:, :1] - _BLACK_CLOTH) * 100 / (_WHITE_CLOTH - _BLACK_CLOTH)
    return np.hstack([np.clip(lightness, 0, 100), lab[:, 1:] * _WASHED_OUT])


def _join_same_names(
    centres: Floats, shares: Floats, names: NDArray[np.intp], believed: Floats
) -> list[tuple[Floats, float, int]]:
    """(centre, share, index of the name), the likeliest first, without the negligible ones."""
    joined = []
    for index in np.unique(names):
        same = names == index
        centre = np.average(centres[same], axis=0, weights=shares[same])
        joined.append((centre, float(shares[same].sum()), int(index)))
    joined.sort(key=lambda item: -item[1] * believed[item[2]])
    return [item for item in joined if item[1] >= _LEAST_SHARE] or joined[:1]


def _sums(group: NDArray[np.intp], rows: NDArray[Any], groups: int) -> Floats:
    """Sum (groups, 3) of the rows (N, 3) of each group."""
    return np.stack([np.bincount(group, rows[:, i], groups) for i in range(3)], axis=1)


def _seeds(points: Floats, weights: Floats, clusters: int) -> Floats:
    """Greedy k-means++ (Arthur and Vassilvitskii 2007) without the dice.

    Its candidates are drawn in proportion to their error; here they lie evenly along the sum of
    the errors. The one that leaves the least error becomes the next seed.
    """
    seeds = [points[weights.argmax()]]
    nearest = _squared_distance(seeds[0][None], points)[0]
    while len(seeds) < min(clusters, len(points)):
        errors = (nearest * weights).cumsum()
        if errors[-1] == 0:
            break
        candidates = points[errors.searchsorted(errors[-1] * _CANDIDATES)]
        left = np.minimum(_squared_distance(candidates, points), nearest)
        best = (left @ weights).argmin()
        seeds.append(candidates[best])
        nearest = left[best]
    return np.array(seeds)


def _squared_distance(centres: Floats, points: Floats) -> Floats:
    """(k, N) between (k, 3) and (N, 3), by the binomial formula, which is one product."""
    squares = np.square(centres).sum(axis=1)[:, None] + np.square(points).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * (centres @ points.T), 0))


def _to_lab(rgb: NDArray[np.uint8] | Floats) -> Floats:
    row = np.asarray(rgb, dtype=np.float32)[None] / 255
    return np.asarray(cv2.cvtColor(row, cv2.COLOR_RGB2LAB)[0], dtype=np.float64)


def _to_hex(lab: Floats) -> str:
    rgb = cv2.cvtColor(lab.astype(np.float32)[None, None], cv2.COLOR_LAB2RGB)[0, 0]
    return "#" + bytes(np.clip(np.rint(rgb * 255), 0, 255).astype(np.uint8)).hex()
