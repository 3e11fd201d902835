"""Any member may say that an answer could be better; reviewers see it first in their queue."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.models import Tenant, User
from annotations import live
from annotations.models import Annotation, ReviewTask
from annotations.reviewing.carry import REVIEWABLE, find_newer
from annotations.reviewing.services import NotReviewable

LONGEST_NOTE = 1000


@transaction.atomic
def suggest_review(
    *, tenant: Tenant, annotation_id: UUID, by: User | None, note: str, now: datetime
) -> None:
    """Put the newest answer for its photo into the queue with a note for its reviewer.

    Raises Annotation.DoesNotExist and NotReviewable.
    """
    rows = Annotation.objects.for_tenant(tenant).select_for_update(of=("self",))
    annotation = rows.get(id=annotation_id)
    if annotation.state not in REVIEWABLE:
        raise NotReviewable
    annotation = find_newer(annotation) or annotation
    annotation.needs_review, annotation.least_confidence = True, None
    # Who has it on their screen already is told, and sees the note before they accept it.
    annotation.version += 1
    annotation.save(update_fields=["needs_review", "least_confidence", "version"])
    task, _created = ReviewTask.objects.select_for_update(of=("self",)).get_or_create(
        annotation=annotation, defaults={"tenant": tenant, "created_at": now}
    )
    if task.note:  # somebody else's, who is named beside it
        note = f"{task.note}\n{by.get_full_name()}: {note}" if by else f"{task.note}\n{note}"
    else:
        task.suggested_by = by
    task.note, task.skipped_by = note[:LONGEST_NOTE], []
    task.save(update_fields=["note", "suggested_by", "skipped_by"])
    live.announce_annotation(annotation)
    live.announce_review(tenant_id=tenant.id, annotation_id=annotation.id, state="waiting")
