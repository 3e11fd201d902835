"""What a person says about a result. Nothing is ever lost: each review keeps before and after."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import ApiKey, Tenant, User
from annotations import live, signals
from annotations.models import Annotation, FashionImage, Garment, Origin, Review, ReviewTask
from annotations.reviewing import seconds
from annotations.reviewing.carry import REVIEWABLE, carry_on, find_newer
from annotations.reviewing.changes import list_changes
from annotations.reviewing.corrections import (
    CorrectionRefused,
    Corrections,
    Photo,
    apply_corrections,
)
from annotations.reviewing.outcomes import record_outcomes
from annotations.reviewing.snapshots import Snapshot, read_snapshot, write_snapshot
from annotations.reviewing.thresholds import read_thresholds

NOTHING = Corrections()


class NotReviewable(Exception):
    """The annotation has no result."""


class ReviewedMeanwhile(Exception):
    """Somebody else changed it since it was looked at; `latest` is what they said."""

    def __init__(self, version: int, latest: Review | None) -> None:
        super().__init__(f"The annotation is at version {version}.")
        self.version = version
        self.latest = latest


class NotUndoable(Exception):
    """It was undone before, or what was said after it has to be undone first."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who says it, and by which way."""

    user: User | None = None
    key: ApiKey | None = None
    source: Review.Source = Review.Source.API


@dataclass(frozen=True, slots=True)
class Remark:
    """What is kept beside the corrections. `review_id` is chosen by who sends it, so that the
    same review that comes twice counts once; `version` is what was looked at."""

    review_id: UUID | None = None
    version: int | None = None
    comment: str = ""
    seconds: float | None = None


NO_REMARK = Remark()


@transaction.atomic
def review_annotation(
    *,
    tenant: Tenant,
    annotation_id: UUID,
    by: Reviewer,
    now: datetime,
    corrections: Corrections = NOTHING,
    remark: Remark = NO_REMARK,
) -> Review:
    """Accept a result, with corrections where there are any; announced after commit.

    The same `review_id` again is answered with what it did. Raises Annotation.DoesNotExist for
    another shop's, NotReviewable, ReviewedMeanwhile and CorrectionRefused.
    """
    annotation = _lock(tenant, annotation_id)
    if remark.review_id and (same := _find_same(tenant, annotation, remark.review_id)):
        return same
    if annotation.state not in REVIEWABLE:
        raise NotReviewable
    if remark.version is not None and remark.version != annotation.version:
        raise ReviewedMeanwhile(annotation.version, find_latest(annotation))
    _check_ids(annotation, corrections)
    image = FashionImage.objects.only("width", "height").get(id=annotation.image_id)
    before = read_snapshot(annotation)
    after = apply_corrections(
        before,
        corrections,
        photo=Photo(image.width, image.height),
        stamp=_stamp(by, now),
    )
    review = _build_review(annotation, by, now, remark, before=before, after=after)
    review.verdict = corrections.verdict
    annotation.reviewed_at = now
    _write(annotation, review)
    carry_on(annotation, thresholds=read_thresholds(tenant=tenant), now=now)
    return review


@transaction.atomic
def undo_review(
    *,
    tenant: Tenant,
    review_id: UUID,
    by: Reviewer,
    now: datetime,
    remark: Remark = NO_REMARK,
) -> Review:
    """Bring back what was there before a review, or before it was undone.

    Raises Review.DoesNotExist for another shop's, and NotUndoable.
    """
    target = Review.objects.for_tenant(tenant).get(id=review_id)
    annotation = _lock(tenant, target.annotation_id)
    if remark.review_id and (same := _find_same(tenant, annotation, remark.review_id)):
        return same
    history = list(Review.objects.filter(annotation=annotation).order_by("version", "created_at"))
    if not may_undo(target, history):
        raise NotUndoable
    before = read_snapshot(annotation)
    after: Snapshot = target.before
    if find_newer(annotation):  # which waits in its place
        after = after | {"needs_review": False, "least_confidence": None}
    undo = _build_review(annotation, by, now, remark, before=before, after=after)
    undo.kind, undo.undoes = Review.Kind.UNDO, target
    undo.verdict = ""
    in_effect = list_in_effect([*history, undo])
    annotation.reviewed_at = in_effect[-1].created_at if in_effect else None
    _write(annotation, undo)
    _undo_carried(tenant, target, by=by, now=now)
    if annotation.reviewed_at:
        carry_on(annotation, thresholds=read_thresholds(tenant=tenant), now=now)
    return undo


def review_many(
    *,
    tenant: Tenant,
    said: Sequence[tuple[UUID, int, Corrections]],
    by: Reviewer,
    now: datetime,
) -> tuple[list[Review], list[UUID]]:
    """(annotation, version, what is said) each in a transaction of its own; return the reviews,
    and the annotations that were changed or deleted meanwhile."""
    reviews, left = [], []
    for annotation_id, version, corrections in said:
        try:
            review = review_annotation(
                tenant=tenant,
                annotation_id=annotation_id,
                by=by,
                now=now,
                corrections=corrections,
                remark=Remark(version=version),
            )
        except (Annotation.DoesNotExist, NotReviewable, ReviewedMeanwhile):
            left.append(annotation_id)
        else:
            reviews.append(review)
    return reviews, left


def list_in_effect(history: Sequence[Review]) -> list[Review]:
    """The reviews of one annotation that are not undone, in their order."""
    by_id = {review.id: review for review in history}
    effect: list[Review] = []
    for review in history:
        if review.kind in (Review.Kind.REVIEW, Review.Kind.CARRIED):
            effect.append(review)
        elif review.kind == Review.Kind.UNDO and review.undoes_id in by_id:
            target = by_id[review.undoes_id]
            if target.kind == Review.Kind.UNDO and target.undoes_id in by_id:
                effect.append(by_id[target.undoes_id])
            else:
                effect = [each for each in effect if each.id != target.id]
    return effect


def may_undo(review: Review, history: Sequence[Review]) -> bool:
    """Whether nothing that was said later stands on it; `history` is of the same annotation.

    Reviews from before the history was kept whole can't be: nobody knows what was there.
    """
    if not review.version:
        return False
    said = [each for each in history if each.kind != Review.Kind.SECOND]
    if review.kind == Review.Kind.UNDO:
        return bool(said) and said[-1].id == review.id
    effect = list_in_effect(said)
    return bool(effect) and effect[-1].id == review.id


def find_latest(annotation: Annotation) -> Review | None:
    rows = annotation.reviews.exclude(kind=Review.Kind.SECOND).select_related("reviewer")
    return rows.order_by("-version", "-created_at").first()


def _undo_carried(tenant: Tenant, target: Review, *, by: Reviewer, now: datetime) -> None:
    """Take it back where it was carried to, unless more was said there since."""
    for carried in Review.objects.filter(kind=Review.Kind.CARRIED, about=target, undone_by=None):
        with suppress(NotUndoable):
            undo_review(tenant=tenant, review_id=carried.id, by=by, now=now)


def _check_ids(annotation: Annotation, corrections: Corrections) -> None:
    """Who adds a garment chooses its id; raises CorrectionRefused for another annotation's."""
    ids = [addition.garment_id for addition in corrections.added]
    if ids and Garment.objects.filter(id__in=ids).exclude(annotation=annotation).exists():
        raise CorrectionRefused("added", _("This annotation has no such garment."))


def _lock(tenant: Tenant, annotation_id: UUID) -> Annotation:
    rows = Annotation.objects.for_tenant(tenant).select_for_update(of=("self",))
    return rows.get(id=annotation_id)


def _find_same(tenant: Tenant, annotation: Annotation, review_id: UUID) -> Review | None:
    return Review.objects.for_tenant(tenant).filter(id=review_id, annotation=annotation).first()


def _stamp(by: Reviewer, now: datetime) -> dict[str, Any]:
    who: dict[str, Any] = {"by": by.user.pk} if by.user else {}
    if by.key:
        who["key"] = str(by.key.id)
    if by.source == Review.Source.STORE:
        who["origin"] = Origin.STORE.value
    return who | {"at": now.isoformat()}


def _build_review(
    annotation: Annotation,
    by: Reviewer,
    now: datetime,
    remark: Remark,
    *,
    before: Snapshot,
    after: Snapshot,
) -> Review:
    return Review(
        id=remark.review_id or uuid4(),
        tenant_id=annotation.tenant_id,
        annotation=annotation,
        reviewer=by.user,
        key=by.key,
        source=by.source,
        changes=list_changes(before, after),
        before=before,
        after=after,
        comment=remark.comment,
        seconds=remark.seconds,
        version=annotation.version + 1,
        created_at=now,
    )


def _write(annotation: Annotation, review: Review) -> None:
    write_snapshot(annotation, before=review.before, after=review.after)
    annotation.version = review.version
    annotation.save(
        update_fields=[
            "state",
            "abstained",
            "needs_review",
            "least_confidence",
            "version",
            "reviewed_at",
        ]
    )
    try:
        with transaction.atomic():
            review.save(force_insert=True)
    except IntegrityError as error:  # undone by somebody else, or an id of another annotation
        raise NotUndoable from error
    record_outcomes(annotation, review)
    ReviewTask.objects.filter(annotation=annotation).update(
        claimed_by=None, claimed_until=None, assigned_to=None, suggested_by=None, note=""
    )
    if review.kind == Review.Kind.REVIEW:
        seconds.ask_for_second(annotation, review)
    live.announce_annotation(annotation)
    live.announce_review(
        tenant_id=annotation.tenant_id,
        annotation_id=annotation.id,
        state="waiting" if annotation.needs_review else annotation.state,
    )
    signals.annotation_reviewed.send(
        Review,
        tenant_id=annotation.tenant_id,
        annotation_id=annotation.id,
        image_id=annotation.image_id,
    )
