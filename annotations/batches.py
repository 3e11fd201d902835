"""Many photos that other software asks for together."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q

from accounts.models import ApiKey, Tenant
from annotations import interests, jobs, live, selectors, signals
from annotations.models import Annotation, Batch, BatchItem

# Of a shop's photos that wait in batches.
MOST_OPEN = 10_000
# 4, 16 and 64 seconds.
FIRST_WAIT = timedelta(seconds=4)
WAITING = "batches"
interests.add(
    WAITING,
    f"""EXISTS (
        SELECT FROM annotations_batchitem AS item
        JOIN annotations_batch AS batch ON batch.id = item.batch_id
        WHERE item.annotation_id = {interests.ANNOTATIONS} AND batch.finished_at IS NULL
    )""",
)


class TooManyOpen(Exception):
    """So much of the shop waits already that it can't ask for more."""


@transaction.atomic
def order_batch(
    *, tenant: Tenant, key: ApiKey | None, items: Sequence[Mapping[str, Any]], now: datetime
) -> Batch:
    """`items` are fields of BatchItem, in order. Raises TooManyOpen."""
    if selectors.open_items().filter(batch__tenant=tenant).count() + len(items) > MOST_OPEN:
        raise TooManyOpen
    batch = Batch.objects.create(tenant=tenant, key=key, total=len(items), created_at=now)
    _lock_annotations(each["annotation"].id for each in items if each.get("annotation"))
    BatchItem.objects.bulk_create(
        BatchItem(batch=batch, position=position, **fields) for position, fields in enumerate(items)
    )
    jobs.wake_fetchers(tenant.id, at=now)
    live.announce_batch(tenant_id=tenant.id, batch_id=batch.id, state="pending")
    # All of its photos may have been annotated before.
    finish_batches(batch_ids=[batch.id], now=now)
    batch.refresh_from_db(fields=["finished_at"])
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
    """What became of a batch's photo; the first word counts, as jobs may run twice. An annotation
    that waits is of the shop's bulk, or has a job."""
    if annotation is not None:
        _lock_annotations([annotation.id])
    BatchItem.objects.filter(id=item.pk, taken_at=None).update(
        taken_at=now, annotation=annotation, problem=problem, detail=detail[:300]
    )
    finish_batches(batch_ids=[item.batch_id], now=now)
    if annotation is not None and annotation.is_pending:
        jobs.wake_shop(annotation.tenant_id, at=now)


def put_off(*, item: BatchItem, now: datetime) -> None:
    """Its host gets some time, more after each try."""
    item.tries += 1
    item.due_at = now + FIRST_WAIT * 4 ** (item.tries - 1)
    item.save(update_fields=["tries", "due_at"])


def note_gone(*, annotation_ids: Sequence[UUID]) -> Sequence[UUID]:
    """Before these annotations are deleted, in the same transaction: whose batches it concerns."""
    items = BatchItem.objects.filter(annotation__in=annotation_ids)
    batch_ids = list(items.values_list("batch_id", flat=True).distinct())
    items.update(annotation=None, problem="not-found", detail="The photo was deleted.")
    return batch_ids


def finish_batches(*, batch_ids: Iterable[UUID], now: datetime) -> None:
    """Note in the running transaction which of these batches wait for nothing any more, and tell
    of them."""
    tell_finished(note_finished(batch_ids=batch_ids, now=now))


def note_finished(*, batch_ids: Iterable[UUID], now: datetime) -> list[Batch]:
    """The first half, for who has rows of other apps to change before anybody is told."""
    finished = []
    for batch_id in sorted(batch_ids):
        # Of two that finish its last photos at once the second sees what the first did.
        batches = Batch.objects.select_for_update(of=("self",), no_key=True)
        batch = batches.filter(id=batch_id, finished_at=None).first()
        if batch and not selectors.open_items().filter(batch=batch).exists():
            batch.finished_at = now
            batch.save(update_fields=["finished_at"])
            finished.append(batch)
    return finished


def tell_finished(finished: Iterable[Batch]) -> None:
    for batch in finished:
        live.announce_batch(tenant_id=batch.tenant_id, batch_id=batch.id, state="done")
        signals.batch_finished.send(Batch, tenant_id=batch.tenant_id, batch_id=batch.id)


def list_waiting_for(*, annotation_ids: Sequence[UUID]) -> Sequence[UUID]:
    """The unfinished batches that these annotations belong to."""
    batches = Batch.objects.filter(items__annotation__in=annotation_ids, finished_at=None)
    return list(batches.values_list("id", flat=True).distinct())


def sweep(*, now: datetime) -> None:
    """Go on with what a defect, or a death at the wrong moment, left behind."""
    unfinished = Batch.objects.filter(finished_at=None)
    waiting = unfinished.filter(items__taken_at=None).values_list("tenant_id", flat=True)
    for tenant_id in sorted(set(waiting)):
        jobs.wake_fetchers(tenant_id, at=now)
    is_open = Exists(selectors.open_items().filter(batch=OuterRef("id")))
    for batch_id in unfinished.exclude(is_open).values_list("id", flat=True):
        with transaction.atomic():
            finish_batches(batch_ids=[batch_id], now=now)


def count_items(*, batch_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """How many photos of each batch are in which state; one query."""
    of = "annotation__state"
    counts = {
        "pending": Count("id", filter=Q(taken_at=None) | Q(**{of: "pending"})),
        "done": Count("id", filter=Q(**{of: "done"})),
        "abstained": Count("id", filter=Q(**{of: "abstained"})),
        "failed": Count(
            "id", filter=Q(taken_at__isnull=False, annotation=None) | Q(**{of: "failed"})
        ),
    }
    rows = BatchItem.objects.filter(batch__in=batch_ids).values("batch").annotate(**counts)
    return {
        batch: dict(zip(counts, numbers, strict=True))
        for batch, *numbers in rows.values_list("batch", *counts)
    }


def _lock_annotations(annotation_ids: Iterable[UUID]) -> None:
    """Before what is noted of them: an answer that is stored at this moment either is seen here,
    or sees what is noted."""
    rows = Annotation.objects.filter(id__in=list(annotation_ids)).order_by("id")
    list(rows.select_for_update(no_key=True).values_list("id", flat=True))
