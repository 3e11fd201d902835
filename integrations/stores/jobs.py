"""Jobs are deferred here by name, so that services need not know the tasks that call them."""

from datetime import datetime
from uuid import UUID
from zlib import crc32

from django.db import connection
from procrastinate.contrib.django import app

from integrations.stores.models import Store
from kalas.lib import lanes

# A queue of its own, so that stores that take their time hold up no annotation.
QUEUE = "stores"
READ_TASK = "stores.read_products"
WRITE_TASK = "stores.write_products"
POLL_TASK = "stores.poll_store"
RUN_TASK = "stores.list_products_of_run"
CONNECT_TASK = "stores.connect_store"
REDACT_TASK = "stores.redact_store"
ALERT_TASK = "stores.tell_problem"
# Reading lanes of a store. There is one for writing: two that make the same term make it twice.
LANES = 3


def pick_lane(external_id: str) -> int:
    return crc32(external_id.encode()) % LANES


def wake_reader(store_id: UUID, lane: int, *, at: datetime) -> None:
    _wake("read", READ_TASK, store_id, at=at, lane=lane)


def wake_readers(store_id: UUID, *, at: datetime) -> None:
    for lane in range(LANES):
        wake_reader(store_id, lane, at=at)


def wake_writer(store_id: UUID, *, at: datetime) -> None:
    _wake("write", WRITE_TASK, store_id, at=at)


def wake_poller(store_id: UUID, *, at: datetime) -> None:
    """It is also the one who takes leave of the store, so that it makes no webhook anew then."""
    _wake("poll", POLL_TASK, store_id, at=at)


def wake_run(store_id: UUID, *, at: datetime) -> None:
    _wake("run", RUN_TASK, store_id, at=at)


def wake_connector(store_id: UUID, *, at: datetime) -> None:
    _wake("connect", CONNECT_TASK, store_id, at=at)


def is_connecting(store_id: UUID) -> bool:
    """Whether the job that tries a store's keys waits or runs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE lock = %s"
            " AND status IN ('todo', 'doing')",
            [f"stores.{store_id}.connect"],
        )
        return bool(cursor.fetchone()[0])


def defer_alert(store: Store) -> None:
    app.configure_task(ALERT_TASK, allow_unknown=False).defer(store_id=str(store.id))


def defer_redaction(store: Store) -> None:
    """All that came from the store is to go, in the running transaction."""
    app.configure_task(REDACT_TASK, allow_unknown=False).defer(store_id=str(store.id))


def _wake(name: str, task: str, store_id: UUID, *, at: datetime, lane: int | None = None) -> None:
    args: dict[str, object] = {"store_id": str(store_id)}
    if lane is not None:
        args["lane"] = lane
        name = f"{name}.{lane}"
    lanes.wake(f"stores.{store_id}.{name}", task=task, args=args, queue=QUEUE, at=at)
