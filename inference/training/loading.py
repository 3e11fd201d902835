"""What a run needs next, made meanwhile: by other processes where there are cores for them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import cv2
from torch.utils.data import DataLoader, Dataset

Part = TypeVar("Part")
Made = TypeVar("Made")

_AHEAD = 3
"""Steps that are made ahead, by the one thread or by each process."""


def steps_ahead(
    make: Callable[[int], Made], *, first: int, last: int, workers: int
) -> Iterator[Made]:
    """`make` of each step from `first` on, before `last`, in their order.

    Which process makes a step changes nothing, as long as `make` looks at the step alone. With 0
    `workers` a thread of this process makes them.
    """
    if workers:
        _let_go_of_threads()
        yield from DataLoader(
            _Steps(make),
            batch_size=None,
            sampler=range(first, last),
            num_workers=workers,
            prefetch_factor=_AHEAD,
            multiprocessing_context="fork",
        )
        return
    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead = deque(pool.submit(make, step) for step in range(first, min(first + _AHEAD, last)))
        for step in range(first, last):
            made = ahead.popleft().result()
            if step + _AHEAD < last:
                ahead.append(pool.submit(make, step + _AHEAD))
            yield made


def spread(make: Callable[[Part], Made], parts: Sequence[Part], *, workers: int) -> Iterator[Made]:
    """`make` of each part, in their order; by that many processes, with 0 by this one."""
    if not workers:
        yield from map(make, parts)
        return
    _let_go_of_threads()
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        yield from pool.map(make, parts)


class _Steps(Dataset[Made]):
    def __init__(self, make: Callable[[int], Made]) -> None:
        self._make = make

    def __getitem__(self, step: int) -> Made:
        return self._make(step)


def _let_go_of_threads() -> None:
    """OpenCV's own are not there in a forked process, which would wait for them for ever."""
    cv2.setNumThreads(1)
