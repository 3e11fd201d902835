import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from kalas import tasks
from kalas.lib import lanes

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=1)


def wake(*, at: datetime = NOW, lane: str = "a") -> None:
    lanes.wake(lane, task="kalas.none", args={"number": 1}, queue="none", at=at)


@pytest.mark.django_db
def test_a_lane_has_one_job_that_comes_as_early_as_anybody_wants():
    for at in (LATER, NOW, LATER):
        wake(at=at)
    wake(lane="b")

    (job,) = ProcrastinateJob.objects.filter(lock="a")
    assert (job.scheduled_at, job.args, job.queue_name) == (NOW, {"number": 1}, "none")
    assert ProcrastinateJob.objects.count() == 2


@pytest.mark.django_db
def test_a_lane_that_runs_is_queued_once_more():
    wake()
    _set_status("doing")

    wake()
    wake()

    assert sorted(job.status for job in ProcrastinateJob.objects.all()) == ["doing", "todo"]


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_wakes_nobody():
    with transaction.atomic():
        wake()
        transaction.set_rollback(True)

    assert not ProcrastinateJob.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_lane_goes_on_after_the_death_of_its_worker():
    """Its job can't be queued again beside the one that waits for its end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')"
            " RETURNING id"
        )
        (worker,) = cursor.fetchone()
    wake()
    _set_status("doing", worker=worker)
    wake()

    asyncio.run(_requeue())

    assert [job.status for job in ProcrastinateJob.objects.all()] == ["todo"]


def _set_status(status: str, *, worker: int | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = %s, worker_id = %s", [status, worker]
        )


async def _requeue() -> None:
    jobs_app = app.with_connector(app.connector.get_worker_connector())  # type: ignore[attr-defined]
    async with jobs_app.open_async():
        await tasks.requeue_stalled_jobs(jobs_app=jobs_app, now=NOW)
