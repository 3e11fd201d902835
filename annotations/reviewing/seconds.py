"""A sample is reviewed by a second person who does not see what the first one said: how far do
reviewers agree?"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.models import Tenant, User
from annotations.models import Annotation, FashionImage, Origin, Review, ReviewSettings, ReviewTask
from annotations.reviewing.changes import list_changes
from annotations.reviewing.corrections import Corrections, Photo, apply_corrections
from annotations.reviewing.snapshots import Snapshot


class NotAsked(Exception):
    """Nobody asked this person for a second opinion of it, or another has given it."""


def ask_for_second(annotation: Annotation, review: Review) -> None:
    """Where the first opinion is a person's and falls into the shop's sample."""
    if review.reviewer_id is None or review.source != Review.Source.QUEUE:
        return
    settings = ReviewSettings.objects.filter(tenant_id=annotation.tenant_id).first()
    percent = (settings or ReviewSettings()).second_review_percent
    if not is_in_sample(annotation.id, percent=percent):
        return
    given = annotation.reviews.filter(kind=Review.Kind.SECOND)
    asked = ReviewTask.objects.filter(annotation=annotation, second_of__isnull=False)
    asked = asked.exclude(second_of__undone_by__isnull=False)
    # What a person has had a hand in before is no first opinion.
    if has_human_value(review.before) or given.exists() or asked.exists():
        return
    ReviewTask.objects.update_or_create(
        annotation=annotation,
        defaults={"second_of": review},
        create_defaults={
            "tenant_id": annotation.tenant_id,
            "second_of": review,
            "created_at": review.created_at,
        },
    )


def has_human_value(snapshot: Snapshot) -> bool:
    return any(
        garment["decisions"]
        or garment["category_origin"] != Origin.MODEL
        or any(label["origin"] != Origin.MODEL for label in garment["labels"])
        for garment in snapshot["garments"]
    )


def is_in_sample(annotation_id: UUID, *, percent: int) -> bool:
    """The same for the same annotation, whoever asks and whenever."""
    digest = hashlib.sha256(annotation_id.bytes).digest()
    return int.from_bytes(digest[:4]) % 100 < percent


def list_asked(*, tenant: Tenant, user: User, now: datetime, most: int) -> Sequence[UUID]:
    """Annotations that somebody else has reviewed and that this person may give an opinion on."""
    tasks = ReviewTask.objects.for_tenant(tenant).filter(second_of__isnull=False)
    said = Review.objects.filter(annotation=OuterRef("annotation"), reviewer=user)
    tasks = tasks.exclude(Exists(said)).exclude(skipped_by__contains=[user.pk])
    free = Q(claimed_by=None) | Q(claimed_by=user) | Q(claimed_until__lte=now)
    undone = Q(second_of__undone_by__isnull=False)
    rows = tasks.filter(free).exclude(undone).order_by("created_at", "annotation_id")
    return list(rows.values_list("annotation_id", flat=True)[:most])


def find_first(*, tenant: Tenant, annotation_id: UUID, user: User) -> Review | None:
    """The first opinion, if this person is asked for a second one."""
    task = ReviewTask.objects.for_tenant(tenant).filter(annotation=annotation_id)
    found = task.filter(second_of__isnull=False).select_related("second_of").first()
    first = found.second_of if found else None
    said = Review.objects.filter(annotation=annotation_id, reviewer=user)
    return None if first is None or said.exists() else first


@transaction.atomic
def give_second(
    *,
    tenant: Tenant,
    annotation_id: UUID,
    reviewer: User,
    corrections: Corrections,
    review_id: UUID,
    seconds: float | None,
    comment: str,
    now: datetime,
) -> Review:
    """Keep a second opinion; the annotation stays as the first one said.

    The same `review_id` again is answered with what it did. Raises Annotation.DoesNotExist,
    NotAsked and CorrectionRefused.
    """
    rows = Annotation.objects.for_tenant(tenant).select_for_update(of=("self",))
    annotation = rows.get(id=annotation_id)
    if same := Review.objects.for_tenant(tenant).filter(id=review_id).first():
        return same
    first = find_first(tenant=tenant, annotation_id=annotation_id, user=reviewer)
    if first is None:
        raise NotAsked
    image = FashionImage.objects.only("width", "height").get(id=annotation.image_id)
    photo = Photo(image.width, image.height)
    stamp = {"by": reviewer.pk, "at": now.isoformat()}
    after = apply_corrections(first.before, corrections, photo=photo, stamp=stamp)
    review = Review.objects.create(
        id=review_id,
        tenant=tenant,
        annotation=annotation,
        reviewer=reviewer,
        kind=Review.Kind.SECOND,
        about=first,
        source=Review.Source.QUEUE,
        verdict=corrections.verdict,
        changes=list_changes(first.before, after),
        before=first.before,
        after=after,
        comment=comment,
        seconds=seconds,
        version=annotation.version,
        created_at=now,
    )
    ReviewTask.objects.filter(annotation=annotation).update(
        second_of=None, claimed_by=None, claimed_until=None
    )
    return review
