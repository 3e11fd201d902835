"""The engine's answer for who waits for it: asked while the photo is still being stored.

It is asked in a thread of its own, as soon as there are the bytes that will be stored; thumbnail,
files and rows are made meanwhile.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from types import TracebackType
from typing import Protocol, Self, cast

from django.conf import settings

from inference import client
from inference.contract import AnnotationResult, Box, ObjectType

LONGEST_SENDING_S = 0.05
# As many as requests may wait at once; more wait for each other.
_threads = ThreadPoolExecutor(64, "ask-engine")


def ask(
    photo: bytes,
    *,
    crop: Box | None,
    hint: str,
    timeout_s: float,
    family: str,
    when_sent: Callable[[], object] | None = None,
) -> AnnotationResult:
    """Of the shop's family of models. Raises as `client.Client.annotate`."""
    return client.Client(settings.INFERENCE_URL, model=family).annotate(
        photo,
        crop=crop,
        hint=cast(ObjectType, hint) if hint else None,
        timeout=timeout_s,
        when_sent=when_sent,
    )


class Asked(Protocol):
    def read_answer(self) -> AnnotationResult:
        """Raises as `ask`."""


class Question:
    """Asked once, or never. As a context it is dropped at the end, unless somebody keeps it."""

    def __init__(self, *, crop: Box | None, hint: str, timeout_s: float, family: str) -> None:
        self._family = family
        self._crop, self._hint, self._timeout_s = crop, hint, timeout_s
        self._answer: Future[AnnotationResult] | None = None
        self._is_kept = False
        self.asked_at = time.monotonic()

    def ask(self, photo: bytes) -> None:
        """Returns when the engine has the photo, or soon after, so that it begins before whoever
        asks goes on: decoding would keep the thread that sends it from running."""
        self.asked_at, sent = time.monotonic(), Event()
        self._answer = _threads.submit(
            ask,
            photo,
            crop=self._crop,
            hint=self._hint,
            timeout_s=self._timeout_s,
            family=self._family,
            when_sent=sent.set,
        )
        self._answer.add_done_callback(lambda _: sent.set())
        sent.wait(LONGEST_SENDING_S)

    def keep(self) -> Self | None:
        """None where it was never asked."""
        self._is_kept = True
        return self if self._answer else None

    def read_answer(self) -> AnnotationResult:
        """Raises as `ask`."""
        assert self._answer  # noqa: S101 - nobody gets one that was not asked
        return self._answer.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._answer and not self._is_kept:
            self._answer.cancel()
