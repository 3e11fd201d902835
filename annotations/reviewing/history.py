"""What people said, for past reviews, exports and the API."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import Tenant
from annotations.models import Review
from annotations.reviewing.services import may_undo


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reviews: empty means all. `key` is one that they changed, `until` is exclusive."""

    annotation_id: UUID | None = None
    email: str = ""
    key: str = ""
    category: str = ""
    kind: str = ""
    source: str = ""
    changed: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL = Wanted()


def filter_reviews(*, tenant: Tenant, wanted: Wanted = ALL) -> QuerySet[Review]:
    """Newest first, with who said it and the photo."""
    rows: QuerySet[Review] = Review.objects.for_tenant(tenant)
    if wanted.annotation_id:
        rows = rows.filter(annotation_id=wanted.annotation_id)
    if wanted.email:
        rows = rows.filter(reviewer__email__iexact=wanted.email)
    if wanted.key:
        rows = rows.filter(changes__contains=[{"key": wanted.key}])
    if wanted.category:
        rows = rows.filter(changes__contains=[{"category": wanted.category}])
    if wanted.kind:
        rows = rows.filter(kind=wanted.kind)
    if wanted.source:
        rows = rows.filter(source=wanted.source)
    if wanted.changed is not None:
        rows = rows.exclude(changes=[]) if wanted.changed else rows.filter(changes=[])
    if wanted.since:
        rows = rows.filter(created_at__gte=wanted.since)
    if wanted.until:
        rows = rows.filter(created_at__lt=wanted.until)
    rows = rows.select_related("reviewer", "key", "annotation__image", "undone_by")
    return rows.order_by("-created_at", "-id")


def get_review(*, tenant: Tenant, review_id: UUID) -> Review:
    """Raises Review.DoesNotExist."""
    return filter_reviews(tenant=tenant).get(id=review_id)


def find_undoable(*, tenant: Tenant, reviews: Iterable[Review]) -> set[UUID]:
    """Which of these nothing later stands on; one query."""
    ids = {review.annotation_id for review in reviews}
    rows = Review.objects.for_tenant(tenant).filter(annotation__in=ids)
    histories: dict[UUID, list[Review]] = {}
    for row in rows.defer("before", "after", "changes").order_by("version", "created_at"):
        histories.setdefault(row.annotation_id, []).append(row)
    return {r.id for r in reviews if may_undo(r, histories.get(r.annotation_id, []))}


def describe(review: Review) -> dict[str, Any]:
    """From a row of `filter_reviews`; no queries."""
    return {
        "id": str(review.id),
        "annotation": str(review.annotation_id),
        "kind": review.kind,
        "source": review.source,
        "verdict": review.verdict or None,
        "reviewer": review.reviewer.email if review.reviewer else None,
        "key": review.key.prefix if review.key else None,
        "changes": review.changes,
        "comment": review.comment or None,
        "seconds": review.seconds,
        "version": review.version,
        "undoes": str(review.undoes_id) if review.undoes_id else None,
        "undone": is_undone(review),
        "created_at": review.created_at.isoformat().replace("+00:00", "Z"),
    }


def is_undone(review: Review) -> bool:
    try:
        return review.undone_by is not None
    except Review.DoesNotExist:
        return False


def without_vectors(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Of a garment that was taken away its embedding is kept, which is nobody's to read."""
    shown = copy.deepcopy(dict(snapshot))
    garments: Sequence[dict[str, Any]] = shown.get("garments", ())
    for garment in garments:
        garment.pop("embedding", None)
    return shown
