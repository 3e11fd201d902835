"""From calibrated probabilities to a garment with its alternatives, or to an abstention."""

import numpy as np
from numpy.typing import NDArray

from inference.contract import (
    Alternative,
    Box,
    Category,
    Colour,
    Garment,
    ObjectType,
)
from inference.taxonomy import Taxonomy

Floats = NDArray[np.float32]

TOP = 5


def restrict(
    probabilities: Floats,
    *,
    hint: ObjectType | None,
    labels: tuple[str, ...],
    taxonomy: Taxonomy,
) -> Floats:
    """Probabilities (labels,) given that the garment is of the hinted object type, if it is one."""
    if hint is None:
        return probabilities
    possible = np.array(
        [
            name == taxonomy.abstention or taxonomy.category(name).object_type == hint
            for name in labels
        ]
    )
    kept = np.where(possible, probabilities, 0)
    return np.asarray(kept / max(float(kept.sum()), 1e-9), dtype=np.float32)


def to_garment(
    probabilities: Floats,
    *,
    labels: tuple[str, ...],
    taxonomy: Taxonomy,
    box: Box,
    box_confidence: float,
    colours: tuple[Colour, ...],
    embedding: Floats,
) -> Garment | None:
    """The garment, or None where "not a garment" is the likeliest answer.

    Its confidence is that of the box times that of being a garment at all; the category's and its
    alternatives' are the TOP likeliest categories.
    """
    best = np.argsort(-probabilities, kind="stable")
    if labels[best[0]] == taxonomy.abstention:
        return None
    no_garment = float(probabilities[labels.index(taxonomy.abstention)])
    first, *others = [
        Alternative(labels[i], round(float(probabilities[i]), 4))
        for i in best
        if labels[i] != taxonomy.abstention
    ][:TOP]
    return Garment(
        object=taxonomy.category(first.name).object_type,
        confidence=round(box_confidence * (1 - no_garment), 4),
        primary=True,
        box=box,
        category=Category(first.name, first.confidence, tuple(others)),
        colours=colours,
        embedding=tuple(round(x, 6) for x in embedding.tolist()),
    )
