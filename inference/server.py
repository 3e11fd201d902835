"""The engine's process: listens at once, loads, warms up, answers, drains.

Imports nothing heavy itself: the pipeline, and what computes with it, comes in a thread while the
engine already answers that it is starting.
"""

import asyncio
import importlib
import logging
import math
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import uvicorn

from inference.batching import Batcher, Closed, QueueFull
from inference.contract import AnnotationResult, EngineHealth, EngineState, GarmentDetails
from inference.endpoints import Busy, make_application
from inference.listening import listen
from inference.request import Compared, Outcome, Photo
from kalas.lib.malloc import tune_allocator

if TYPE_CHECKING:
    from inference.families import Families
    from inference.wizard.finding import DetailFinder

logger = logging.getLogger(__name__)

Argument = TypeVar("Argument")
Result = TypeVar("Result")

DEFAULT_MODEL = "kalas-mini"
"""A name, which means its newest version, or name@version."""
DEFAULT_CAPACITY = 64
_DRAIN_LIMIT_S = 30
_KEEP_IDLE_S = 75
_RETRY_START_S = 2
_LONGEST_RETRY_S = 30
_MOST_DETAILS_WAIT = 8


class EngineFailed(Exception):
    """The engine ended without being asked to; whoever supervises it may start another."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    url: str
    model: str = DEFAULT_MODEL
    device: str = ""
    """A torch device; empty: CUDA where there is one, else the CPU."""
    workers: int = 0
    """0: one a core on the CPU; two on CUDA, so that one decodes while the other computes."""
    max_batch: int = 0
    """0: 8 on the CPU, where larger ones gain nothing; 32 on CUDA."""
    capacity: int = DEFAULT_CAPACITY
    """How many photos may wait."""
    models: Path | None = None
    """The folder of imported models."""
    families: tuple[str, ...] = ()
    """Choices of several models joined by "+", and shipped ones, that may be asked for by name."""
    exports: Path | None = None
    """The folder of exported networks, for a CPU; without one torch computes."""
    batch_limit_s: float = 120.0
    """A batch that takes longer hangs, and the engine ends."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    pipeline: "Families"
    threads: ThreadPoolExecutor
    workers: int
    max_batch: int
    window: float


def serve(config: EngineConfig) -> None:
    """Run until SIGTERM or SIGINT. Raises listening.AddressUnusable, EngineFailed."""
    tune_allocator()
    engine = Engine(config)
    try:
        asyncio.run(_serve(engine, config))
    except EngineFailed as error:
        if engine.threads_run:
            logger.critical("%s", error)
            _exit_at_once(1)
        raise
    if engine.threads_run:
        _exit_at_once(0)


class Engine:
    """The state behind the endpoints; all but the batches runs on the event loop's thread."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._state: EngineState = "starting"
        self._started = monotonic()
        self._failure: Exception | None = None
        self._ended = asyncio.Event()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        # Words take a fraction of a millisecond and need not wait behind photos.
        self._words = ThreadPoolExecutor(1, thread_name_prefix="words")
        # One after the other: nobody waits for them but jobs and a search that asks for them.
        self._details = ThreadPoolExecutor(1, "details")
        self._detail_finder: DetailFinder | None = None
        self._details_waiting = 0
        self._jobs: set[Future[Any]] = set()
        self._loaded: _Loaded | None = None
        self._batcher: Batcher[Photo, AnnotationResult] | None = None
        self._done = 0
        self._seconds_a_photo = 0.1

    @property
    def threads_run(self) -> bool:
        """Whether a thread still works, which the process would wait for when it exits."""
        return any(not job.done() for job in self._jobs)

    async def run(self) -> None:
        """Load, then answer until `drain` is called. Raises EngineFailed."""
        loading = asyncio.ensure_future(self._load())
        await self._ended.wait()
        loading.cancel()
        if self._failure:
            raise EngineFailed(f"The engine failed: {self._failure}") from self._failure

    def drain(self) -> None:
        """Take nothing more; what was taken is still answered."""
        self._state = "draining"
        if self._batcher:
            self._batcher.close()
        self._ended.set()

    def health(self) -> EngineHealth:
        loaded = self._loaded
        return EngineHealth(
            state=self._state,
            device=loaded.pipeline.device if loaded else "",
            runtime=loaded.pipeline.runtime if loaded else "",
            model=loaded.pipeline.model if loaded else None,
            waiting=self._batcher.waiting if self._batcher else 0,
            capacity=self._config.capacity,
            done=self._done,
            uptime_s=round(monotonic() - self._started, 1),
            others=loaded.pipeline.list_others() if loaded else (),
        )

    def refuse_if_busy(self) -> None:
        if self._state == "starting":
            raise Busy("The engine is starting.", _RETRY_START_S)
        if self._state == "draining":
            raise Busy("The engine is stopping.", _RETRY_START_S)
        if self._batcher and self._batcher.waiting >= self._config.capacity:
            raise Busy("The engine's queue is full.", self._seconds_to_empty())

    async def annotate(self, photo: Photo) -> AnnotationResult:
        """Raises Busy, InvalidImage, and whatever else the photo alone met."""
        self.refuse_if_busy()
        assert self._batcher  # noqa: S101 it exists in every state that is not refused
        start = monotonic()
        try:
            result = await self._batcher.submit(photo)
        except QueueFull as error:
            raise Busy("The engine's queue is full.", self._seconds_to_empty()) from error
        except Closed as error:
            raise Busy("The engine is stopping.", _RETRY_START_S) from error
        self._done += 1
        total = (monotonic() - start) * 1000
        queue = max(0.0, total - sum(result.timings_ms.values()))
        timings = {"queue": round(queue, 2), **result.timings_ms, "total": round(total, 2)}
        return replace(result, timings_ms=timings)

    async def compare(self, asked: Compared) -> list[float]:
        """Raises Busy, ModelRefused."""
        self.refuse_if_busy()
        assert self._loaded  # noqa: S101 it exists in every state that is not refused
        return await self._in_thread(self._words, self._loaded.pipeline.compare, asked)

    async def embed_texts(self, texts: list[str]) -> list[list[float]]:
        """Raises Busy, NoWords."""
        self.refuse_if_busy()
        assert self._loaded  # noqa: S101 it exists in every state that is not refused
        return await self._in_thread(self._words, self._loaded.pipeline.embed_texts, texts)

    async def find_details(self, photo: Photo) -> GarmentDetails:
        """Raises Busy, InvalidImage, NoDetails."""
        self.refuse_if_busy()
        if self._details_waiting >= _MOST_DETAILS_WAIT:
            raise Busy("Too many photos wait for their details.", _RETRY_START_S)
        self._details_waiting += 1
        try:
            return await self._in_thread(self._details, self._find_details, photo)
        finally:
            self._details_waiting -= 1

    def _find_details(self, photo: Photo) -> GarmentDetails:
        """The network comes with the first question: most engines are never asked one."""
        if self._detail_finder is None:
            finding = importlib.import_module("inference.wizard.finding")
            self._detail_finder = finding.load(self._config.models)
        finder: DetailFinder = self._detail_finder
        return finder.find(photo)

    async def _load(self) -> None:
        try:
            self._loaded = await self._in_thread(self._loader, _load, self._config)
        except Exception as error:  # noqa: BLE001 whatever it is, the engine ends with it
            self._fail(error)
            return
        self._batcher = Batcher(
            self._run_batch,
            max_batch=self._loaded.max_batch,
            window=self._loaded.window,
            capacity=self._config.capacity,
            workers=self._loaded.workers,
            clock=asyncio.get_running_loop(),
            on_crash=self._fail,
        )
        self._state = "ready"
        logger.info(
            "Ready after %.1f s on %s with %s",
            monotonic() - self._started,
            self._loaded.pipeline.device,
            self._loaded.pipeline.runtime,
        )

    async def _run_batch(self, photos: list[Photo]) -> list[Outcome]:
        assert self._loaded  # noqa: S101 there is no batcher before
        start = monotonic()
        async with asyncio.timeout(self._config.batch_limit_s):
            outcomes = await self._in_thread(
                self._loaded.threads, self._loaded.pipeline.annotate, photos
            )
        spent = (monotonic() - start) / len(photos) / self._loaded.workers
        self._seconds_a_photo += 0.1 * (spent - self._seconds_a_photo)
        return outcomes

    async def _in_thread(
        self, threads: ThreadPoolExecutor, work: Callable[[Argument], Result], argument: Argument
    ) -> Result:
        job = threads.submit(work, argument)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return await asyncio.wrap_future(job)

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self.drain()

    def _seconds_to_empty(self) -> int:
        waiting = self._batcher.waiting if self._batcher else 0
        return min(max(1, math.ceil(waiting * self._seconds_a_photo)), _LONGEST_RETRY_S)


def _load(config: EngineConfig) -> _Loaded:
    # The one import that is not at the top: it takes its time, during which the engine answers.
    pipeline_module = importlib.import_module("inference.pipeline")
    device = pipeline_module.runtime.choose_device(config.device)
    # macOS has no affinity to ask for.
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    if device == "cpu":
        workers, max_batch, window = config.workers or cores, config.max_batch or 8, 0.0
        threads = ThreadPoolExecutor(workers, "worker", initializer=pipeline_module.use_one_core)
        # A worker that has nothing to do helps with the other's photo.
        decoders, helpers = None, threads if workers > 1 else None
    else:
        workers, max_batch, window = config.workers or 2, config.max_batch or 32, 0.002
        decoders = ThreadPoolExecutor(cores, "decode", initializer=pipeline_module.use_one_core)
        threads, helpers = ThreadPoolExecutor(workers, "worker"), None
    families = importlib.import_module("inference.families")
    pipeline: Families = families.Families(
        config.model,
        device=device,
        cache=config.exports,
        decoders=decoders,
        helpers=helpers,
        store=config.models,
        families=config.families,
    )
    list(threads.map(pipeline.warm_up, [max_batch] * workers))
    return _Loaded(pipeline, threads, workers, max_batch, window)


async def _serve(engine: Engine, config: EngineConfig) -> None:
    loop = asyncio.get_running_loop()
    with listen(config.url) as listener:
        server = _Server(
            uvicorn.Config(
                make_application(engine),
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                date_header=False,
                server_header=False,
                timeout_keep_alive=_KEEP_IDLE_S,
                timeout_graceful_shutdown=_DRAIN_LIMIT_S,
                # Each request that is read holds its photo's bytes.
                limit_concurrency=2 * config.capacity + 64,
            )
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, engine.drain)
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        try:
            await engine.run()
        finally:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the engine's: uvicorn would raise them again after a clean shutdown."""
        yield


def _exit_at_once(status: int) -> None:
    """A thread that hangs in native code can't be joined or killed; the process can."""
    logging.shutdown()
    os._exit(status)
