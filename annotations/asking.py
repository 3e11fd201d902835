"""The engine's answer for who waits for it: asked while the photo is still being stored.

The engine gets it as soon as there are the bytes that will be stored; files and rows are made while
it computes.
"""

import time
from types import TracebackType
from typing import Protocol, Self, cast

from django.conf import settings

from inference import client
from inference.contract import AnnotationResult, Box, ObjectType


def ask(
    photo: bytes, *, crop: Box | None, hint: str, timeout_s: float, family: str
) -> AnnotationResult:
    """Of the shop's family of models. Raises as `client.Client.annotate`."""
    return _send(photo, crop=crop, hint=hint, timeout_s=timeout_s, family=family).read()


class Asked(Protocol):
    def read_answer(self) -> AnnotationResult:
        """Raises as `ask`."""


class Question:
    """Asked once, or never. As a context it is dropped at the end, unless somebody keeps it."""

    def __init__(self, *, crop: Box | None, hint: str, timeout_s: float, family: str) -> None:
        self._family = family
        self._crop, self._hint, self._timeout_s = crop, hint, timeout_s
        self._sent: client.SentPhoto | client.Unavailable | None = None
        self._is_kept = False
        self.asked_at = time.monotonic()

    def ask(self, photo: bytes) -> None:
        """Returns when the engine has the photo. Where it is away, `read_answer` tells: the photo
        is stored first."""
        self.asked_at = time.monotonic()
        try:
            self._sent = _send(
                photo,
                crop=self._crop,
                hint=self._hint,
                timeout_s=self._timeout_s,
                family=self._family,
            )
        except client.Unavailable as error:
            self._sent = error

    def keep(self) -> Self | None:
        """None where it was never asked."""
        self._is_kept = True
        return self if self._sent else None

    def read_answer(self) -> AnnotationResult:
        """Raises as `ask`."""
        assert self._sent  # noqa: S101 - nobody gets one that was not asked
        if isinstance(self._sent, client.Unavailable):
            raise self._sent
        return self._sent.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if isinstance(self._sent, client.SentPhoto) and not self._is_kept:
            self._sent.drop()


def _send(
    photo: bytes, *, crop: Box | None, hint: str, timeout_s: float, family: str
) -> client.SentPhoto:
    return client.Client(settings.INFERENCE_URL, model=family).send_photo(
        photo,
        crop=crop,
        hint=cast(ObjectType, hint) if hint else None,
        timeout=timeout_s,
    )
