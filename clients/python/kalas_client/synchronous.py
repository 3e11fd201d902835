import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from kalas_client import calls, requests
from kalas_client.calls import Call, Outcome, Pause, Step
from kalas_client.models import Annotation
from kalas_client.requests import Ask

P = ParamSpec("P")
T = TypeVar("T")


def _wait(call: Callable[P, Call[T]]) -> Callable[Concatenate["Kalas", P], T]:
    """The method that runs this call and waits for what it returns."""

    def method(self: "Kalas", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(call(*args, **kwargs))

    calls.describe(method, call)
    return method


class Kalas:
    """One shop of a Kalas installation, as one API key sees it.

    Every method raises Problem for what the API refuses, and Unreachable.
    """

    def __init__(
        self, address: str, key: str, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._http = httpx.Client(**requests.connect(address, key), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    annotate = _wait(calls.annotate)
    get_annotation = _wait(calls.get_annotation)
    wait_for = _wait(calls.wait_for)
    review = _wait(calls.review)
    delete_annotation = _wait(calls.delete_annotation)
    get_overlay = _wait(calls.get_overlay)
    create_batch = _wait(calls.create_batch)
    get_batch = _wait(calls.get_batch)
    get_taxonomy = _wait(calls.get_taxonomy)
    get_usage = _wait(calls.get_usage)

    def list_annotations(self, **filters: Any) -> Iterator[Annotation]:
        """All that match, newest first. Filters: `state`, `needs_review`, `category`, `attribute`,
        `colour`, `object`, `product`, `since`, `until`, as documented.
        """
        ask: Ask | None = requests.list_annotations(filters)
        while ask is not None:
            found, ask = self._run(calls.read_page(ask))
            yield from found

    def _run(self, call: Call[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = call.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = self._take(step)

    def _take(self, step: Step) -> Outcome:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return self._http.request(step.method, step.path, **step.options)
        except httpx.TransportError as error:
            return error
