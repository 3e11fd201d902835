"""The dominant colours of a garment's pixels, named, with their shares.

The pixels are counted in a histogram of 32 × 32 × 32 bins, and k-means in CIELAB runs on the
occupied bins with their counts as weights: hundreds of points in place of tens of thousands, the
same centres, and always the same answer (the seeds are the farthest points, not drawn ones).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.contract import Colour
from inference.preprocess import Pixels
from inference.taxonomy import ColourName

Floats = NDArray[np.float64]

_CLUSTERS = 6
_ROUNDS = 24
_SAME_COLOUR = 9.0
"""CIEDE2000 within which two centres are shades of one colour: light and shadow on one cloth."""
_LEAST_SHARE = 0.05

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


def name_colours(pixels: Pixels, palette: Palette) -> tuple[Colour, ...]:
    """The colours of (N, 3) RGB pixels, largest share first; shares of what is named sum to 1."""
    if len(pixels) == 0:
        return ()
    points, weights = count_colours(pixels)
    centres, shares = merge_near(*cluster(points, weights, clusters=_CLUSTERS))
    nearest = ciede2000(_undo_photo(centres)[:, None], palette.lab[None]).argmin(axis=1)
    named = _join_same_names(centres, shares, nearest)
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
    weighted = weights[:, None] * points
    owner = np.zeros(len(points), dtype=np.intp)
    for turn in range(_ROUNDS):
        # Squared distance less the point's own square, which no argmin needs.
        nearest = (np.square(centres).sum(axis=1) - 2 * points @ centres.T).argmin(axis=1)
        if turn and (nearest == owner).all():
            break
        owner = nearest
        held = np.bincount(owner, weights, len(centres))
        sums = _sums(owner, weighted, len(centres))
        centres = np.where(held[:, None] > 0, sums / np.maximum(held, 1)[:, None], centres)
    held = np.bincount(owner, weights, len(centres))
    return centres[held > 0], held[held > 0] / weights.sum()


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


def ciede2000(first: Floats, second: Floats) -> Floats:
    """The colour difference CIEDE2000 of CIELAB arrays (…, 3), broadcast (Sharma et al. 2005)."""
    l1, a1, b1 = np.moveaxis(first, -1, 0)
    l2, a2, b2 = np.moveaxis(second, -1, 0)
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1 + (1 - np.sqrt(chroma**7 / (chroma**7 + 25.0**7))) / 2
    c1, c2 = np.hypot(a1 * stretch, b1), np.hypot(a2 * stretch, b2)
    h1 = np.degrees(np.arctan2(b1, a1 * stretch)) % 360
    h2 = np.degrees(np.arctan2(b2, a2 * stretch)) % 360
    grey = c1 * c2 == 0
    turn = np.where(grey, 0, (h2 - h1 + 180) % 360 - 180)
    hue = np.where(grey, h1 + h2, (h1 + turn / 2) % 360)
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    weight = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    middle = np.square(lightness - 50)
    d_light = (l2 - l1) / (1 + 0.015 * middle / np.sqrt(20 + middle))
    d_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    d_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * weight)
    twist = 2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    rotation = -twist * np.sin(np.radians(60 * np.exp(-np.square((hue - 275) / 25))))
    squared = d_light**2 + d_chroma**2 + d_hue**2 + rotation * d_chroma * d_hue
    return np.asarray(np.sqrt(np.maximum(squared, 0)))


def _undo_photo(lab: Floats) -> Floats:
    lightness = (lab[:, :1] - _BLACK_CLOTH) * 100 / (_WHITE_CLOTH - _BLACK_CLOTH)
    return np.hstack([np.clip(lightness, 0, 100), lab[:, 1:] * _WASHED_OUT])


def _join_same_names(
    centres: Floats, shares: Floats, nearest: NDArray[np.intp]
) -> list[tuple[Floats, float, int]]:
    """(centre, share, index of the name), largest first, without the negligible ones."""
    joined = []
    for index in np.unique(nearest):
        same = nearest == index
        centre = np.average(centres[same], axis=0, weights=shares[same])
        joined.append((centre, float(shares[same].sum()), int(index)))
    joined.sort(key=lambda item: -item[1])
    return [item for item in joined if item[1] >= _LEAST_SHARE] or joined[:1]


def _sums(group: NDArray[np.intp], rows: NDArray[Any], groups: int) -> Floats:
    """Sum (groups, 3) of the rows (N, 3) of each group."""
    return np.stack([np.bincount(group, rows[:, i], groups) for i in range(3)], axis=1)


def _seeds(points: Floats, weights: Floats, clusters: int) -> Floats:
    """Greedy k-means++ without the dice: next is the point with the most squared error."""
    seeds = [points[weights.argmax()]]
    error = weights * np.square(points - seeds[0]).sum(axis=1)
    while len(seeds) < min(clusters, len(points)) and error.max() > 0:
        seeds.append(points[error.argmax()])
        error = np.minimum(error, weights * np.square(points - seeds[-1]).sum(axis=1))
    return np.array(seeds)


def _to_lab(rgb: NDArray[np.uint8] | Floats) -> Floats:
    row = np.asarray(rgb, dtype=np.float32)[None] / 255
    return np.asarray(cv2.cvtColor(row, cv2.COLOR_RGB2LAB)[0], dtype=np.float64)


def _to_hex(lab: Floats) -> str:
    rgb = cv2.cvtColor(lab.astype(np.float32)[None, None], cv2.COLOR_LAB2RGB)[0, 0]
    return "#" + bytes(np.clip(np.rint(rgb * 255), 0, 255).astype(np.uint8)).hex()
