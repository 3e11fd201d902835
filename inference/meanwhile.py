"""Work that an idle thread does while the one that needs it does something else."""

from collections.abc import Callable
from concurrent.futures import Executor, wait
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Meanwhile(Generic[Result]):
    """Where no thread was idle, whoever asks for the result does the work: nobody ever waits for a
    place in the queue, so the threads may be those that wait for each other."""

    def __init__(self, threads: Executor, work: Callable[[], Result]) -> None:
        self._work = work
        self._done = threads.submit(work)

    def result(self) -> Result:
        """Once; raises what the work raised."""
        return self._work() if self._done.cancel() else self._done.result()

    def end(self) -> None:
        """Of work that somebody else does where it is missing: wait where it has begun, else drop
        it. Raises nothing."""
        if not self._done.cancel():
            wait([self._done])
