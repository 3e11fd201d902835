"""How a store's lanes go on: one row after another, until nothing is due or others have a turn."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, QuerySet

from integrations.stores import holding, jobs
from integrations.stores.models import Store, StoreProduct, StoreRun

logger = logging.getLogger(__name__)

# After it the other stores have their turn.
TURN_S = 5.0
# A part of the house was away; what is due comes again then.
AWAY_FOR = timedelta(seconds=10)
# The product's reader or writer has it.
BUSY_FOR = timedelta(seconds=2)

Clock = Callable[[], datetime]


def find_working(store_id: UUID, *, now: datetime) -> Store | None:
    """The store, where it may be asked now."""
    store = Store.objects.select_related("tenant").filter(id=store_id).first()
    if store is None or not store.is_active or store.is_quiet(now):
        return None
    return store


def list_to_read(store_id: UUID, lane: int) -> QuerySet[StoreProduct]:
    rows = StoreProduct.objects.filter(store=store_id, lane=lane, read_due_at__isnull=False)
    return rows.exclude(run__state=StoreRun.State.PAUSED)


def list_to_write(store_id: UUID) -> QuerySet[StoreProduct]:
    rows = StoreProduct.objects.filter(store=store_id, write_due_at__isnull=False)
    return rows.exclude(run__state=StoreRun.State.PAUSED)


def work(
    *,
    store_id: UUID,
    clock: Clock,
    rows: QuerySet[StoreProduct],
    column: str,
    do: Callable[[Store, StoreProduct, datetime], None],
    wake: Callable[[datetime], None],
) -> None:
    """Do what is due in this column; what comes later wakes the lane then."""
    end = time.monotonic() + TURN_S
    while time.monotonic() < end:
        now = clock()
        store = find_working(store_id, now=now)
        if store is None:
            break
        due = rows.filter(**{f"{column}__lte": now})
        # What a store just told goes before what a run asks for.
        in_line = due.order_by(F("run").asc(nulls_first=True), column, "id")
        row_id = in_line.values_list("id", flat=True).first()
        if row_id is None:
            break
        with holding.hold(row_id) as is_ours:
            # Loaded once it is ours: what the other one noted before is known then.
            row = due.select_related("product", "run").filter(id=row_id).first()
            if row is not None and is_ours:
                row.store = store
                do(store, row, now)
            elif row is not None:
                due.filter(id=row_id).update(**{column: now + BUSY_FOR})
    plan(store_id=store_id, clock=clock, rows=rows, column=column, wake=wake)


def plan(
    *,
    store_id: UUID,
    clock: Clock,
    rows: QuerySet[StoreProduct],
    column: str,
    wake: Callable[[datetime], None],
) -> None:
    store = Store.objects.filter(id=store_id, state=Store.State.ACTIVE).first()
    if store is None:
        return
    due = rows.order_by(column).values_list(column, flat=True).first()
    if due is not None:
        wake(max(due, store.quiet_until or clock(), clock()))


def wake_sleepers(*, now: datetime) -> None:
    """Where a job ended by a defect, or together with the database."""
    for store in Store.objects.filter(state=Store.State.LEAVING).only("id", "quiet_until"):
        jobs.wake_poller(store.id, at=max(now, store.quiet_until or now))
    active = Store.objects.filter(state=Store.State.ACTIVE)
    for store in active.only("id", "quiet_until"):
        at = max(now, store.quiet_until or now)
        late = now - AWAY_FOR
        rows = StoreProduct.objects.filter(store=store)
        read = rows.filter(read_due_at__lt=late).values_list("lane", flat=True)
        for lane in sorted(set(read.distinct())):
            jobs.wake_reader(store.id, lane, at=at)
        if rows.filter(write_due_at__lt=late).exists():
            jobs.wake_writer(store.id, at=at)
        if StoreRun.objects.filter(store=store, state=StoreRun.State.RUNNING).exists():
            jobs.wake_run(store.id, at=at)
