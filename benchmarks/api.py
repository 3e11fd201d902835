"""Synchronous annotation by the API against the bare decode + model loop, and long lists.

Against a running house (`make up` with API_REQUESTS_PER_KEY and _PER_SHOP raised, or gunicorn in
front): `python -m benchmarks.api http://127.0.0.1:8000 kal_… annotations/demo_photos`.
Prints one JSON object; ratios of one run can be compared, absolute times belong to the machine.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from benchmarks.engine import EXPORTS, make_loops, run_bare
from inference import runtime
from inference.server import DEFAULT_MODEL

CLIENTS = 16
SINGLE = 20
_numbers = itertools.count(time.time_ns())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("key")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--requests", type=int, default=96)
    parser.add_argument("--seconds", type=float, default=10, help="of each bare loop")
    asked = parser.parse_args()
    photos = [path.read_bytes() for path in sorted(asked.photos.glob("*.jpg"))]
    loops = make_loops(runtime.open_model(DEFAULT_MODEL, device="cpu", cache=EXPORTS))
    bare = {name: run_bare(work, photos, asked.seconds).per_s for name, work in loops.items()}
    with httpx.Client(
        base_url=asked.url,
        headers={"Authorization": f"Bearer {asked.key}"},
        timeout=120,
        limits=httpx.Limits(max_connections=CLIENTS),
    ) as client:
        annotate(client, photos[0])
        singles = [annotate(client, photos[n % len(photos)]) for n in range(SINGLE)]
        many = annotate_at_once(client, photos, asked.requests)
        pages = list_pages(client)
    print(
        json.dumps(
            {
                "p50_one_client_ms": round(statistics.median(singles) * 1000, 1),
                "photos_a_second": round(many, 2),
                **{f"ratio_to_{name}": round(many / per_s, 3) for name, per_s in bare.items()},
                "list_p95_ms": round(statistics.quantiles(pages, n=20)[-1] * 1000, 1),
            }
        )
    )


def annotate(client: httpx.Client, photo: bytes) -> float:
    """Seconds until the result is there; each photo is one that the shop has never seen."""
    started = time.perf_counter()
    # Bytes after the end of a JPEG change its hash, not the picture.
    files = {"image": ("photo.jpg", photo + str(next(_numbers)).encode())}
    while True:
        response = client.post("/api/v1/annotations/?wait=60", files=files)
        if response.status_code != 503:
            break
        # Its job is in line now: to ask at once again would only be in its way.
        time.sleep(float(response.headers["Retry-After"]))
    assert response.status_code == 201, response.text
    return time.perf_counter() - started


def annotate_at_once(client: httpx.Client, photos: Sequence[bytes], requests: int) -> float:
    """Photos a second with 16 clients."""
    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda n: annotate(client, photos[n % len(photos)]), range(requests)))
    return requests / (time.perf_counter() - started)


def list_pages(client: httpx.Client) -> list[float]:
    """Seconds for each of 40 pages of the shop's annotations."""
    seconds, path = [], "/api/v1/annotations/"
    for _ in range(40):
        started = time.perf_counter()
        page = client.get(path).json()
        seconds.append(time.perf_counter() - started)
        path = page["next"] or "/api/v1/annotations/"
    return seconds


if __name__ == "__main__":
    main()
