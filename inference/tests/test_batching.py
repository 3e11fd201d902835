"""The batcher with ints, a fake clock and workers that answer when the test says so."""

import asyncio
from asyncio import Future
from collections.abc import Callable

import pytest

from inference.batching import Batcher, Closed, QueueFull


class FakeTimer:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when, self.callback, self.cancelled = when, callback, False

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[FakeTimer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None], /) -> FakeTimer:
        self.timers.append(FakeTimer(when, callback))
        return self.timers[-1]

    @property
    def pending(self) -> list[FakeTimer]:
        return [timer for timer in self.timers if not timer.cancelled]

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [timer for timer in self.pending if timer.when <= self.now]
        for timer in due:
            timer.cancelled = True
            timer.callback()


class Bench:
    """A batcher whose batches are recorded and answered by hand, item → item * 10."""

    def __init__(self, *, max_batch=4, window=0.0, capacity=8, workers=1) -> None:
        self.clock = FakeClock()
        self.batches: list[list[int]] = []
        self.open: list[Future[None]] = []
        self.crashes: list[Exception] = []
        self.batcher: Batcher[int, int] = Batcher(
            self._run,
            max_batch=max_batch,
            window=window,
            capacity=capacity,
            workers=workers,
            clock=self.clock,
            on_crash=self.crashes.append,
        )

    async def _run(self, items: list[int]) -> list[int | Exception]:
        self.batches.append(items)
        self.open.append(asyncio.get_running_loop().create_future())
        await self.open[-1]
        return [ValueError(item) if item < 0 else item * 10 for item in items]

    async def submit(self, *items: int) -> list["asyncio.Task[int]"]:
        tasks = [asyncio.ensure_future(self.batcher.submit(item)) for item in items]
        await settle()
        return tasks

    async def finish(self, index: int, error: Exception | None = None) -> None:
        if error:
            self.open[index].set_exception(error)
        else:
            self.open[index].set_result(None)
        await settle()


async def settle() -> None:
    """Let everything run that can run now."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_sends_one_item_at_once_when_greedy():
    bench = Bench()

    [task] = await bench.submit(1)
    assert bench.batches == [[1]]
    await bench.finish(0)

    assert await task == 10
    assert bench.clock.timers == []


async def test_batches_what_waited_for_the_worker():
    bench = Bench(max_batch=3)

    tasks = await bench.submit(1, 2, 3, 4, 5)
    assert bench.batches == [[1]]
    await bench.finish(0)
    assert bench.batches == [[1], [2, 3, 4]]
    await bench.finish(1)
    await bench.finish(2)

    assert bench.batches == [[1], [2, 3, 4], [5]]
    assert await asyncio.gather(*tasks) == [10, 20, 30, 40, 50]


async def test_feeds_every_worker():
    bench = Bench(workers=2)

    tasks = await bench.submit(1, 2, 3, 4)
    assert bench.batches == [[1], [2]]
    await bench.finish(1)
    await bench.finish(0)
    await bench.finish(2)

    assert bench.batches == [[1], [2], [3, 4]]
    assert await asyncio.gather(*tasks) == [10, 20, 30, 40]


async def test_waits_for_the_window_with_one_timer():
    bench = Bench(window=0.002)

    await bench.submit(1)
    bench.clock.advance(0.001)
    await bench.submit(2)
    assert bench.batches == []
    assert [timer.when for timer in bench.clock.pending] == [100.002]
    bench.clock.advance(0.001)
    await settle()

    assert bench.batches == [[1, 2]]
    assert bench.clock.pending == []


async def test_sends_a_full_batch_before_the_window_ends():
    bench = Bench(window=0.002, max_batch=2)

    await bench.submit(1, 2)

    assert bench.batches == [[1, 2]]
    assert bench.clock.pending == []


async def test_sends_overdue_items_when_a_worker_becomes_free():
    bench = Bench(window=0.002, max_batch=2)
    await bench.submit(1, 2, 3)

    bench.clock.advance(0.002)
    await settle()
    assert bench.batches == [[1, 2]]
    await bench.finish(0)

    assert bench.batches == [[1, 2], [3]]


async def test_refuses_what_has_no_place():
    bench = Bench(capacity=2)
    await bench.submit(1, 2, 3)

    with pytest.raises(QueueFull):
        await bench.batcher.submit(4)

    assert bench.batcher.waiting == 2


async def test_raises_the_answer_of_one_bad_item_to_it_alone():
    bench = Bench(window=1.0, max_batch=3)

    good, bad, other = await bench.submit(1, -2, 3)
    await bench.finish(0)

    assert (await good, await other) == (10, 30)
    with pytest.raises(ValueError, match="-2"):
        await bad


async def test_a_cancelled_waiter_leaves_its_place():
    bench = Bench(capacity=2)
    _, gone, kept = await bench.submit(1, 2, 3)

    gone.cancel()
    await settle()
    [added] = await bench.submit(4)
    await bench.finish(0)
    await bench.finish(1)

    assert bench.batches == [[1], [3, 4]]
    assert (await kept, await added) == (30, 40)


async def test_a_waiter_cancelled_while_its_batch_runs_harms_nobody():
    bench = Bench(window=1.0, max_batch=2)
    gone, kept = await bench.submit(1, 2)

    gone.cancel()
    await settle()
    await bench.finish(0)
    assert await kept == 20

    after = await bench.submit(3, 4)
    await bench.finish(1)
    assert await asyncio.gather(*after) == [30, 40]


async def test_survives_fifty_cancelled_waiters():
    bench = Bench(capacity=100, workers=2)
    for task in await bench.submit(*range(50)):
        task.cancel()
    await settle()

    assert bench.batcher.waiting == 0
    await bench.finish(0)
    await bench.finish(1)
    [task] = await bench.submit(7)
    await bench.finish(2)

    assert await task == 70


async def test_a_cancelled_oldest_item_passes_its_window_on():
    bench = Bench(window=0.002)
    [gone] = await bench.submit(1)
    bench.clock.advance(0.001)
    await bench.submit(2)

    gone.cancel()
    await settle()
    bench.clock.advance(0.001)
    await settle()
    assert bench.batches == []
    bench.clock.advance(0.001)
    await settle()

    assert bench.batches == [[2]]


async def test_finishes_what_it_took_and_takes_no_more_once_closed():
    bench = Bench(window=10.0)
    tasks = await bench.submit(1, 2)

    bench.batcher.close()
    await settle()
    with pytest.raises(Closed):
        await bench.batcher.submit(3)
    await bench.finish(0)

    assert await asyncio.gather(*tasks) == [10, 20]


async def test_a_crash_fails_everybody_and_is_told():
    bench = Bench(max_batch=2)
    tasks = await bench.submit(1, 2, 3, 4)

    await bench.finish(0, RuntimeError("the device is lost"))

    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [Closed] * 4
    assert [str(error) for error in bench.crashes] == ["the device is lost"]
    with pytest.raises(Closed):
        await bench.batcher.submit(5)
    assert bench.batches == [[1]]
