"""What is said of a garment beside its vector, and what two garments have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotations.models import Colour, Garment
from inference.ciede import ciede2000, hex_to_lab


@dataclass(frozen=True, slots=True)
class Look:
    """What is said of a garment beside its vector."""

    object_type: str
    category: str
    attributes: frozenset[tuple[str, str]]
    colours: tuple[tuple[str, str, float], ...]
    """Name, #rrggbb and share, the largest first."""


@dataclass(frozen=True, slots=True)
class Why:
    same_object: bool
    same_category: bool
    attributes: tuple[tuple[str, str], ...]
    """Those of both, as key and value."""
    colours: tuple[str, ...]
    """Names that both have."""
    colour_distance: float | None
    """CIEDE2000 from each of its colours to the nearest, by share: below 10 is nearly the same."""


def describe_look(garment: Garment) -> Look:
    return Look(
        object_type=garment.object_type,
        category=garment.category,
        attributes=frozenset((label.key, label.name) for label in garment.labels.all()),
        colours=tuple(
            (c.name, c.hex, c.share) for c in sorted(garment.colours.all(), key=_by_position)
        ),
    )


def explain(wanted: Look, found: Sequence[Look]) -> list[Why]:
    """Why each of them was found, in their order."""
    names = {name for name, _hex, _share in wanted.colours}
    distances = _compare_colours(wanted, found)
    return [
        Why(
            same_object=wanted.object_type == each.object_type,
            same_category=wanted.category == each.category,
            attributes=tuple(sorted(wanted.attributes & each.attributes)),
            colours=tuple(name for name, _hex, _share in each.colours if name in names),
            colour_distance=distance,
        )
        for each, distance in zip(found, distances, strict=True)
    ]


def _by_position(colour: Colour) -> int:
    return colour.position


def _compare_colours(wanted: Look, found: Sequence[Look]) -> list[float | None]:
    """Of all at once: numpy takes as long for one."""
    codes = [code for each in found for _name, code, _share in each.colours]
    if not (wanted.colours and codes):
        return [None] * len(found)
    ours = hex_to_lab(*(code for _name, code, _share in wanted.colours))
    shares = np.array([share for _name, _code, share in wanted.colours])
    apart = ciede2000(ours[:, None], hex_to_lab(*codes)[None])
    distances: list[float | None] = []
    start = 0
    for each in found:
        end = start + len(each.colours)
        nearest = apart[:, start:end].min(axis=1, initial=np.inf)
        distance = float(nearest @ shares / shares.sum())
        distances.append(round(distance, 1) if end > start else None)
        start = end
    return distances
