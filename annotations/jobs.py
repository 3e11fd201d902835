"""Jobs are deferred here by name, so that services need not know the tasks that call them."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from annotations.models import Annotation
from kalas.lib.lanes import wake

ANNOTATE_TASK = "annotations.annotate"
TRAIN_TASK = "annotations.train_head"
REVIEW_TASK = "annotations.review_many"
AGAIN_TASK = "annotations.annotate_shop_again"
FETCH_TASK = "annotations.fetch_batches"
# A queue of its own, so that hosts that take their time hold up no annotation, and as many of its
# workers as one shop keeps busy.
FETCH_QUEUE = "batches"
LANES = 2
# Taken up by one sweep, which comes every minute.
MOST_AT_ONCE = 1000
_DEFER_ALL = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args)
SELECT %(queue)s, %(task)s, %(priority)s, lock, jsonb_build_object('annotation_id', id)
FROM unnest(%(locks)s::text[], %(ids)s::text[]) AS new (lock, id)
"""


def defer_annotation(annotation: Annotation) -> None:
    """Defer the annotation's one job in the running transaction."""
    task = app.configure_task(
        ANNOTATE_TASK,
        allow_unknown=False,
        priority=int(annotation.priority),
        queueing_lock=_name(annotation.id),
    )
    task.defer(annotation_id=str(annotation.id))


def defer_annotations(annotations: Sequence[Annotation], *, priority: int) -> None:
    """As `defer_annotation` for many new ones, in one query and without waking a worker for each.

    Procrastinate's own deferring of many gives all of them one name.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _DEFER_ALL,
            {
                "queue": app.tasks[ANNOTATE_TASK].queue,
                "task": ANNOTATE_TASK,
                "priority": int(priority),
                "locks": [_name(each.id) for each in annotations],
                "ids": [str(each.id) for each in annotations],
            },
        )


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
    ) or bool(waiting.update(awaited_until=until))


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
            lock=f"again.{tenant_id}",
            queueing_lock=f"again.{tenant_id}",
        ).defer(tenant_id=str(tenant_id), user_id=user_id)
