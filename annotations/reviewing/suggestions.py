"""Any member may say that an answer could be better; reviewers see it first in their queue."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.models import Tenant, User
from annotations import live
from annotations.models import Annotation, ReviewTask
from annotations.reviewing.services import REVIEWABLE, NotReviewable

LONGEST_NOTE = 1000


@transaction.atomic
def suggest_review(
    *, tenant: Tenant, annotation_id: UUID, by: User | None, note: str, now: datetime
) -> None:
    """Put the annotation into the queue with a note for its reviewer.

    Raises Annotation.DoesNotExist and NotReviewable.
    """
    rows = Annotation.objects.for_tenant(tenant).select_for_update(of=("self",))
    annotation = rows.get(id=annotation_id)
    if annotation.state not in REVIEWABLE:
        raise NotReviewable
    annotation.needs_review, annotation.least_confidence = True, None
    annotation.save(update_fields=["needs_review", "least_confidence"])
    ReviewTask.objects.update_or_create(
        annotation=annotation,
        defaults={"note": note[:LONGEST_NOTE], "suggested_by": by, "skipped_by": []},
        create_defaults={
            "tenant": tenant,
            "note": note[:LONGEST_NOTE],
            "suggested_by": by,
            "created_at": now,
        },
    )
    live.announce_annotation(annotation)
    live.announce_review(tenant_id=tenant.id, annotation_id=annotation.id, state="waiting")
