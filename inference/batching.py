"""Collects single requests into batches for a fixed number of workers.

Everything but the work itself happens on the event loop's thread, so that there is no lock: a
batch leaves when it is full or when its oldest item is due, and only while a worker is free.
Nothing polls; one timer stands for the oldest item.
"""

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class QueueFull(Exception):
    """No place is left in the queue."""


class Closed(Exception):
    """Nothing more is taken: the batcher drains, or a worker crashed."""


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """What the batcher needs of an event loop."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None], /) -> Timer: ...


class Batcher(Generic[Item, Answer]):
    """Calls `run` with at most `max_batch` items, on at most `workers` batches at a time.

    `run` answers in order, one answer an item; an answer that is an Exception is raised to the
    item's waiter. `run` itself raises only when its worker is beyond use: the batch and all that
    wait fail with Closed, and `on_crash` is told, once a batch.

    A `window` of 0 seconds is greedy: what waits leaves as soon as a worker is free.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        max_batch: int,
        window: float,
        capacity: int,
        workers: int,
        clock: Clock,
        on_crash: Callable[[Exception], None],
    ) -> None:
        self.capacity = capacity
        self._run = run
        self._max_batch = max_batch
        self._window = window
        self._free = workers
        self._clock = clock
        self._on_crash = on_crash
        self._closed = False
        self._waiting: dict[Future[Answer], tuple[Item, float]] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._timer: Timer | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def submit(self, item: Item) -> Answer:
        """Raises QueueFull, Closed, or the Exception that `run` gave as this item's answer."""
        if self._closed:
            raise Closed
        if len(self._waiting) >= self.capacity:
            raise QueueFull
        answer: Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[answer] = (item, self._clock.time() + self._window)
        self._dispatch()
        try:
            return await answer
        finally:
            # A waiter that gave up leaves its place; an answered one left it before.
            self._waiting.pop(answer, None)

    def close(self) -> None:
        """Take nothing more; what waits leaves without waiting for its window."""
        self._closed = True
        self._dispatch()

    def _dispatch(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._waiting and self._free:
            _, due = next(iter(self._waiting.values()))
            full = len(self._waiting) >= self._max_batch
            if not (full or self._closed or self._clock.time() >= due):
                self._timer = self._clock.call_at(due, self._dispatch)
                return
            futures = list(islice(self._waiting, self._max_batch))
            batch = {future: self._waiting.pop(future)[0] for future in futures}
            self._free -= 1
            task = asyncio.ensure_future(self._work(batch))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def _work(self, batch: dict[Future[Answer], Item]) -> None:
        try:
            answers = await self._run(list(batch.values()))
            if len(answers) != len(batch):
                raise ValueError(f"{len(answers)} answers to {len(batch)} items")
        except Exception as error:  # noqa: BLE001 the worker loop: whatever it is, nobody may hang
            self._crash(error, batch)
            return
        finally:
            self._free += 1
        for future, answer in zip(batch, answers, strict=True):
            if future.done():
                continue  # its waiter gave up while the batch ran
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        self._dispatch()

    def _crash(self, error: Exception, batch: dict[Future[Answer], Item]) -> None:
        self._closed = True
        for future in (*batch, *self._waiting):
            if not future.done():
                future.set_exception(Closed())
        self._waiting.clear()
        self._on_crash(error)
