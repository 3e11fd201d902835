"""When another model answers for the same photo, what people have said stays said."""

import copy
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db.models import Q

from annotations import live, signals
from annotations.models import Annotation, AnnotationQuerySet, Origin, Review, ReviewTask
from annotations.reviewing.changes import list_changes
from annotations.reviewing.corrections import may_have
from annotations.reviewing.snapshots import (
    GarmentState,
    LabelState,
    Snapshot,
    read_snapshot,
    write_snapshot,
)
from annotations.reviewing.thresholds import Thresholds

REVIEWABLE = (Annotation.State.DONE, Annotation.State.ABSTAINED)
ANSWER = ("state", "abstained", "needs_review", "least_confidence")

# Boxes that overlap so much are of the same garment (intersection over union).
SAME = 0.5


def carry_over(annotation: Annotation, *, thresholds: Thresholds, now: datetime) -> bool:
    """Put the values that a person gave or accepted into this new answer; False without any.

    Called in the transaction that stored the answer, which takes the place of the earlier ones:
    they leave the queue, and whoever reviews one of them at this moment comes before or after.
    """
    earlier = _of_same_photo(annotation).filter(state__in=REVIEWABLE).filter(_before(annotation))
    rows = list(earlier.select_for_update(of=("self",)).order_by("created_at", "id"))
    reviewed = [row for row in rows if row.reviewed_at]
    last = max(reviewed, key=lambda row: row.reviewed_at or now, default=None)
    if last is not None:
        _carry(last, annotation, thresholds=thresholds, now=now)
    waiting = [row for row in rows if row.needs_review]
    if waiting:
        _retire(waiting, annotation)
    return last is not None


def carry_on(annotation: Annotation, *, thresholds: Thresholds, now: datetime) -> None:
    """Put what was just said about an earlier answer into the one that is shown by now.

    Nothing where this is the newest, or where a person has reviewed that one itself.
    """
    newer = find_newer(annotation)
    if newer is None:
        return
    own = newer.reviews.filter(kind=Review.Kind.REVIEW, undone_by=None)
    if own.exists():
        return
    _carry(annotation, newer, thresholds=thresholds, now=now)
    live.announce_annotation(newer)
    live.announce_review(
        tenant_id=newer.tenant_id,
        annotation_id=newer.id,
        state="waiting" if newer.needs_review else newer.state,
    )
    signals.annotation_reviewed.send(
        Review, tenant_id=newer.tenant_id, annotation_id=newer.id, image_id=newer.image_id
    )


def find_newer(annotation: Annotation) -> Annotation | None:
    """The newest answer for the same photo and crop, locked; None where this is it."""
    later = _of_same_photo(annotation).filter(state__in=REVIEWABLE).exclude(_before(annotation))
    return later.select_for_update(of=("self",)).order_by("-created_at", "-id").first()


def merge(
    new: Snapshot,
    said: Snapshot,
    *,
    removed: Sequence[GarmentState],
    at: str,
    thresholds: Thresholds,
) -> Snapshot:
    """The new answer with what was reviewed in its place: all of its garments, for a person
    accepted them. Embeddings and boxes that nobody touched are the new ones, and values that
    nobody has seen yet wait for a person as always."""
    after = copy.deepcopy(new)
    after["needs_review"], after["least_confidence"] = False, None
    after["state"], after["abstained"] = said["state"], said["abstained"]
    if not said["garments"]:
        after["garments"] = []
        return after
    left = after["garments"]
    garments, doubts = [], []
    for old in said["garments"]:
        same = max(left, key=lambda garment: overlap(garment["box"], old["box"]), default=None)
        if same is not None and overlap(same["box"], old["box"]) >= SAME:
            left.remove(same)
            garment, unseen = _take_values(same, old, at)
            doubts += _list_doubts(garment, unseen, thresholds)
        else:
            garment = copy.deepcopy(old)
            garment["id"] = str(uuid4())
        garments.append(garment)
    gone = [garment["box"] for garment in removed]
    garments += [g for g in left if all(overlap(g["box"], box) < SAME for box in gone)]
    main = next((g["id"] for g in garments if g["primary"]), None)
    for garment in garments:
        garment["primary"] = garment["id"] == main
    after["garments"] = garments
    after["least_confidence"] = min(doubts, default=None)
    after["needs_review"] = bool(doubts)
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


def _take_values(
    new: GarmentState, old: GarmentState, at: str
) -> tuple[GarmentState, Sequence[LabelState]]:
    """And which of its labels nobody has seen yet."""
    decisions = copy.deepcopy(old["decisions"])
    accepted: dict[str, Any] = {"at": at, "accepted": True}
    if new["category"] != old["category"]:
        new["category"], new["object"] = old["category"], old["object"]
        new["category_origin"], new["category_confidence"] = Origin.HUMAN.value, 1.0
        decisions.setdefault("category", accepted)
    if old["category_origin"] != Origin.MODEL:
        new["category_origin"], new["category_confidence"] = old["category_origin"], 1.0
    if "object" in decisions:
        new["object"] = old["object"]
    if "box" in decisions:
        new["box"] = old["box"]
    if "colours" in decisions:
        new["colours"] = old["colours"]
    new["primary"] = old["primary"]
    seen = {label["key"] for label in old["labels"]} | decisions.keys()
    # Of what the model took for a t-shirt, trousers have no sleeves.
    unseen = [
        label
        for label in new["labels"]
        if label["key"] not in seen and may_have(label["key"], label["name"], new["category"])
    ]
    new["labels"] = [*old["labels"], *unseen]
    new["decisions"] = decisions
    return new, unseen


def _list_doubts(
    garment: GarmentState, unseen: Sequence[LabelState], thresholds: Thresholds
) -> list[float]:
    """As `Thresholds.find_least` has it: the main garment is what the shop sells."""
    if not garment["primary"]:
        return []
    name = garment["category"]
    return [x["confidence"] for x in unseen if x["confidence"] < thresholds.find(x["key"], name)]


def _carry(
    last: Annotation, annotation: Annotation, *, thresholds: Thresholds, now: datetime
) -> None:
    before = read_snapshot(Annotation.objects.get(id=annotation.id))
    said = read_snapshot(last)
    after = merge(
        before,
        said,
        removed=_list_removed(last, said),
        at=str(last.reviewed_at),
        thresholds=thresholds,
    )
    rows = Review.objects.filter(annotation=last, undone_by=None)
    source = rows.exclude(kind__in=[Review.Kind.UNDO, Review.Kind.SECOND]).order_by("-version")
    review = source.select_related("reviewer", "key").first()
    write_snapshot(annotation, before=before, after=after)
    annotation.reviewed_at = last.reviewed_at
    annotation.version += 1
    annotation.save(update_fields=[*ANSWER, "version", "reviewed_at"])
    Review.objects.create(
        tenant_id=annotation.tenant_id,
        annotation=annotation,
        kind=Review.Kind.CARRIED,
        about=review,
        reviewer=review.reviewer if review else None,
        key=review.key if review else None,
        source=review.source if review else Review.Source.API,
        changes=list_changes(before, after),
        before=before,
        after=after,
        version=annotation.version,
        created_at=now,
    )


def _retire(waiting: Sequence[Annotation], annotation: Annotation) -> None:
    """Who reviews sees the newest answer only; what members noted comes along."""
    ids = [row.id for row in waiting]
    Annotation.objects.filter(id__in=ids).update(needs_review=False, least_confidence=None)
    noted = ReviewTask.objects.filter(annotation__in=ids).exclude(note="").order_by("-created_at")
    if task := noted.first():
        ReviewTask.objects.update_or_create(
            annotation=annotation,
            defaults={"note": task.note, "suggested_by": task.suggested_by},
            create_defaults={
                "tenant_id": annotation.tenant_id,
                "note": task.note,
                "suggested_by": task.suggested_by,
                "created_at": task.created_at,
            },
        )
        annotation.needs_review, annotation.least_confidence = True, None
        annotation.save(update_fields=["needs_review", "least_confidence"])
    for row in waiting:
        live.announce_review(tenant_id=row.tenant_id, annotation_id=row.id, state=row.state)


def _of_same_photo(annotation: Annotation) -> AnnotationQuerySet:
    rows = Annotation.objects.filter(image_id=annotation.image_id).exclude(id=annotation.id)
    crop = annotation.crop
    return rows.filter(crop=crop) if crop else rows.filter(crop__isnull=True)


def _before(annotation: Annotation) -> Q:
    at = annotation.created_at
    return Q(created_at__lt=at) | Q(created_at=at, id__lt=annotation.id)


def _list_removed(last: Annotation, said: Snapshot) -> list[GarmentState]:
    kept = {garment["id"] for garment in said["garments"]}
    before = Review.objects.filter(annotation=last).values_list("before", flat=True)
    return [
        garment
        for snapshot in before
        for garment in snapshot.get("garments", ())
        if garment["id"] not in kept
    ]
