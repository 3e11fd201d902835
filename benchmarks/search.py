"""Similar items: time of one question and recall, for all ways to search and sizes of a shop.

    DJANGO_SETTINGS_MODULE=kalas.settings python -m benchmarks.search PHOTOS.parquet 10000 100000

Asks a running house's engine for the vectors of the file's photos (column `image`), and uses its
database, in a table that is gone afterwards. Larger shops are the same vectors with noise of the
length that two photos of one category are apart, so their neighbourhoods stay as real ones are.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import django
import numpy as np
import pyarrow.parquet as pq

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connections  # noqa: E402

from inference.client import Client  # noqa: E402
from inference.contract import InvalidImage  # noqa: E402
from retrieval.faiss_index import FaissIndex, Floats  # noqa: E402
from retrieval.similar import GRAPH_CANDIDATES  # noqa: E402

PHOTOS = 2000
QUESTIONS = 100
NEIGHBOURS = 20
NOISE = 0.35
Ask = Callable[[Floats], list[int]]


def main() -> None:
    path, *sizes = sys.argv[1:]
    real = embed_photos(Path(path))
    print(f"{len(real)} photos with a garment, {real.shape[1]} numbers each")
    random = np.random.default_rng(1)
    held, known = real[:QUESTIONS], real[QUESTIONS:]
    print(f"{'vectors':>9} {'way':<14} {'build s':>8} {'p50 ms':>8} {'recall':>7} {'× exact':>8}")
    for size in map(int, sizes):
        rows = grow(known, size, random)
        exact: list[list[int]] = []
        slowest = 0.0
        for name, build_s, ask in ways(rows):
            answers, p50 = measure(ask, held)
            exact = exact or answers
            slowest = slowest or p50
            pairs = zip(answers, exact, strict=True)
            recall = statistics.mean(len({*a} & {*b}) / NEIGHBOURS for a, b in pairs)
            line = f"{size:9} {name:<14} {build_s:8.1f} {p50:8.2f} {recall:7.3f}"
            print(f"{line} {slowest / p50:8.1f}", flush=True)


def ways(rows: Floats) -> Iterator[tuple[str, float, Ask]]:
    """Name, seconds to build and how to ask; the exact one in the database first."""
    yield from database_ways(rows)
    for kind in ("flat", "ivf", "hnsw"):
        start = time.perf_counter()
        index = FaissIndex(rows, range(len(rows)), kind=kind, metric="cosine")  # type: ignore[arg-type]

        def ask(query: Floats, index: FaissIndex = index) -> list[int]:
            return index.search(query, NEIGHBOURS)[1][0].tolist()

        yield f"faiss {kind}", time.perf_counter() - start, ask


def database_ways(rows: Floats) -> Iterator[tuple[str, float, Ask]]:
    size = rows.shape[1]
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE benchmark (id int, vector vector({size}))")
        try:
            start = time.perf_counter()
            with cursor.copy("COPY benchmark FROM STDIN") as copy:
                for number, row in enumerate(rows):
                    copy.write_row((number, _to_text(row)))
            cursor.execute("ANALYZE benchmark")

            def ask(query: Floats) -> list[int]:
                cursor.execute(
                    "SELECT id FROM benchmark ORDER BY vector <=> %s::vector LIMIT %s",
                    [_to_text(query), NEIGHBOURS],
                )
                return [row[0] for row in cursor.fetchall()]

            yield "pgvector exact", time.perf_counter() - start, ask
            start = time.perf_counter()
            cursor.execute("SET maintenance_work_mem = '2GB'")
            cursor.execute(
                "CREATE INDEX ON benchmark USING hnsw (vector vector_cosine_ops);"
                "SET enable_seqscan = off; SET hnsw.iterative_scan = 'strict_order';"
                f"SET hnsw.ef_search = {GRAPH_CANDIDATES}"
            )
            yield "pgvector hnsw", time.perf_counter() - start, ask
        finally:
            cursor.execute("DROP TABLE benchmark; RESET ALL")


def measure(ask: Ask, questions: Floats) -> tuple[list[list[int]], float]:
    """The answers and the median milliseconds of one."""
    answers, times = [], []
    for question in questions:
        start = time.perf_counter()
        answers.append(ask(question))
        times.append((time.perf_counter() - start) * 1000)
    return answers, statistics.median(times)


def grow(real: Floats, size: int, random: np.random.Generator) -> Floats:
    copies = real[random.integers(0, len(real), size)]
    noise = random.normal(0, NOISE / real.shape[1] ** 0.5, copies.shape)
    rows = np.where(np.arange(size)[:, None] < len(real), copies, copies + noise)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def embed_photos(path: Path) -> Floats:
    """One vector of each photo that shows a garment."""
    table = pq.ParquetFile(path).iter_batches(batch_size=PHOTOS, columns=["image"])
    photos = [row["image"] for row in next(table).to_pylist()]
    with ThreadPoolExecutor(4) as pool:
        found = [vector for vector in pool.map(_embed, photos) if vector]
    return np.array(found, dtype=np.float32)


def _embed(photo: bytes) -> tuple[float, ...]:
    try:
        result = Client(settings.INFERENCE_URL).annotate(photo)
    except InvalidImage:
        return ()
    return next((each.embedding for each in result.garments if each.primary), ())


def _to_text(row: Floats) -> str:
    return f"[{','.join(f'{x:.6f}' for x in row)}]"


if __name__ == "__main__":
    main()
