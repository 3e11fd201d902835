"""Processor time of a running house, by part: it scatters less on a busy machine than wall time."""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import psutil

# What a command line of each part holds; the first that fits counts.
_PARTS = {
    "run_inference": "engine",
    "run_jobs": "jobs",
    "daphne": "web",
    "gunicorn": "web",
    "postgres": "database",
}


def find_house(roots: Iterable[int]) -> list[psutil.Process]:
    """The processes with these numbers (of `make up`, of gunicorn)."""
    return [psutil.Process(number) for number in roots]


def read_cpu_s(house: Iterable[psutil.Process]) -> Counter[str]:
    """Seconds by part, of these processes and their children, also those that have ended."""
    spent: Counter[str] = Counter()
    for process in {p for root in house for p in (root, *root.children(recursive=True))}:
        with suppress(psutil.NoSuchProcess):
            times: Any = process.cpu_times()
            ended = times.children_user + times.children_system
            spent[_name(process)] += times.user + times.system + ended
    return spent


def _name(process: psutil.Process) -> str:
    words = " ".join(process.cmdline()) or process.name()
    return next((part for word, part in _PARTS.items() if word in words), "other")
