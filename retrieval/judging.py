"""What a product is, judged from all its photos together: a vote of their garments.

Each photo says for every garment on it how well it is seen. The object type that the photos
together see best is the product's, then the category within it; the photo that shows this garment
best is the best view. A photo that clearly shows something else disagrees.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

# Below this a photo's other garment is a doubt of the model, not a disagreement.
SURE = 0.6
# So likely is what a photo may show as well; every model names several that are not.
PLAUSIBLE = 0.05
# Photos are shown in the shop's order: with equal votes the first one is right.
FIRST_PHOTO_COUNTS = 1.1
MAIN_GARMENT_COUNTS = 1.25


class Verdict(StrEnum):
    BEST = "best"
    AGREES = "agrees"
    OTHER_GARMENT = "other-garment"
    NO_GARMENT = "no-garment"


@dataclass(frozen=True, slots=True)
class SeenGarment:
    """`share` is the part of the photo (0 to 1) that its box covers; the confidences as well."""

    id: object
    object_type: str
    category: str
    category_confidence: float
    box_confidence: float
    share: float
    primary: bool
    alternatives: tuple[str, ...] = ()
    """Categories that it may be as well."""

    @property
    def weight(self) -> float:
        """How well it is seen: large, sharp and known."""
        main = MAIN_GARMENT_COUNTS if self.primary else 1.0
        return self.box_confidence * self.category_confidence * math.sqrt(self.share) * main


@dataclass(frozen=True, slots=True)
class JudgedPhoto:
    verdict: Verdict
    garment: SeenGarment | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """`photos` in the order in which they were given; without a garment there is no `best`."""

    best: SeenGarment | None
    photos: tuple[JudgedPhoto, ...]

    @property
    def disagree(self) -> bool:
        return any(photo.verdict == Verdict.OTHER_GARMENT for photo in self.photos)


def judge(photos: Sequence[Sequence[SeenGarment]]) -> Judgement:
    """`photos`: the garments on each of the product's annotated photos, in the shop's order."""
    votes = [_count_votes(garments, first=i == 0) for i, garments in enumerate(photos)]
    winner = _elect(votes)
    if winner is None:
        return Judgement(None, tuple(JudgedPhoto(Verdict.NO_GARMENT, None) for _photo in photos))
    chosen = [_choose(garments, *winner) for garments in photos]
    views = [garment for garment in chosen if garment and _is(garment, *winner)]
    best = max(views, key=lambda garment: garment.weight)
    return Judgement(
        best,
        tuple(
            JudgedPhoto(_compare(garment, best), garment if garment else None) for garment in chosen
        ),
    )


def _count_votes(garments: Iterable[SeenGarment], *, first: bool) -> dict[tuple[str, str], float]:
    """One photo's best weight for each object type and category."""
    found: dict[tuple[str, str], float] = {}
    for garment in garments:
        key = (garment.object_type, garment.category)
        weight = garment.weight * (FIRST_PHOTO_COUNTS if first else 1.0)
        found[key] = max(found.get(key, 0.0), weight)
    return found


def _elect(votes: Sequence[dict[tuple[str, str], float]]) -> tuple[str, str] | None:
    """The object type with most votes, and the category with most votes within it."""
    objects: dict[str, float] = defaultdict(float)
    kinds: dict[tuple[str, str], float] = defaultdict(float)
    for of_photo in votes:
        for (object_type, category), weight in of_photo.items():
            kinds[object_type, category] += weight
        for object_type in {key[0] for key in of_photo}:
            objects[object_type] += max(w for key, w in of_photo.items() if key[0] == object_type)
    if not kinds:
        return None
    # Names decide between equal votes, so that the order in which rows come does not.
    chosen = max(sorted(objects), key=lambda object_type: objects[object_type])
    return max(sorted(k for k in kinds if k[0] == chosen), key=lambda key: kinds[key])


def _choose(garments: Sequence[SeenGarment], object_type: str, category: str) -> SeenGarment | None:
    """The garment of a photo that is most likely the product."""
    return max(
        garments,
        key=lambda g: (_is(g, object_type, category), g.object_type == object_type, g.weight),
        default=None,
    )


def _is(garment: SeenGarment, object_type: str, category: str) -> bool:
    return garment.object_type == object_type and garment.category == category


def _compare(garment: SeenGarment | None, best: SeenGarment) -> Verdict:
    if garment is None:
        return Verdict.NO_GARMENT
    if garment is best:
        return Verdict.BEST
    if _is(garment, best.object_type, best.category):
        return Verdict.AGREES
    doubted = garment.category_confidence < SURE or best.category in garment.alternatives
    same_object = garment.object_type == best.object_type
    return Verdict.AGREES if doubted and same_object else Verdict.OTHER_GARMENT
