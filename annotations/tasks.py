"""The job of one annotation: from the stored photo through the engine to the stored result.

It may run any number of times, also at the same moment: `record_result` lets one of them win.
"""

import logging
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.contrib.django import app
from procrastinate.jobs import Job

from accounts.models import User
from annotations import (
    asking,
    batches,
    bulk_lane,
    fetching,
    files,
    jobs,
    recording,
    shop_models,
)
from annotations.models import Annotation
from annotations.reviewing import bulk, training
from inference import client
from inference.contract import InvalidImage
from kalas.lib.shared_connections.base import lend_connection

logger = logging.getLogger(__name__)

# A photo that the engine did not survive so often is taken for the cause.
MOST_FAULTS = 5
LONGEST_WAIT_S = 15.0
LONGEST_WAIT_BULK_S = 60.0
AWAY = (client.Unavailable, DatabaseError, files.StorageAway)


class RetryForAsLongAsItTakes(BaseRetryStrategy):
    """A waiting photo is never given up because a part of the house is away."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, client.Overloaded):
            wait_s = exception.retry_after
        elif isinstance(exception, AWAY):
            longest = LONGEST_WAIT_S if job.priority > 0 else LONGEST_WAIT_BULK_S
            wait_s = min(2.0 ** min(job.attempts, 10), longest)
        else:
            return None
        # Spread, so that what failed together does not come back together.
        return RetryDecision(retry_in={"milliseconds": int(wait_s * random.uniform(500, 1000))})  # noqa: S311


@app.task(name=jobs.ANNOTATE_TASK, retry=RetryForAsLongAsItTakes())
def annotate(*, annotation_id: str) -> None:
    run_annotation(annotation_id=UUID(annotation_id))


@app.task(name=jobs.SHOP_TASK, queue=jobs.BULK_QUEUE, retry=RetryForAsLongAsItTakes())
def annotate_shop(*, tenant_id: str) -> None:
    bulk_lane.work_off(tenant_id=UUID(tenant_id), settle=settle)


@app.task(name=jobs.TRAIN_TASK)
def train_head(*, head_id: str) -> None:
    """A killed one is run again from its beginning, which takes seconds."""
    training.run_training(head_id=UUID(head_id))


@app.task(name=jobs.REVIEW_TASK, retry=RetryForAsLongAsItTakes())
def review_many(*, job_id: str) -> None:
    """A killed one goes on where it was."""
    bulk.run_job(job_id=UUID(job_id))


@app.task(name=jobs.AGAIN_TASK, queue=jobs.BULK_QUEUE)
def annotate_shop_again(*, tenant_id: str, user_id: int) -> None:
    user = User.objects.filter(id=user_id).first()
    if user and shop_models.ask_part_again(
        tenant_id=UUID(tenant_id), by=user, now=datetime.now(UTC)
    ):
        jobs.defer_shop_again(UUID(tenant_id), user_id)


@app.periodic(cron="41 * * * *")
@app.task(queueing_lock="annotations.sweep_orphans")
def sweep_orphans(timestamp: int) -> None:
    """Remove files that a crash left without a row."""
    removed = files.sweep_orphans(now=datetime.fromtimestamp(timestamp, UTC))
    if removed:
        logger.warning("%d files without a row were removed", removed)


# Where this itself fails, `sweep_batches` wakes the lane again.
@app.task(name=jobs.FETCH_TASK, queue=jobs.FETCH_QUEUE)
def fetch_batches(*, tenant_id: str, lane: int) -> None:
    fetching.fetch_due(tenant_id=UUID(tenant_id), lane=lane)


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="annotations.sweep_batches")
def sweep_batches(timestamp: int) -> None:
    batches.sweep(now=datetime.fromtimestamp(timestamp, UTC))


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="annotations.sweep_awaited")
def sweep_awaited(timestamp: int) -> None:
    """Whoever waited for these asked the engine itself, and died."""
    jobs.take_up(now=datetime.fromtimestamp(timestamp, UTC))


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="annotations.sweep_shops")
def sweep_shops(timestamp: int) -> None:
    """Go on with what came in bulk, where a lane's job ended by a defect."""
    jobs.wake_shops(now=datetime.fromtimestamp(timestamp, UTC))


def run_annotation(*, annotation_id: UUID) -> None:
    """Annotate one waiting photo; raises client.Overloaded or one of AWAY to run again.

    Reads the clock itself, as the engine's answer takes time.
    """
    annotation = (
        Annotation.objects.pending()
        .select_related("image", "tenant", "requested_by")
        .filter(id=annotation_id)
        .first()
    )
    if annotation is None:  # answered by another run, or deleted
        return
    _annotate_or_give_up(annotation, question=None)


def settle(asked: bulk_lane.Asked) -> None:
    """One answer of those that were asked for together, whatever it is; raises bulk_lane.Pause."""
    timeout_s = settings.INFERENCE_TIMEOUT_S
    try:
        _annotate_or_give_up(asked.annotation, question=asked)
    except client.Overloaded as error:
        raise bulk_lane.Pause(timedelta(seconds=error.retry_after)) from error
    except client.Unavailable as error:
        if not _may_be_to_blame(error, timeout_s=timeout_s):
            raise bulk_lane.Pause from error
        # By itself from now on: of several one may break the engine.
        jobs.hurry(asked.annotation)
    except DatabaseError as error:
        if not connection.is_usable():
            raise bulk_lane.Pause from error
        # The database refuses this answer, or did so at this moment; the others need not wait.
        logger.exception("The answer for %s could not be stored", asked.annotation.id)
        jobs.hurry(asked.annotation)
    except files.StorageAway as error:
        raise bulk_lane.Pause from error
    except Exception:
        # A defect. Counted, so that the lane leaves it to its own job.
        logger.exception("The answer for %s could not be stored", asked.annotation.id)
        recording.record_fault(annotation=asked.annotation)
        jobs.hurry(asked.annotation)


def _annotate_or_give_up(annotation: Annotation, *, question: asking.Asked | None) -> None:
    user = annotation.requested_by
    with translation.override((user.language if user else "") or settings.LANGUAGE_CODE):
        try:
            annotate_now(
                annotation=annotation, question=question, timeout_s=settings.INFERENCE_TIMEOUT_S
            )
        except (client.Overloaded, *AWAY):
            raise
        except Exception:
            # A defect: the job ends here, and its photo must not wait for it for ever.
            _give_up(annotation, _("Something broke on our side"))
            raise


def annotate_now(
    *, annotation: Annotation, timeout_s: float, question: asking.Asked | None = None
) -> bool:
    """Ask the engine and store what it says, or why there is nothing to store; False where
    somebody else has done so, or the photo was deleted.

    `question` is one that the engine was asked already. Raises client.Overloaded or one of AWAY for
    what may go well later; also where the engine takes longer than `timeout_s`.
    """
    try:
        return _record_answer(annotation, question=question, timeout_s=timeout_s)
    except client.Unavailable as error:
        if not _may_be_to_blame(error, timeout_s=timeout_s):
            raise
        if recording.record_fault(annotation=annotation) < MOST_FAULTS:
            raise
        logger.error("Giving up on %s, which the engine did not survive: %s", annotation.id, error)
        return _give_up(annotation, _("The engine broke on this photo several times."))


def _record_answer(
    annotation: Annotation, *, question: asking.Asked | None, timeout_s: float
) -> bool:
    try:
        lend_connection()
        if question is not None:
            result = question.read_answer()
        else:
            photo = files.read_photo(annotation.image)
            crop, hint = annotation.crop_box, annotation.hint
            family = annotation.tenant.model_family
            result = asking.ask(photo, crop=crop, hint=hint, timeout_s=timeout_s, family=family)
    except FileNotFoundError:
        return _give_up(
            annotation, _("The photo's file is missing. Delete the photo and upload it again.")
        )
    except InvalidImage as error:
        return _give_up(annotation, error.detail)
    except ValueError as error:
        return _give_up(annotation, _("The engine can't take this photo: %s") % error)
    return recording.record_result(annotation=annotation, result=result, now=datetime.now(UTC))


def _give_up(annotation: Annotation, reason: str) -> bool:
    return recording.record_failure(annotation=annotation, reason=reason, now=datetime.now(UTC))


def _may_be_to_blame(error: client.Unavailable, *, timeout_s: float) -> bool:
    """Whether the engine may have broken because of the photo: it was there when it was sent, and
    had the time that it may take."""
    if isinstance(error, client.Late) and timeout_s < settings.INFERENCE_TIMEOUT_S:
        return False
    return not isinstance(error, client.NotReached)
