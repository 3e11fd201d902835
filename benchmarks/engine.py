"""The engine over HTTP against the same work without a server, in one run.

    python -m benchmarks.engine annotations/demo_photos [--model kalas-mini@6] [--rounds 5] [--json]

Each round measures the bare loops and then the engine with 1, 4 and 16 clients, so that a busy
machine slows both sides of a ratio; medians over the rounds are printed. The clients run on the
same cores as the engine. The bare loops run one thread a core:
  pipeline   decode, finder, foreground, colours and classifier: what the engine does to a photo
  model      decode, crop and classifier of the whole photo only
Before the rounds the networks alone are measured on single inputs, exported and in torch.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter, sleep, thread_time
from typing import Any

import numpy as np
import psutil

from inference import pipeline, runtime, specs, torch_networks
from inference.client import Client, Overloaded, Unavailable
from inference.detection import GLANCE
from inference.preprocess import decode, resize_crop, whole
from inference.request import Photo
from inference.runtime import Array, Model, Network
from inference.server import DEFAULT_MODEL
from kalas.lib.malloc import tune_allocator

ROOT = Path(__file__).resolve().parent.parent
EXPORTS = Path(os.environ.get("KALAS_VAR", ROOT / "var")).resolve() / "exports"
CLIENTS = (1, 4, 16)
BATCH = 8


@dataclass(frozen=True)
class Speed:
    per_s: float
    cpu_ms: float
    """Processor time a photo, in which a busy machine shows less."""


@dataclass(frozen=True)
class Round:
    pipeline: Speed
    model: Speed
    """The bare loops."""
    engine: dict[int, Speed]
    """By the number of clients; the processor time is the engine's alone."""
    latency_ms: dict[int, list[float]]


def main() -> None:
    options = read_options()
    tune_allocator()
    photos = [path.read_bytes() for path in sorted(options.photos.glob("*.jpg"))]
    if not photos:
        sys.exit(f"There are no *.jpg in {options.photos}.")
    model = runtime.open_model(options.model, device="cpu", cache=EXPORTS)
    networks = time_networks(model)
    loops = make_loops(model)
    with start_engine(options.model) as engine:
        first_answer = wait_for_answer(engine.client, photos[0])
        for _ in range(50):
            engine.client.annotate(photos[0])
        rounds = [measure(loops, engine, photos, options.seconds) for _ in range(options.rounds)]
        memory = psutil.Process(engine.process.pid).memory_full_info()
    report = summarise(rounds, first_answer, memory) | networks
    print(json.dumps(report, indent=2) if options.json else as_text(report))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine")
    parser.add_argument("photos", type=Path, help="a folder with *.jpg")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name or name@version")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="for each measurement")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def time_networks(model: Model) -> dict[str, object]:
    """Processor milliseconds a call on one input: as the engine runs it, and in torch."""
    asked = [("garments", "garments", model.spec.input_size)]
    if model.spec.finder:
        asked.append(("finder", "finder", specs.find(model.spec.finder).input_size))
    if model.finder_mirrored:
        asked.append(("finder_glance", "finder", GLANCE))
    reference = torch_networks.open_model(model.spec, device="cpu")
    pipeline.use_one_core()
    report: dict[str, object] = {"runtime": model.runtime}
    for name, part, size in asked:
        pixels = np.random.default_rng(0).integers(0, 256, (1, *size, 3), dtype=np.uint8)
        report[f"{name}_cpu_ms"] = time_network(getattr(model, part), pixels)
        report[f"{name}_torch_cpu_ms"] = time_network(getattr(reference, part), pixels)
    return report


def time_network(network: Network, pixels: Array) -> float:
    spent = []
    for _ in range(25):
        start = thread_time()
        network(pixels)
        spent.append(thread_time() - start)
    return round(statistics.median(spent) * 1000, 2)


def make_loops(model: Model) -> dict[str, Callable[[list[bytes]], object]]:
    whole_pipeline = pipeline.Pipeline(model)
    size = model.spec.input_size

    def classify(batch: list[bytes]) -> object:
        images = [decode(data) for data in batch]
        return model.garments(
            np.stack([resize_crop(image, whole(image), size) for image in images])
        )

    return {
        "pipeline": lambda batch: whole_pipeline.annotate([Photo(data) for data in batch]),
        "model": classify,
    }


def measure(
    loops: dict[str, Callable[[list[bytes]], object]],
    engine: "RunningEngine",
    photos: list[bytes],
    seconds: float,
) -> Round:
    bare = {name: run_bare(work, cycle(photos), seconds) for name, work in loops.items()}
    latency: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
    served = {
        clients: run_threads(
            clients,
            partial(ask_all, engine.client, cycle(photos), latency[clients]),
            seconds,
            psutil.Process(engine.process.pid),
        )
        for clients in CLIENTS
    }
    return Round(bare["pipeline"], bare["model"], served, latency)


def run_bare(
    work: Callable[[list[bytes]], object], photos: Iterable[bytes], seconds: float
) -> Speed:
    """Takes batches of the photos until the time is over, or there are no more."""
    left = iter(photos)

    def steps() -> Iterator[int]:
        pipeline.use_one_core()
        while batch := list(islice(left, BATCH)):
            work(batch)
            yield len(batch)

    return run_threads(len(os.sched_getaffinity(0)), steps, seconds, psutil.Process())


def ask_all(client: Client, photos: Iterator[bytes], spent: list[float]) -> Iterator[int]:
    for data in photos:
        start = perf_counter()
        client.annotate(data)
        spent.append((perf_counter() - start) * 1000)
        yield 1


def run_threads(
    count: int, make_steps: Callable[[], Iterator[int]], seconds: float, worker: psutil.Process
) -> Speed:
    """How `count` threads fare that step until the time is over; `worker` is whose time counts."""
    done = [0] * count
    before, start = cpu_seconds(worker), perf_counter()

    def work(index: int) -> None:
        for photos in make_steps():
            done[index] += photos
            if perf_counter() - start >= seconds:
                return

    threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cpu = cpu_seconds(worker) - before
    return Speed(sum(done) / (perf_counter() - start), cpu / sum(done) * 1000)


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@dataclass(frozen=True)
class RunningEngine:
    client: Client
    process: "subprocess.Popen[bytes]"


@contextmanager
def start_engine(model: str) -> Iterator[RunningEngine]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"unix:{folder}/engine.sock"
        process = subprocess.Popen(
            [
                *(sys.executable, "manage.py", "run_inference", "--url", url),
                *("--device", "cpu", "--model", model),
            ],
            cwd=ROOT,
        )
        try:
            yield RunningEngine(Client(url), process)
        finally:
            process.terminate()
            process.wait(60)


def wait_for_answer(client: Client, photo: bytes) -> float:
    """Seconds from here, where the process has just been started, to its first answer."""
    start = perf_counter()
    while perf_counter() - start < 120:
        try:
            client.annotate(photo)
        except (Unavailable, Overloaded):
            sleep(0.01)
        else:
            return perf_counter() - start
    sys.exit("The engine does not answer.")


def summarise(rounds: list[Round], first_answer: float, memory: Any) -> dict[str, object]:
    def median(values: list[float]) -> float:
        return round(statistics.median(values), 3)

    def by_clients(value: Callable[[Round, int], float]) -> dict[int, float]:
        return {n: median([value(r, n) for r in rounds]) for n in CLIENTS}

    latency = {n: sorted(x for r in rounds for x in r.latency_ms[n]) for n in CLIENTS}
    return {
        "start_to_first_answer_s": round(first_answer, 2),
        "memory_rss_mb": round(memory.rss / 2**20),
        "memory_of_its_own_mb": round(memory.uss / 2**20),
        "bare_pipeline_per_s": median([r.pipeline.per_s for r in rounds]),
        "bare_model_per_s": median([r.model.per_s for r in rounds]),
        "engine_per_s": by_clients(lambda r, n: r.engine[n].per_s),
        "engine_to_pipeline": by_clients(lambda r, n: r.engine[n].per_s / r.pipeline.per_s),
        "engine_to_model": by_clients(lambda r, n: r.engine[n].per_s / r.model.per_s),
        "bare_pipeline_cpu_ms": median([r.pipeline.cpu_ms for r in rounds]),
        "bare_model_cpu_ms": median([r.model.cpu_ms for r in rounds]),
        "engine_cpu_ms": by_clients(lambda r, n: r.engine[n].cpu_ms),
        "pipeline_to_engine_cpu": by_clients(lambda r, n: r.pipeline.cpu_ms / r.engine[n].cpu_ms),
        "latency_p50_ms": {n: round(latency[n][len(latency[n]) // 2], 1) for n in CLIENTS},
        "latency_p99_ms": {n: round(latency[n][len(latency[n]) * 99 // 100], 1) for n in CLIENTS},
    }


def as_text(report: dict[str, object]) -> str:
    lines = []
    for name, value in report.items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{clients} clients {number}" for clients, number in value.items())
        lines.append(f"{name:24} {shown}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
