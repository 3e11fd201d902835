"""What the detector says against common sense, by D3.1's two rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.contract import Box, ObjectType

_MIDDLE = (0.3, 0.7)
"""Of the picture's height; shoes on feet are below it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A garment that the detector found."""

    object: ObjectType
    confidence: float
    box: Box


def apply(found: Sequence[Found], *, height: int) -> list[Found]:
    """Without hands taken for shoes and bare legs taken for trousers, in a picture this high."""
    return keep_smaller_lower(drop_hands(found, height=height))


def drop_hands(found: Sequence[Found], *, height: int) -> list[Found]:
    """Footwear in the middle of the picture or beside what is worn above is a hand.

    Not so where footwear is all there is: then the photo is of shoes.
    """
    clothes = [f for f in found if f.object != "footwear"]
    if not clothes:
        return list(found)
    upper = [f.box for f in clothes if f.object == "upper-body"]
    return [
        f
        for f in found
        if f.object != "footwear"
        or not (
            _MIDDLE[0] * height <= (f.box.top + f.box.bottom) / 2 <= _MIDDLE[1] * height
            or any(_is_beside(f.box, box) for box in upper)
        )
    ]


def keep_smaller_lower(found: Sequence[Found]) -> list[Found]:
    """Of several lower bodies the smallest one: the largest has the bare legs in it."""
    lower = [f for f in found if f.object == "lower-body"]
    if len(lower) < 2:
        return list(found)
    kept = min(lower, key=lambda f: f.box.width * f.box.height)
    return [f for f in found if f.object != "lower-body" or f is kept]


def _is_beside(shoe: Box, garment: Box) -> bool:
    """Whether its middle is at the garment's height, not below it."""
    return garment.top <= (shoe.top + shoe.bottom) / 2 <= garment.bottom
