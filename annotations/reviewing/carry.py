"""When another model answers for the same photo, what people have said stays said."""

import copy
from typing import Any
from uuid import UUID, uuid4

from annotations.models import Annotation, Origin, Review
from annotations.reviewing.snapshots import (
    GarmentState,
    Snapshot,
    read_snapshot,
    write_snapshot,
)

# Boxes that overlap so much are of the same garment (intersection over union).
SAME = 0.5


def carry_over(annotation: Annotation, *, reviewed_id: UUID) -> None:
    """Put the values that a person gave or accepted of the same photo into this new answer.

    Called in the transaction that stored the answer.
    """
    last = Annotation.objects.get(id=reviewed_id)
    before = read_snapshot(Annotation.objects.get(id=annotation.id))
    said = read_snapshot(last)
    after = merge(before, said, removed=_list_removed(last, said), at=str(last.reviewed_at))
    write_snapshot(annotation, before=before, after=after)
    annotation.reviewed_at = last.reviewed_at
    annotation.save(
        update_fields=["state", "abstained", "needs_review", "least_confidence", "reviewed_at"]
    )


def merge(new: Snapshot, said: Snapshot, *, removed: list[GarmentState], at: str) -> Snapshot:
    """The new answer with what was reviewed in its place; embeddings and boxes that nobody
    touched are the new ones."""
    after = copy.deepcopy(new)
    after["needs_review"], after["least_confidence"] = False, None
    after["state"], after["abstained"] = said["state"], said["abstained"]
    if not said["garments"]:
        after["garments"] = []
        return after
    left = after["garments"]
    garments = []
    for old in said["garments"]:
        same = max(left, key=lambda garment: overlap(garment["box"], old["box"]), default=None)
        if same is not None and overlap(same["box"], old["box"]) >= SAME:
            left.remove(same)
            garments.append(_take_values(same, old, at))
        elif old["decisions"] or old["category_origin"] == Origin.HUMAN:
            garments.append(copy.deepcopy(old) | {"id": str(uuid4())})
    gone = [garment["box"] for garment in removed]
    garments += [g for g in left if all(overlap(g["box"], box) < SAME for box in gone)]
    main = next((g["id"] for g in garments if g["primary"]), None)
    for garment in garments:
        garment["primary"] = garment["id"] == main
    after["garments"] = garments
    return after


def overlap(a: list[int], b: list[int]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return both / (areas - both)


def _take_values(new: GarmentState, old: GarmentState, at: str) -> GarmentState:
    decisions = copy.deepcopy(old["decisions"])
    accepted: dict[str, Any] = {"at": at, "accepted": True}
    if new["category"] != old["category"]:
        new["category"], new["object"] = old["category"], old["object"]
        new["category_origin"], new["category_confidence"] = Origin.HUMAN.value, 1.0
        decisions.setdefault("category", accepted)
    elif old["category_origin"] == Origin.HUMAN:
        new["category_origin"], new["category_confidence"] = Origin.HUMAN.value, 1.0
    if "object" in decisions:
        new["object"] = old["object"]
    if "box" in decisions:
        new["box"] = old["box"]
    if "colours" in decisions:
        new["colours"] = old["colours"]
    new["primary"] = old["primary"]
    seen = {label["key"] for label in old["labels"]} | decisions.keys()
    new["labels"] = [*old["labels"], *(x for x in new["labels"] if x["key"] not in seen)]
    new["decisions"] = decisions
    return new


def _list_removed(last: Annotation, said: Snapshot) -> list[GarmentState]:
    kept = {garment["id"] for garment in said["garments"]}
    before = Review.objects.filter(annotation=last).values_list("before", flat=True)
    return [
        garment
        for snapshot in before
        for garment in snapshot.get("garments", ())
        if garment["id"] not in kept
    ]
