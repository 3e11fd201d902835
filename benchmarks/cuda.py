"""The served model on CUDA: does it say what it says on the CPU, and how fast; without Django.

    python -m benchmarks.cuda annotations/demo_photos [--model kalas-mini@6] [--device cuda]

On the device the networks run as the engine runs them there, in bfloat16; the answers they are held
against are torch's in float32 on the CPU. JPEGs decoded on the device are measured beside: whether
that pays is what docs/decisions/0019 asks. Takes about a minute.
"""

import argparse
import os
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np
import torch
import torchvision

from inference import runtime
from inference.contract import AnnotationResult, Garment
from inference.detection import GLANCE, SIZE, overlap
from inference.pipeline import Pipeline, use_one_core
from inference.preprocess import decode
from inference.request import Outcome, Photo
from inference.runtime import Array, Model, Network
from kalas.lib.malloc import tune_allocator

Row = tuple[str, str]
Thing = TypeVar("Thing")

BATCHES = (8, 32, 128)
_SMALL = 26_000
"""Bytes of a shop's middling photo."""
_SAME_GARMENT = 0.5


def main() -> None:
    options = read_options()
    if options.device != "cpu" and not torch.cuda.is_available():
        sys.exit("There is no CUDA device; --device cpu tries the program itself.")
    tune_allocator()
    files = [path.read_bytes() for path in sorted(options.photos.glob("*.jpg"))]
    if not files:
        sys.exit(f"There are no *.jpg in {options.photos}.")
    for name, value in measure(options, files):
        print(f"{name:48} {value}", flush=True)


def measure(options: argparse.Namespace, files: list[bytes]) -> Iterator[Row]:
    device, seconds = options.device, options.seconds
    photos = [Photo(data) for data in files]
    batches = BATCHES if device != "cpu" else BATCHES[:1]
    cores = len(os.sched_getaffinity(0))
    yield "device", describe(device)
    yield "processor cores", str(cores)
    with ThreadPoolExecutor(cores, initializer=use_one_core) as threads:
        exact = Pipeline(runtime.open_model(options.model, device="cpu"))
        wanted = list(threads.map(lambda photo: exact.annotate([photo])[0], photos))
        model = runtime.open_model(options.model, device=device)
        served = Pipeline(model, decoders=threads)
        served.warm_up(batches[-1])
        yield from compare(wanted, served.annotate(photos))
        yield "one photo, p50", f"{time_singles(served, photos):.1f} ms"
        for size in batches:
            pace = run(served.annotate, photos, size=size, seconds=seconds)
            yield f"pipeline, batches of {size}", f"{pace:.0f} photos/s"
        yield from time_networks(model, size=batches[-1], seconds=seconds)
        yield from time_decoding(files, threads, device=device, seconds=seconds)
    if device != "cpu":
        memory = torch.cuda.max_memory_allocated() / 2**20
        yield "memory on the device", f"{memory:.0f} MB"


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cuda")
    parser.add_argument("photos", type=Path, help="a folder with *.jpg")
    parser.add_argument("--model", default="kalas-mini", help="name or name@version")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each measurement")
    return parser.parse_args()


def describe(device: str) -> str:
    name = device if device == "cpu" else torch.cuda.get_device_name()
    return f"{name}, torch {torch.__version__}, torchvision {torchvision.__version__}"


def compare(wanted: Sequence[Outcome], found: Sequence[Outcome]) -> list[Row]:
    """How far the device's answers agree with the processor's."""
    pairs = [
        (one, other)
        for one, other in zip(wanted, found, strict=True)
        if isinstance(one, AnnotationResult) and isinstance(other, AnnotationResult)
    ]
    if len(pairs) < len(wanted):
        sys.exit(f"{len(wanted) - len(pairs)} photos were not answered.")
    abstained = sum(one.abstained == other.abstained for one, other in pairs)
    primary = [(p, q) for one, other in pairs if (p := _primary(one)) and (q := _primary(other))]
    met = [each for one, other in pairs for each in match(one.garments, other.garments)]
    garments = sum(max(len(one.garments), len(other.garments)) for one, other in pairs)
    steps = [abs(p.category.confidence - q.category.confidence) for p, q in met if _alike(p, q)]
    boxes = [overlap(p.box, q.box) for p, q in met]
    same = sum(_alike(p, q) for p, q in primary)
    return [
        ("abstain alike", f"{abstained} of {len(pairs)}"),
        ("the same category of the primary garment", f"{same} of {len(primary)}"),
        ("garments that both see", f"{len(met)} of {garments}"),
        ("the same category of those", f"{sum(_alike(p, q) for p, q in met)} of {len(met)}"),
        ("category's confidence, largest step", f"{max(steps, default=0):.4f}"),
        ("category's confidence, middling step", f"{statistics.median(steps or [0]):.4f}"),
        ("boxes, mean overlap", f"{statistics.fmean(boxes or [0]):.4f}"),
        ("boxes, least overlap", f"{min(boxes, default=0):.4f}"),
    ]


def match(garments: Sequence[Garment], others: Sequence[Garment]) -> list[tuple[Garment, Garment]]:
    """Each garment with the one of its object type that it overlaps most."""
    free = list(others)
    met = []
    for garment in garments:
        near = [o for o in free if o.object == garment.object]
        best = max(near, key=lambda o: overlap(garment.box, o.box), default=None)
        if best and overlap(garment.box, best.box) >= _SAME_GARMENT:
            free.remove(best)
            met.append((garment, best))
    return met


def _primary(result: AnnotationResult) -> Garment | None:
    return next((garment for garment in result.garments if garment.primary), None)


def _alike(one: Garment, other: Garment) -> bool:
    return one.category.name == other.category.name


def time_singles(served: Pipeline, photos: Sequence[Photo]) -> float:
    spent = []
    for photo in photos:
        start = perf_counter()
        served.annotate([photo])
        spent.append((perf_counter() - start) * 1000)
    return statistics.median(spent)


def run(
    work: Callable[[list[Thing]], object], things: Sequence[Thing], *, size: int, seconds: float
) -> float:
    """Things a second in batches of `size`."""
    left, done = cycle(things), 0
    work(list(islice(left, size)))
    start = perf_counter()
    while (spent := perf_counter() - start) < seconds:
        work(list(islice(left, size)))
        done += size
    return done / spent


def time_networks(model: Model, *, size: int, seconds: float) -> list[Row]:
    """The networks alone: pixels in, answers out."""
    asked = [("classifier", model.garments, model.spec.input_size)]
    if model.finder:
        asked += [("finder", model.finder, SIZE), ("finder's glance", model.finder, GLANCE)]
    rows = []
    for name, network, shape in asked:
        pixels = np.random.default_rng(0).integers(0, 256, (size, *shape, 3), dtype=np.uint8)
        pace = run(partial(_ask, network), [pixels], size=1, seconds=seconds / 2)
        rows.append((f"{name} alone, batches of {size}", f"{pace * size:.0f} looks/s"))
    return rows


def _ask(network: Network, batches: list[Array]) -> object:
    return network(*batches)


def time_decoding(
    files: Sequence[bytes], threads: ThreadPoolExecutor, *, device: str, seconds: float
) -> list[Row]:
    small = sorted(files, key=lambda data: abs(len(data) - _SMALL))[:16]
    rows = []
    for name, some in (("all", files), (f"of {_SMALL // 1000} KB", small)):
        kilobytes = statistics.fmean(map(len, some)) / 1000
        rows.append((f"photos {name}", f"{kilobytes:.0f} KB on average"))
        ways: list[tuple[str, Callable[[list[bytes]], object]]] = [
            ("one core", lambda batch: [decode(data) for data in batch]),
            ("all cores", lambda batch: list(threads.map(decode, batch))),
            ("the device", partial(decode_there, device=device, back=False)),
            ("the device, and back", partial(decode_there, device=device, back=True)),
        ]
        for way, work in ways:
            pace = run(work, some, size=32, seconds=seconds / 2)
            rows.append((f"  decoded by {way}", f"{pace:.0f} photos/s"))
    return rows


def decode_there(batch: list[bytes], *, device: str, back: bool) -> object:
    """By nvJPEG on CUDA; `back`: as the pipeline needs the pixels for outlines and colours."""
    with warnings.catch_warnings():
        # Deprecated in newer versions, which is one of the reasons why nothing else calls it.
        warnings.simplefilter("ignore")
        tensors = [torch.frombuffer(bytearray(data), dtype=torch.uint8) for data in batch]
        images = torchvision.io.decode_jpeg(
            tensors, mode=torchvision.io.ImageReadMode.RGB, device=device
        )
    if back:
        return [image.cpu() for image in images]
    if device != "cpu":
        torch.cuda.synchronize()
    return images


if __name__ == "__main__":
    main()
