"""Synchronous annotation by the API against the bare decode + model loop.

Against a running house (`make up` with API_REQUESTS_PER_KEY and _PER_SHOP raised, or gunicorn in
front): `python -m benchmarks.api http://127.0.0.1:8000 kal_… annotations/demo_photos`.
Each round measures the bare loops and then the API with 16 clients, so that a busy machine slows
both sides of a ratio; so does each photo of the single client. Prints one JSON object of medians:
ratios can be compared, absolute times belong to the machine.

The bare loops take all cores, as if there were nothing but the model; the clients, the database and
the web processes take theirs from it. With `--engine-cores 1` the loops run on these cores alone,
the clients on the others. So do the engine and the rest of the house that `--processes` names; one
that it does not has its cores by `CPUAffinity=` of its units, or by `taskset`.

With `--processes PID…` (of `make up`, of gunicorn; their children count as well) it also prints the
processor time of a photo: of the bare pipeline, and of client, web, engine, jobs and database, each
and together. The ratio to their sum scatters less on a busy machine, and is what is reached where
all cores are busy.
"""

import argparse
import itertools
import json
import math
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import truediv
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.engine import EXPORTS, make_loops, run_bare
from benchmarks.processes import add_options, find_house, kept_apart, on_cores, read_cpu_s
from inference import runtime
from inference.server import DEFAULT_MODEL
from kalas.lib.malloc import tune_allocator

CLIENTS = 16
_numbers = itertools.count(time.time_ns())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("key")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=160, help="of each round")
    parser.add_argument("--single", type=int, default=60, help="photos of the single client")
    add_options(parser)
    asked = parser.parse_args()
    house = find_house(asked.processes)
    with kept_apart(house, asked.engine_cores):
        measure(asked, house)


def measure(asked: argparse.Namespace, house: list[psutil.Process]) -> None:
    tune_allocator()
    photos = [path.read_bytes() for path in sorted(asked.photos.glob("*.jpg"))]
    random.Random(1).shuffle(photos)
    sent = list(itertools.islice(itertools.cycle(photos), asked.requests))
    loops = make_loops(runtime.open_model(DEFAULT_MODEL, device="cpu", cache=EXPORTS))
    ratios: dict[str, list[float]] = {name: [] for name in loops}
    per_s, bare_cpu, parts_cpu = [], [], []
    with httpx.Client(
        base_url=asked.url,
        headers={"Authorization": f"Bearer {asked.key}"},
        timeout=120,
        limits=httpx.Limits(max_connections=CLIENTS),
    ) as client:
        annotate_at_once(client, photos[:CLIENTS])
        bare_ms, single_ms = [], []
        for photo in itertools.islice(itertools.cycle(photos), asked.single):
            bare_ms.append(measure_ms(lambda: loops["pipeline"]([photo])))  # noqa: B023 - at once
            single_ms.append(measure_ms(lambda: annotate(client, photo)))  # noqa: B023
        for _ in range(asked.rounds):
            with on_cores(asked.engine_cores):
                # The very photos that the clients send: an outfit takes longer than a garment.
                bare = {name: run_bare(loop, sent, math.inf) for name, loop in loops.items()}
            before = read_parts(house)
            many = annotate_at_once(client, sent)
            per_s.append(many)
            bare_cpu.append(bare["pipeline"].cpu_ms)
            after = read_parts(house)
            parts_cpu.append(
                {part: (after[part] - before[part]) * 1000 / asked.requests for part in after}
            )
            for name in loops:
                ratios[name].append(many / bare[name].per_s)
    house_cpu = [sum(parts.values()) for parts in parts_cpu]
    spent = {
        "cpu_ms_by_part": {
            part: round(statistics.median(parts[part] for parts in parts_cpu), 1)
            for part in parts_cpu[0]
        },
        "cpu_ms_bare": round(statistics.median(bare_cpu), 1),
        "cpu_ms_house": round(statistics.median(house_cpu), 1),
        "cpu_ratio": round(statistics.median(map(truediv, bare_cpu, house_cpu)), 3),
    }
    one, alone = statistics.median(single_ms), statistics.median(bare_ms)
    print(
        json.dumps(
            {
                "p50_one_client_ms": round(one, 1),
                "p50_bare_ms": round(alone, 1),
                "p50_added_ms": round(one - alone, 1),
                "photos_a_second": round(statistics.median(per_s), 2),
                **{f"ratio_to_{n}": round(statistics.median(r), 3) for n, r in ratios.items()},
                "ratios_to_pipeline": [round(ratio, 3) for ratio in ratios["pipeline"]],
                **(spent if house else {}),
            }
        )
    )


def read_parts(house: Iterable[psutil.Process]) -> Counter[str]:
    """Seconds of these processes, by part, and of this one."""
    parts = read_cpu_s(house)
    own: Any = time.process_time()
    parts["client"] += own
    return parts


def annotate(client: httpx.Client, photo: bytes) -> None:
    """Until the result is there; each photo is one that the shop has never seen."""
    # Bytes after the end of a JPEG change its hash, not the picture.
    files = {"image": ("photo.jpg", photo + str(next(_numbers)).encode())}
    while True:
        response = client.post("/api/v1/annotations/?wait=60", files=files)
        if response.status_code != 503:
            break
        # Its job is in line now: to ask at once again would only be in its way.
        time.sleep(float(response.headers["Retry-After"]))
    assert response.status_code == 201, response.text


def annotate_at_once(client: httpx.Client, photos: Sequence[bytes]) -> float:
    """Photos a second with 16 clients."""
    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda photo: annotate(client, photo), photos))
    return len(photos) / (time.perf_counter() - started)


def measure_ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
