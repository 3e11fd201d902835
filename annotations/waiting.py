"""Waiting for an annotation, by doing its job at once."""

import time
from datetime import timedelta

from django.utils import timezone

from annotations import jobs, orders, tasks
from annotations.models import Annotation
from inference import client
from kalas.lib.shared_connections.base import lend_connection

# How often somebody looks whose annotation another one works on.
LOOK_EVERY_S = 0.2


class EngineBusy(Exception):
    """The annotation stays in line; asking again later costs nothing more."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"The engine is busy; try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


def wait_for(*, order: orders.Order, wait_s: float) -> bool:
    """Ask the engine at once, and give up waiting after `wait_s`; whether the order's annotation
    has its result with it then, as if it were read anew.

    Raises EngineBusy, and Annotation.DoesNotExist where it was deleted meanwhile.
    """
    now = timezone.now()
    until = now + timedelta(seconds=wait_s) + orders.JOB_MARGIN
    if order.is_new or jobs.take_turn(order.annotation.id, until=until, now=now):
        return _ask_engine(order, wait_s)
    _watch(order.annotation, wait_s)
    return False


def _ask_engine(order: orders.Order, wait_s: float) -> bool:
    annotation, question = order.annotation, order.question
    started = question.asked_at if question else time.monotonic()
    try:
        return tasks.annotate_now(annotation=annotation, question=question, timeout_s=wait_s)
    except client.Overloaded as error:
        jobs.hurry(annotation)
        raise EngineBusy(max(1, round(error.retry_after))) from error
    except tasks.AWAY as error:
        jobs.hurry(annotation)
        if time.monotonic() - started >= wait_s:
            return False  # the engine works on it, only slowly
        raise EngineBusy(2) from error


def _watch(annotation: Annotation, wait_s: float) -> None:
    """While its job, or somebody else who waits, asks the engine."""
    end = time.monotonic() + wait_s
    while annotation.is_pending and (left_s := end - time.monotonic()) > 0:
        lend_connection()
        time.sleep(min(LOOK_EVERY_S, left_s))
        annotation.refresh_from_db(fields=["state"])
