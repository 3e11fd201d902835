"""Jobs are deferred here by name, so that services need not know the tasks that call them."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued

from annotations.models import Annotation
from kalas.lib.lanes import wake

ANNOTATE_TASK = "annotations.annotate"
SHOP_TASK = "annotations.annotate_shop"
TRAIN_TASK = "annotations.train_head"
REVIEW_TASK = "annotations.review_many"
AGAIN_TASK = "annotations.annotate_shop_again"
FETCH_TASK = "annotations.fetch_batches"
# A queue of its own, so that hosts that take their time hold up no annotation, and as many of its
# workers as one shop keeps busy.
FETCH_QUEUE = "batches"
LANES = 2
# So is this: however many shops have work for hours, what people wait for finds a place.
BULK_QUEUE = "bulk"
# Taken up by one sweep, which comes every minute.
MOST_AT_ONCE = 1000


def defer_annotation(annotation: Annotation) -> None:
    """Defer the annotation's one job in the running transaction."""
    task = app.configure_task(
        ANNOTATE_TASK,
        allow_unknown=False,
        priority=int(annotation.priority),
        queueing_lock=_name(annotation.id),
    )
    task.defer(annotation_id=str(annotation.id))


def wake_shop(tenant_id: UUID, *, at: datetime) -> None:
    """Annotate what waits in bulk without a job of its own, at `at` at the latest.

    Last in a transaction: others that wake the lane wait until its commit.
    """
    wake(
        f"annotate.{tenant_id}",
        task=SHOP_TASK,
        args={"tenant_id": str(tenant_id)},
        queue=BULK_QUEUE,
        at=at,
    )


def wake_shops(*, now: datetime) -> None:
    """The lanes of all shops where anything waits, whatever became of their jobs."""
    waiting = Annotation.objects.pending().filter(
        priority=Annotation.Priority.BULK, awaited_until=None
    )
    for tenant_id in sorted(set(waiting.values_list("tenant_id", flat=True))):
        wake_shop(tenant_id, at=now)


@transaction.atomic
def hurry(annotation: Annotation) -> None:
    """Let the annotation's job run now, if it does not run already; it gets one if it has none.

    Nobody waits for it any more who asks the engine: whoever comes back meanwhile finds the job,
    and its turn is not taken while it runs.
    """
    Annotation.objects.filter(id=annotation.id).exclude(awaited_until=None).update(
        awaited_until=None
    )
    _run_now(annotation)


def _run_now(annotation: Annotation) -> None:
    if _schedule("scheduled_at = now()", {"lock": _name(annotation.id)}):
        return
    # Somebody else may queue it at this moment, which is as good.
    with suppress(AlreadyEnqueued), transaction.atomic():
        defer_annotation(annotation)


def take_turn(annotation_id: UUID, *, until: datetime, now: datetime) -> bool:
    """Do the job's work in its place: it comes at `until` for what fails here.

    False where it runs, or somebody else has taken its turn.
    """
    waiting = Annotation.objects.pending().filter(id=annotation_id, awaited_until__lte=now)
    return _schedule(
        "scheduled_at = %(until)s",
        {"lock": _name(annotation_id), "until": until},
        "AND coalesce(scheduled_at, now()) <= now()",
    ) or bool(waiting.update(awaited_until=until) or _take_from_lane(annotation_id, until=until))


def _take_from_lane(annotation_id: UUID, *, until: datetime) -> int:
    """What came in bulk has no job, and no turn of its own."""
    own = ProcrastinateJob.objects.filter(
        queueing_lock=_name(annotation_id), status__in=["todo", "doing"]
    )
    if own.exists():
        return 0
    in_lane = Annotation.objects.pending().filter(
        id=annotation_id, priority=Annotation.Priority.BULK, awaited_until=None
    )
    return in_lane.update(awaited_until=until)


def take_up(*, now: datetime) -> int:
    """Give jobs to annotations that nobody waits for any more; return how many it were.

    Those whose process died, the longest ago first; what one call leaves is for the next.
    """
    left = Annotation.objects.pending().filter(awaited_until__lte=now).order_by("awaited_until")
    return sum(_take_up(annotation, now=now) for annotation in left[:MOST_AT_ONCE])


@transaction.atomic
def _take_up(annotation: Annotation, *, now: datetime) -> bool:
    """False where somebody took its turn, or it was answered, since it was listed."""
    left = Annotation.objects.pending().filter(id=annotation.id, awaited_until__lte=now)
    if not left.update(awaited_until=None):
        return False
    _run_now(annotation)
    return True


def _schedule(change: str, values: dict[str, Any], condition: str = "") -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE procrastinate_jobs SET {change}"  # noqa: S608 - parts from above
            f" WHERE queueing_lock = %(lock)s AND status = 'todo' {condition}",
            values,
        )
        return bool(cursor.rowcount)


def _name(annotation_id: UUID) -> str:
    return f"annotate.{annotation_id}"


def wake_fetchers(tenant_id: UUID, *, at: datetime, lanes: Iterable[int] = range(LANES)) -> None:
    """Fetch what waits in the shop's batches, at `at` at the latest."""
    for lane in lanes:
        wake(
            f"batches.{tenant_id}.{lane}",
            task=FETCH_TASK,
            args={"tenant_id": str(tenant_id), "lane": lane},
            queue=FETCH_QUEUE,
            at=at,
        )


def defer_training(head_id: UUID) -> None:
    """In the running transaction; one at a time, so that annotations have the processor too."""
    task = app.configure_task(
        TRAIN_TASK, allow_unknown=False, priority=-10, lock="train_head", queueing_lock=str(head_id)
    )
    task.defer(head_id=str(head_id))


def defer_review_job(job_id: UUID) -> None:
    """In the running transaction; people look at its progress, but photos that wait go first."""
    task = app.configure_task(REVIEW_TASK, allow_unknown=False, queueing_lock=str(job_id))
    # One that begins anew may have its turn before it.
    with suppress(AlreadyEnqueued), transaction.atomic():
        task.defer(job_id=str(job_id))


def defer_shop_again(tenant_id: UUID, user_id: int) -> None:
    """The next part, if none is queued."""
    with suppress(AlreadyEnqueued), transaction.atomic():
        app.configure_task(
            AGAIN_TASK,
            allow_unknown=False,
            queue=BULK_QUEUE,
            lock=f"again.{tenant_id}",
            queueing_lock=f"again.{tenant_id}",
        ).defer(tenant_id=str(tenant_id), user_id=user_id)
