"""What whoever sent a request need not wait for: done once the answer has been sent."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpResponse

logger = logging.getLogger(__name__)

Work = Callable[[], None]

_later: ContextVar[list[Work] | None] = ContextVar("kalas.after_answer", default=None)


def after_answer(work: Work) -> None:
    """At once where no request is being answered. A process that dies before has not done it."""
    later = _later.get()
    if later is None:
        work()
    else:
        later.append(work)


@contextmanager
def collect() -> Iterator[list[Work]]:
    """What is put off in the block, for `attach`; done at its end where the block raises."""
    later: list[Work] = []
    token = _later.set(later)
    try:
        yield later
    except BaseException:
        _do_all(later)
        raise
    finally:
        _later.reset(token)


def attach(later: list[Work], response: HttpResponse) -> None:
    if not later:
        return
    close = response.close

    def do_all_and_close() -> None:
        _do_all(later)
        close()  # which gives back what the work took, such as a connection to the database

    # Servers close a response when it has been sent.
    response.close = do_all_and_close  # type: ignore[method-assign]


def _do_all(later: list[Work]) -> None:
    for work in later:
        try:
            work()
        except Exception:
            logger.exception("What an answer did not wait for failed")
