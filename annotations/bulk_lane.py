"""The photos of a shop that came in bulk: one job asks the engine for several and stores the
answers that are there together.

The rows of the waiting annotations are the queue: whatever dies, they wait on, and the lane's next
job finds them (see `kalas.lib.lanes`). An answer waits a moment for others that the engine is asked
for already, the only one for none. What does not go well in a group goes by itself, by way of the
job that every other photo has.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from annotations import asking, files, jobs, recording
from annotations.models import Annotation
from annotations.recording import Answer
from inference.contract import AnnotationResult
from kalas.lib.shared_connections.base import lend_connection
from kalas.lib.tenant_rows import only_rows_of

logger = logging.getLogger(__name__)

# Of all shops at once, as many as the engine takes in one batch: a page's photo waits behind them.
ASKED_AT_ONCE = 8
# Of one shop, so that the engine has its next photos while answers are gathered and stored.
HELD = 16
STORED_AT_ONCE = 8
# For the others to come, where the engine is slow.
LONGEST_WAIT_S = 2.0
# After it the other shops have their turn.
TURN_S = 10.0
_AWAY_FOR = timedelta(seconds=5)
_asking = ThreadPoolExecutor(ASKED_AT_ONCE, "ask-bulk")
# Those with a job of their own, done or running, are its business.
_NEXT = """
SELECT a.id FROM annotations_annotation AS a
WHERE a.tenant_id = %(tenant)s AND a.state = 'pending' AND a.priority = %(priority)s
    AND a.awaited_until IS NULL AND a.faults = 0 AND a.id <> ALL(%(held)s)
    AND NOT EXISTS (SELECT FROM procrastinate_jobs AS job
        WHERE job.queueing_lock = 'annotate.' || a.id AND job.status = 'todo')
    AND NOT EXISTS (SELECT FROM procrastinate_jobs AS job
        WHERE job.queueing_lock = 'annotate.' || a.id AND job.status = 'doing'
            AND job.worker_id IS NOT NULL)
ORDER BY a.created_at, a.id LIMIT %(number)s
"""


class Pause(Exception):
    """The engine, or another part of the house, takes no more for now."""

    def __init__(self, duration: timedelta = _AWAY_FOR) -> None:
        super().__init__(f"Later, in {duration}.")
        self.duration = duration


@dataclass(frozen=True, slots=True)
class Asked:
    """A photo that the engine was asked for."""

    annotation: Annotation
    future: Future[AnnotationResult]

    def read_answer(self) -> AnnotationResult:
        """Raises as `files.read_photo` and `asking.ask`."""
        return self.future.result()


Settle = Callable[[Asked], None]
"""Stores an answer by itself, whatever it is. Raises Pause."""


def work_off(*, tenant_id: UUID, settle: Settle) -> None:
    """Annotate what waits in the shop's lane; its job comes again for the rest.

    Reads the clock itself: the engine takes its time.
    """
    pause: timedelta | None = None
    with only_rows_of(tenant_id):
        try:
            _take_turn(tenant_id, settle)
        except Pause as error:
            pause = error.duration
        if _list_next(tenant_id, held=(), number=1):
            jobs.wake_shop(tenant_id, at=timezone.now() + (pause or timedelta()))


def _take_turn(tenant_id: UUID, settle: Settle) -> None:
    end = time.monotonic() + TURN_S
    asked: dict[Future[AnnotationResult], Asked] = {}
    try:
        while True:
            if time.monotonic() < end and len(asked) <= HELD - STORED_AT_ONCE:
                held = [each.annotation.id for each in asked.values()]
                for annotation in _read_next(tenant_id, held=held, number=HELD - len(asked)):
                    future = _asking.submit(_ask, annotation)
                    asked[future] = Asked(annotation, future)
            if not asked:
                return
            lend_connection()
            _store([asked.pop(future) for future in _gather(asked)], settle)
    finally:
        # After a pause: what the engine was not asked yet waits on, what it was is not waited for.
        for future in asked:
            future.cancel()


def _gather(asked: Collection[Future[AnnotationResult]]) -> list[Future[AnnotationResult]]:
    """Those that are answered, when they are enough, or all, or the first one has waited enough."""
    wait(asked, return_when=FIRST_COMPLETED)
    end = time.monotonic() + LONGEST_WAIT_S
    while True:
        done = [future for future in asked if future.done()]
        left_s = end - time.monotonic()
        if len(done) >= min(STORED_AT_ONCE, len(asked)) or left_s <= 0:
            return done
        others = [future for future in asked if not future.done()]
        wait(others, timeout=left_s, return_when=FIRST_COMPLETED)


def _ask(annotation: Annotation) -> AnnotationResult:
    """In a thread without a connection to the database."""
    return asking.ask(
        files.read_photo(annotation.image),
        crop=annotation.crop_box,
        hint=annotation.hint,
        timeout_s=settings.INFERENCE_TIMEOUT_S,
        family=annotation.tenant.model_family,
    )


def _store(done: Sequence[Asked], settle: Settle) -> None:
    good = [each for each in done if each.future.exception() is None]
    alone = [each for each in done if each.future.exception() is not None]
    try:
        answers = [Answer(each.annotation, each.read_answer()) for each in good]
        if answers:
            recording.record_results(answers=answers, now=timezone.now())
    except (OperationalError, InterfaceError) as error:
        if not connection.is_usable():
            raise Pause from error
        alone = [*good, *alone]  # a deadlock, for instance
    except Exception:
        logger.exception("%d answers could not be stored together", len(good))
        alone = [*good, *alone]
    pause: Pause | None = None
    for each in alone:
        try:
            settle(each)
        except Pause as error:
            pause = error
    if pause is not None:
        raise pause


def _read_next(tenant_id: UUID, *, held: Sequence[UUID], number: int) -> Sequence[Annotation]:
    ids = _list_next(tenant_id, held=held, number=number)
    if not ids:
        return []
    waiting = Annotation.objects.pending().filter(id__in=ids)
    return list(
        waiting.select_related("image", "tenant", "requested_by").order_by("created_at", "id")
    )


def _list_next(tenant_id: UUID, *, held: Sequence[UUID], number: int) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            _NEXT,
            {
                "tenant": tenant_id,
                "priority": int(Annotation.Priority.BULK),
                "held": list(held),
                "number": number,
            },
        )
        return [id_ for (id_,) in cursor.fetchall()]
