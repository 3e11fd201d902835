"""Whether clothes are worn or lie: by what is seen beside them, without another model.

A person wears several things, each where it belongs, and shows skin above and below them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from inference.contract import Box
from retrieval.auditing.measures import Measures

# Bias and weights of `describe_features`: benchmarks/photo_audit.py --train.
WEIGHTS = (-2.85, 2.49, 2.28, 1.96, 0.57, -0.53, 2.05, 1.72)
_SURE = 0.4
_SOME_SKIN = 0.02


@dataclass(frozen=True, slots=True)
class SeenGarment:
    object_type: str
    confidence: float
    box: Box
    share: float
    """Of the photo's area, 0 to 1."""


View = Literal["worn", "lying", ""]


def tell_view(garments: Sequence[SeenGarment], measures: Measures) -> View:
    """Empty where it cannot be told: one garment and skin before a plain ground may be a person
    who is cut off above and below, or a garment of that colour."""
    if not garments:
        return ""
    if is_worn(garments, measures):
        return "worn"
    return "" if measures.plain and measures.skin >= _SOME_SKIN else "lying"


def is_worn(garments: Sequence[SeenGarment], measures: Measures) -> bool:
    bias, *weights = WEIGHTS
    features = describe_features(garments, measures)
    return bias + sum(w * x for w, x in zip(weights, features, strict=True)) > 0


def describe_features(garments: Sequence[SeenGarment], measures: Measures) -> list[float]:
    """Each 0 to about 1, so that the weights can be compared."""
    sure = [garment for garment in garments if garment.confidence >= _SURE]
    types = {garment.object_type for garment in sure}
    return [
        float(len(types) >= 2),
        float(len(types) >= 3),
        min(len(sure), 6) / 6,
        # Before a plain ground it is skin; wooden floors have its colour.
        min(measures.skin, 0.25) * 4 if measures.plain else 0.0,
        min(measures.skin, 0.25) * 4 if not measures.plain else 0.0,
        float(measures.plain),
        float(_stand_over_each_other(sure)),
    ]


def _stand_over_each_other(garments: Sequence[SeenGarment]) -> bool:
    """Something of the upper body above something of the lower, of about the same width."""
    middles = [
        ((g.box.left + g.box.right) / 2, (g.box.top + g.box.bottom) / 2, g) for g in garments
    ]
    return any(
        upper.object_type in ("upper-body", "full-body")
        and lower.object_type in ("lower-body", "footwear")
        and y < below
        and abs(x - beside) < max(upper.box.width, lower.box.width) / 2
        for x, y, upper in middles
        for beside, below, lower in middles
    )
