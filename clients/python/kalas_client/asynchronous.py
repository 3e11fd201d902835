import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from kalas_client import calls, requests
from kalas_client.calls import Call, Outcome, Pause, Step
from kalas_client.models import Annotation
from kalas_client.requests import Ask

P = ParamSpec("P")
T = TypeVar("T")


def _await(
    call: Callable[P, Call[T]],
) -> Callable[Concatenate["AsyncKalas", P], Coroutine[Any, Any, T]]:
    """The method that runs this call; its result is to be awaited."""

    async def method(self: "AsyncKalas", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(call(*args, **kwargs))

    calls.describe(method, call)
    return method


class AsyncKalas:
    """One shop of a Kalas installation, as one API key sees it.

    Every method raises Problem for what the API refuses, and Unreachable.
    """

    def __init__(
        self, address: str, key: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._http = httpx.AsyncClient(**requests.connect(address, key), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    annotate = _await(calls.annotate)
    get_annotation = _await(calls.get_annotation)
    wait_for = _await(calls.wait_for)
    review = _await(calls.review)
    delete_annotation = _await(calls.delete_annotation)
    get_overlay = _await(calls.get_overlay)
    create_batch = _await(calls.create_batch)
    get_batch = _await(calls.get_batch)
    get_taxonomy = _await(calls.get_taxonomy)
    get_usage = _await(calls.get_usage)

    async def list_annotations(self, **filters: Any) -> AsyncIterator[Annotation]:
        """All that match, newest first. Filters: `state`, `needs_review`, `category`, `attribute`,
        `colour`, `object`, `product`, `since`, `until`, as documented.
        """
        ask: Ask | None = requests.list_annotations(filters)
        while ask is not None:
            found, ask = await self._run(calls.read_page(ask))
            for annotation in found:
                yield annotation

    async def _run(self, call: Call[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = call.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = await self._take(step)

    async def _take(self, step: Step) -> Outcome:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self._http.request(step.method, step.path, **step.options)
        except httpx.TransportError as error:
            return error
