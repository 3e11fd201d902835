"""Runs over all products of a store: listed page by page, read behind what the store tells."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from annotations.fetching import AWAY
from integrations.stores import hints, jobs, lanes, platforms, troubles
from integrations.stores.failures import StoreFailed
from integrations.stores.models import Store, StoreProduct, StoreRun, WriteBack

logger = logging.getLogger(__name__)

# So many wait at once, that a stop stops it soon and the store's own news stay ahead.
MOST_WAITING = 100
LOOK_AGAIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Progress:
    total: int
    read: int
    done: int
    will_change: int
    written: int
    failed: int

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0


def list_next(*, store_id: UUID, clock: lanes.Clock) -> None:
    """The next pages of the store's run, as far as others have been read; ends the run."""
    now = clock()
    run = StoreRun.objects.filter(store=store_id, state=StoreRun.State.RUNNING).first()
    store = lanes.find_working(store_id, now=now)
    if run is None or store is None:
        return
    try:
        end = time.monotonic() + lanes.TURN_S
        while not run.is_listed and _count_waiting(run) < MOST_WAITING and time.monotonic() < end:
            _list_page(store, run, now=now)
    except AWAY:
        raise
    except StoreFailed as error:
        troubles.note_failure(store, error, now=now)
        jobs.wake_run(store_id, at=now + troubles.wait_after(1, retry_after=error.retry_after))
        return
    if run.is_listed and not _list_open(run).exists():
        StoreRun.objects.filter(id=run.id, state=StoreRun.State.RUNNING).update(
            state=StoreRun.State.DONE, finished_at=now
        )
    else:
        jobs.wake_run(store_id, at=now + LOOK_AGAIN)


def measure(run: StoreRun) -> Progress:
    """Two queries."""
    rows = run.products.aggregate(
        known=Count("id"),
        waiting=Count("id", filter=Q(read_due_at__isnull=False)),
        open=Count("id", filter=_is_open()),
        failed=Count("id", filter=Q(state=StoreProduct.State.FAILED)),
    )
    states = dict(run.write_backs.order_by().values_list("state").annotate(number=Count("id")))
    to_write = (WriteBack.State.SUGGESTED, WriteBack.State.REVIEW, WriteBack.State.DUE)
    return Progress(
        total=max(run.total or 0, rows["known"]),
        read=rows["known"] - rows["waiting"],
        done=rows["known"] - rows["open"],
        will_change=sum(states.get(state, 0) for state in to_write),
        written=states.get(WriteBack.State.APPLIED, 0),
        failed=rows["failed"],
    )


def _list_page(store: Store, run: StoreRun, *, now: datetime) -> None:
    connection = platforms.open_connection(store)
    if not run.cursor:
        connection.list_categories()
    page = connection.list_products(cursor=run.cursor)
    troubles.note_success(store, now=now)
    wanted = [each.id for each in page.products if each.is_public and not each.parent_id]
    with transaction.atomic():
        hints.hint(store=store, external_ids=wanted, now=now, run=run)
        run.total = page.total if page.total is not None else run.total
        run.cursor, run.is_listed = page.cursor, not page.cursor
        run.save(update_fields=["total", "cursor", "is_listed"])


def _count_waiting(run: StoreRun) -> int:
    return run.products.filter(read_due_at__isnull=False).count()


def _list_open(run: StoreRun) -> QuerySet[StoreProduct]:
    return run.products.filter(_is_open())


def _is_open() -> Q:
    return (
        Q(read_due_at__isnull=False)
        | Q(write_due_at__isnull=False)
        | Q(state=StoreProduct.State.ANNOTATING)
    )
