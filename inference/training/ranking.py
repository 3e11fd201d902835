"""How well a gallery is searched: one score per query, NaN for a query that doesn't count."""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from inference.training.measure import Counts, Doubles, Floats

_ROWS = 512
"""Queries compared with the gallery at once."""


def rank(queries: Floats, gallery: Floats, *, depth: int, exclude: Counts | None = None) -> Counts:
    """(Q, depth) gallery indices by falling inner product; equal ones in the gallery's order.

    queries (Q, d), gallery (G, d). `exclude` (Q,) names one gallery index a query may not find.
    """
    depth = min(depth, len(gallery) - (exclude is not None))
    found = [np.empty((0, depth), dtype=np.int64)]
    for start in range(0, len(queries), _ROWS):
        likeness = queries[start : start + _ROWS] @ gallery.T
        if exclude is not None:
            likeness[np.arange(len(likeness)), exclude[start : start + _ROWS]] = -np.inf
        found.append(np.argsort(-likeness, axis=1, kind="stable")[:, :depth])
    return np.concatenate(found)


def hits_at(found: Counts, relevant: Sequence[frozenset[int]]) -> Doubles:
    """1 for a query that finds anything relevant."""
    return np.array(
        [float(any(i in right for i in row)) for row, right in zip(found, relevant, strict=True)]
    )


def reciprocal_ranks(found: Counts, relevant: Sequence[frozenset[int]]) -> Doubles:
    """1 / place of the first relevant one; 0 where the depth of `found` has none."""
    scores = np.zeros(len(found))
    for query, (row, right) in enumerate(zip(found, relevant, strict=True)):
        place = next((p for p, i in enumerate(row, start=1) if i in right), 0)
        scores[query] = 1 / place if place else 0.0
    return scores


def group(keys: Sequence[Hashable]) -> Counts:
    """(N,) a number for each key; equal keys have equal numbers."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def precisions(found: Counts, groups: Counts) -> Doubles:
    """The share of each photo's findings that is of its own group; photo i asked query i."""
    if not found.size:
        return np.full(len(found), np.nan)
    return np.asarray((groups[found] == groups[:, None]).mean(axis=1))


def others(groups: Counts) -> Counts:
    """(N,): how many others there are in each photo's group."""
    sizes = Counter(groups.tolist())
    return np.array([sizes[g] - 1 for g in groups.tolist()], dtype=np.int64)


def reachable_precisions(found: Counts, groups: Counts) -> Doubles:
    """Precision over what can be found at all: of `depth`, or of the group's others if fewer.

    NaN for a photo that is alone in its group.
    """
    possible = np.minimum(others(groups), found.shape[1]).astype(np.float64)
    right = (groups[found] == groups[:, None]).sum(axis=1)
    return np.asarray(np.where(possible > 0, right / np.maximum(possible, 1), np.nan))


def change_photo(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The same photo as another shop would show it: cropped, mirrored, in other light.

    Keeps 80 to 95 % of each side, always mirrors, and changes brightness by up to 20 %, contrast
    by up to 15 % and each channel by up to 6 %.
    """
    height, width = image.shape[:2]
    kept_h, kept_w = (max(1, round(side * rng.uniform(0.80, 0.95))) for side in (height, width))
    top = int(rng.integers(height - kept_h + 1))
    left = int(rng.integers(width - kept_w + 1))
    part = image[top : top + kept_h, left : left + kept_w][:, ::-1].astype(np.float32)
    middle = part.mean()
    part = (part - middle) * rng.uniform(0.85, 1.15) + middle
    part *= rng.uniform(0.8, 1.2) * rng.uniform(0.94, 1.06, 3).astype(np.float32)
    return np.asarray(np.clip(np.rint(part), 0, 255), dtype=np.uint8)
