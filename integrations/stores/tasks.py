"""Jobs of stores. Each may run any number of times: what is done is not done again."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from integrations import emails
from integrations.stores import (
    connecting,
    disconnecting,
    forgetting,
    jobs,
    lanes,
    polling,
    reading,
    running,
    writing,
)
from integrations.stores.models import Store
from kalas.lib.tenant_rows import only_rows_of


def in_its_shop(task: Callable[..., None]) -> Callable[..., None]:
    """The work of one store sees and touches no other shop's rows, whatever a query forgets."""

    @wraps(task)
    def work(*, store_id: str, **arguments: int) -> None:
        tenant_id = Store.objects.filter(id=store_id).values_list("tenant_id", flat=True).first()
        if tenant_id is not None:
            with only_rows_of(tenant_id):
                task(store_id=store_id, **arguments)

    return work


@app.task(name=jobs.READ_TASK, queue=jobs.QUEUE)
@in_its_shop
def read_products(*, store_id: str, lane: int) -> None:
    reading.read_due(store_id=UUID(store_id), lane=lane, clock=_now)


@app.task(name=jobs.WRITE_TASK, queue=jobs.QUEUE)
@in_its_shop
def write_products(*, store_id: str) -> None:
    writing.write_due(store_id=UUID(store_id), clock=_now)


@app.task(name=jobs.POLL_TASK, queue=jobs.QUEUE)
@in_its_shop
def poll_store(*, store_id: str) -> None:
    disconnecting.leave(store_id=UUID(store_id), now=_now())
    polling.poll(store_id=UUID(store_id), now=_now())


@app.task(name=jobs.RUN_TASK, queue=jobs.QUEUE)
@in_its_shop
def list_products_of_run(*, store_id: str) -> None:
    running.list_next(store_id=UUID(store_id), clock=_now)


@app.task(name=jobs.CONNECT_TASK, queue=jobs.QUEUE)
@in_its_shop
def connect_store(*, store_id: str) -> None:
    connecting.finish(store_id=UUID(store_id), now=_now())


@app.task(name=jobs.REDACT_TASK, retry=RetryStrategy(max_attempts=20, wait=30, linear_wait=120))
@in_its_shop
def redact_store(*, store_id: str) -> None:
    forgetting.redact(store_id=UUID(store_id))


@app.task(name=jobs.ALERT_TASK, retry=RetryStrategy(max_attempts=20, wait=30, linear_wait=120))
@in_its_shop
def tell_problem(*, store_id: str) -> None:
    """Nothing if it was mended meanwhile."""
    store = Store.objects.select_related("tenant").filter(id=store_id).exclude(problem="").first()
    if store is not None:
        emails.send_store_problem(store)
        Store.objects.filter(id=store.id).update(alerted_at=_now())


@app.periodic(cron="*/15 * * * *")
@app.task(queueing_lock="stores.poll_all")
def poll_all(timestamp: int) -> None:
    polling.wake_all(now=datetime.fromtimestamp(timestamp, UTC))


# Where a job ended by a defect, or together with the database.
@app.periodic(cron="* * * * *")
@app.task(queueing_lock="stores.wake_sleepers")
def wake_sleeping_stores(timestamp: int) -> None:
    lanes.wake_sleepers(now=datetime.fromtimestamp(timestamp, UTC))


@app.periodic(cron="47 4 * * *")
@app.task(queueing_lock="stores.forget_old")
def forget_old_deliveries(timestamp: int) -> None:
    forgetting.forget_old(now=datetime.fromtimestamp(timestamp, UTC))


def _now() -> datetime:
    return datetime.now(UTC)
