"""Which garments share a garment's details: each detail votes for those that have it.

Needs numpy alone, so that pages can count; FAISS finds the neighbours among many (`details`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Name = TypeVar("Name")
Vectors = NDArray[np.float32]
"""(K, 256), of length 1."""
NEIGHBOURS = 5
LEAST = 0.7
"""The cosine from which two details are the same."""


def vote(
    query: Vectors,
    garments: Mapping[Name, Vectors],
    *,
    neighbours: int = NEIGHBOURS,
    least: float = LEAST,
) -> list[tuple[Name, float]]:
    """Garments with the share of the query's details that they have, most first; exactly."""
    names = [name for name, vectors in garments.items() for _ in vectors]
    if not len(query) or not names:
        return []
    cosines = query @ np.concatenate([v for v in garments.values() if len(v)]).T
    count = min(neighbours, len(names))
    nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    return count_votes(np.take_along_axis(cosines, nearest, 1), nearest, names, least=least)


def count_votes(
    cosines: NDArray[np.floating[Any]],
    places: NDArray[np.int64],
    names: Sequence[Name],
    *,
    least: float,
) -> list[tuple[Name, float]]:
    """(Q, N) cosines of each detail's neighbours, and their places in `names`, -1 for none.

    A detail counts once for each garment, weighed by how alike it is; a detail that many garments
    have says little and is shared among them.
    """
    votes: dict[Name, float] = defaultdict(float)
    for row, found in zip(cosines, places, strict=True):
        best: dict[Name, float] = {}
        for cosine, place in zip(row.tolist(), found.tolist(), strict=True):
            if place >= 0 and cosine >= least:
                name = names[place]
                best[name] = max(best.get(name, 0.0), cosine)
        for name, cosine in best.items():
            votes[name] += cosine / len(best)
    ranked = sorted(votes.items(), key=lambda each: -each[1])
    return [(name, total / len(cosines)) for name, total in ranked]
