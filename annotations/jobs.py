"""Jobs are deferred here by name, so that services need not know the tasks that call them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from procrastinate.contrib.django import app

from annotations.models import Annotation
from kalas.lib.lanes import wake

ANNOTATE_TASK = "annotations.annotate"
FETCH_TASK = "annotations.fetch_batches"
# A queue of its own, so that hosts that take their time hold up no annotation, and as many of its
# workers as one shop keeps busy.
FETCH_QUEUE = "batches"
LANES = 2


def defer_annotation(annotation: Annotation, *, at: datetime | None = None) -> None:
    """Defer the annotation's one job in the running transaction; `at` for one that can wait."""
    task = app.configure_task(
        ANNOTATE_TASK,
        allow_unknown=False,
        priority=int(annotation.priority),
        schedule_at=at,
        queueing_lock=_name(annotation.id),
    )
    task.defer(annotation_id=str(annotation.id))


def hurry(annotation_id: UUID) -> bool:
    """Let the annotation's job run now; False where none is queued: it runs, or there is none."""
    return _schedule("scheduled_at = now()", {"lock": _name(annotation_id)})


def take_turn(annotation_id: UUID, *, until: datetime) -> bool:
    """Do the job's work in its place: it comes at `until` for what fails here.

    False where it runs, or somebody else has taken its turn.
    """
    return _schedule(
        "scheduled_at = %(until)s",
        {"lock": _name(annotation_id), "until": until},
        "AND coalesce(scheduled_at, now()) <= now()",
    )


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
