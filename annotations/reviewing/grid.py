"""Many photos at once: those of one value, to be accepted or set together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, F, OuterRef

from accounts.models import Tenant, User
from annotations import selectors
from annotations.models import Annotation, AnnotationQuerySet, Garment, Label, Review
from annotations.reviewing import queue
from annotations.reviewing.changes import list_changes
from annotations.reviewing.corrections import (
    Correction,
    CorrectionRefused,
    Corrections,
    Photo,
    apply_corrections,
)
from annotations.reviewing.services import Reviewer, review_many
from annotations.reviewing.snapshots import read_snapshot
from annotations.reviewing.thresholds import CATEGORY

# Of photos that are decided at once; so many are looked at together.
MOST = 1000
CHUNK = 200
Chosen = Sequence[tuple[UUID, int]]


@dataclass(frozen=True, slots=True)
class Setting:
    """What all of them are to be: one key's value (None: no value), a verdict, or nothing, which
    accepts them as they are."""

    key: str = ""
    value: str | None = None
    verdict: Review.Verdict = Review.Verdict.ANSWER


@dataclass(frozen=True, slots=True)
class Preview:
    """`refused`: the value can't be theirs; `stale`: reviewed or deleted meanwhile."""

    changing: Sequence[Annotation]
    same: int
    refused: int
    stale: int


def filter_grid(
    *, tenant: Tenant, key: str, value: str, only_waiting: bool, user: User, now: datetime
) -> AnnotationQuerySet:
    """Whose main garment has this value; the least sure first, without what others work on."""
    rows = Annotation.objects.for_tenant(tenant).filter(state=Annotation.State.DONE)
    if only_waiting:
        rows = queue.free_for(rows.filter(needs_review=True), user=user, now=now)
    garments = Garment.objects.filter(annotation=OuterRef("id"), primary=True)
    if key == CATEGORY:
        garments = garments.filter(category=value)
    else:
        labels = Label.objects.filter(garment=OuterRef("id"), key=key, name=value)
        garments = garments.filter(Exists(labels))
    rows = rows.filter(Exists(garments))
    return rows.order_by(F("least_confidence").asc(nulls_last=True), "-created_at", "id")


def preview_setting(*, tenant: Tenant, chosen: Chosen, setting: Setting) -> Preview:
    """What `apply_setting` would do; four queries for each chunk."""
    versions = dict(chosen[:MOST])
    changing: list[Annotation] = []
    same = refused = seen = 0
    for row in _read(tenant, list(versions)):
        if row.version != versions[row.id]:
            continue
        seen += 1
        before = read_snapshot(row)
        photo = Photo(row.image.width, row.image.height)
        try:
            after = apply_corrections(before, _build(row, setting), photo=photo, stamp={})
        except CorrectionRefused:
            refused += 1
            continue
        if list_changes(before, after):
            changing.append(row)
        else:
            same += 1
    return Preview(changing, same, refused, stale=len(versions) - seen)


def apply_setting(
    *, tenant: Tenant, chosen: Chosen, setting: Setting, by: Reviewer, now: datetime
) -> tuple[list[Review], int]:
    """Review each of them so; return the reviews and how many were left out."""
    versions = dict(chosen[:MOST])
    said, left = [], len(versions)
    for row in _read(tenant, list(versions)):
        corrections = _build(row, setting)
        photo = Photo(row.image.width, row.image.height)
        try:
            apply_corrections(read_snapshot(row), corrections, photo=photo, stamp={})
        except CorrectionRefused:
            continue
        said.append((row.id, versions[row.id], corrections))
    reviews, _stale = review_many(tenant=tenant, said=said, by=by, now=now)
    return reviews, left - len(reviews)


def _read(tenant: Tenant, ids: Sequence[UUID]) -> Iterator[Annotation]:
    for start in range(0, len(ids), CHUNK):
        rows = Annotation.objects.for_tenant(tenant).filter(id__in=ids[start : start + CHUNK])
        yield from selectors.with_everything(rows)


def _build(annotation: Annotation, setting: Setting) -> Corrections:
    if setting.verdict:
        return Corrections(verdict=setting.verdict)
    main = next((garment for garment in annotation.garments.all() if garment.primary), None)
    if not setting.key or main is None:
        return Corrections()
    if setting.key == CATEGORY:
        return Corrections([Correction(main.id, category=setting.value or "")])
    return Corrections([Correction(main.id, attributes={setting.key: setting.value})])
