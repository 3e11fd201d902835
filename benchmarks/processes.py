"""Processor time of a running house, by part, which scatters less on a busy machine than wall time;
and the cores that its parts run on."""

import argparse
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
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


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine-cores", type=_read_cores, default=(), help="such as 1 or 2,3")
    parser.add_argument("--processes", type=int, nargs="*", default=(), help="of the house")


def find_house(roots: Iterable[int]) -> list[psutil.Process]:
    """The processes with these numbers (of `make up`, of gunicorn)."""
    return [psutil.Process(number) for number in roots]


def read_cpu_s(house: Iterable[psutil.Process]) -> Counter[str]:
    """Seconds by part, of these processes and their children, also those that have ended."""
    spent: Counter[str] = Counter()
    for process in _list_all(house):
        with suppress(psutil.NoSuchProcess):
            times: Any = process.cpu_times()
            ended = times.children_user + times.children_system
            spent[_name(process)] += times.user + times.system + ended
    return spent


@contextmanager
def kept_apart(house: Sequence[psutil.Process], engine_cores: Collection[int]) -> Iterator[None]:
    """The engine on these cores, the rest of the house and this process on the others, until the
    end; without cores, all stay where they are. Processes that are not of `house` stay, too."""
    if not engine_cores:
        yield
        return
    before = os.sched_getaffinity(0)
    others = before - set(engine_cores)
    if not others or not before.issuperset(engine_cores):
        raise SystemExit(f"Of the cores {sorted(before)}, some for the engine and some others.")
    members = _list_all(house)
    for process in members:
        _bind(process, engine_cores if _name(process) == "engine" else others)
    os.sched_setaffinity(0, others)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
        for process in members:
            _bind(process, before)


@contextmanager
def on_cores(cores: Collection[int]) -> Iterator[None]:
    """This thread and those that it starts; without cores, where they are."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _list_all(house: Iterable[psutil.Process]) -> set[psutil.Process]:
    return {p for root in house for p in (root, *root.children(recursive=True))}


def _bind(process: psutil.Process, cores: Collection[int]) -> None:
    """All of its threads; those that it starts later come after them."""
    with suppress(psutil.NoSuchProcess):
        for thread in process.threads():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(thread.id, cores)


def _read_cores(text: str) -> set[int]:
    return {int(core) for core in text.split(",")}


def _name(process: psutil.Process) -> str:
    words = " ".join(process.cmdline()) or process.name()
    return next((part for word, part in _PARTS.items() if word in words), "other")
