"""Many photos that other software asks for together."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q
from django.dispatch import receiver
from django.utils import timezone

from accounts.models import ApiKey, Tenant
from annotations import jobs, live, selectors, signals
from annotations.models import Annotation, Batch, BatchItem


@transaction.atomic
def order_batch(
    *, tenant: Tenant, key: ApiKey | None, items: Sequence[Mapping[str, Any]], now: datetime
) -> Batch:
    """`items` are fields of BatchItem, in order; each gets a job of its own."""
    batch = Batch.objects.create(tenant=tenant, key=key, total=len(items), created_at=now)
    rows = BatchItem.objects.bulk_create(
        BatchItem(batch=batch, position=position, **fields) for position, fields in enumerate(items)
    )
    jobs.defer_fetches(row.pk for row in rows if row.annotation_id is None)
    live.announce_batch(tenant_id=tenant.id, batch_id=batch.id, state="pending")
    return batch


@transaction.atomic
def note_item(
    *,
    item: BatchItem,
    now: datetime,
    annotation: Annotation | None = None,
    problem: str = "",
    detail: str = "",
) -> None:
    """What became of a batch's photo; the first word counts, as jobs may run twice."""
    BatchItem.objects.filter(id=item.pk, taken_at=None).update(
        taken_at=now, annotation=annotation, problem=problem, detail=detail[:300]
    )
    finish_batches(batch_ids=[item.batch_id], now=now)


def finish_batches(*, batch_ids: Sequence[UUID], now: datetime) -> None:
    """Note in the running transaction which of these batches wait for nothing any more."""
    for batch_id in sorted(batch_ids):
        # Of two that finish its last photos at once the second sees what the first did.
        batch = Batch.objects.select_for_update(of=("self",), no_key=True).get(id=batch_id)
        if batch.finished_at is None and not selectors.open_items(batch_ids=[batch_id]).exists():
            batch.finished_at = now
            batch.save(update_fields=["finished_at"])
            live.announce_batch(tenant_id=batch.tenant_id, batch_id=batch_id, state="done")
            signals.batch_finished.send(Batch, tenant_id=batch.tenant_id, batch_id=batch_id)


def count_items(*, batch_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """How many photos of each batch are in which state; one query."""
    of = "annotation__state"
    counts = {
        "pending": Count("id", filter=Q(taken_at=None) | Q(**{of: "pending"})),
        "done": Count("id", filter=Q(**{of: "done"})),
        "abstained": Count("id", filter=Q(**{of: "abstained"})),
        "failed": Count("id", filter=~Q(problem="") | Q(**{of: "failed"})),
    }
    rows = BatchItem.objects.filter(batch__in=batch_ids).values("batch").annotate(**counts)
    return {
        batch: dict(zip(counts, numbers, strict=True))
        for batch, *numbers in rows.values_list("batch", *counts)
    }


@receiver(signals.annotation_finished)
def finish_its_batches(sender: object, annotation_id: UUID, **_: object) -> None:
    items = BatchItem.objects.filter(annotation=annotation_id, batch__finished_at=None)
    batch_ids = list(items.values_list("batch_id", flat=True).distinct())
    if batch_ids:
        finish_batches(batch_ids=batch_ids, now=timezone.now())
