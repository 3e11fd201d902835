"""Jobs are deferred here by name, so that services need not know the tasks that call them."""

from collections.abc import Iterable
from datetime import datetime

from procrastinate.contrib.django import app
from procrastinate.types import JSONValue

from annotations.models import Annotation

ANNOTATE_TASK = "annotations.annotate"
FETCH_TASK = "annotations.fetch_batch_item"


def defer_annotation(annotation: Annotation, *, at: datetime | None = None) -> None:
    """Defer the annotation's job in the running transaction; `at` for one that can wait."""
    task = app.configure_task(
        ANNOTATE_TASK, allow_unknown=False, priority=int(annotation.priority), schedule_at=at
    )
    task.defer(annotation_id=str(annotation.id))


def defer_fetches(item_ids: Iterable[int]) -> None:
    """A job for each photo of a batch, in the running transaction, after everything else."""
    task = app.configure_task(
        FETCH_TASK, allow_unknown=False, priority=int(Annotation.Priority.BULK) - 1
    )
    arguments: list[dict[str, JSONValue]] = [{"item_id": item_id} for item_id in item_ids]
    if arguments:
        task.batch_defer(*arguments)
