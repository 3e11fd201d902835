"""Transactions that wait for each other, or change what the other has read: PostgreSQL ends one
of them, which mostly does well when it is tried again."""

import logging
from collections.abc import Callable
from typing import TypeVar

from django.db import transaction
from psycopg.errors import DeadlockDetected, SerializationFailure

logger = logging.getLogger(__name__)
T = TypeVar("T")


def is_conflict(error: BaseException) -> bool:
    """Also where the library that asked, such as the queue's, raises an error of its own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DeadlockDetected | SerializationFailure):
            return True
        cause = cause.__cause__
    return False


def in_one_transaction(work: Callable[[], T], *, try_again: bool) -> T:
    """What `work` returns; where it may be called twice, it has no effect but in the database."""
    try:
        with transaction.atomic():
            return work()
    except Exception as error:
        if not (try_again and is_conflict(error)):
            raise
        logger.info("A transaction is tried again that another one was in the way of")
    with transaction.atomic():
        return work()
