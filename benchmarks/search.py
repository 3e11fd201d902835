"""Similar items: time of one question and recall, for all ways to search and sizes of a shop.

    DJANGO_SETTINGS_MODULE=kalas.settings \\
        python -m benchmarks.search PHOTOS.parquet 10000 100000 [--ways pgvector faiss]

Asks a running house's engine for the vectors of the file's photos (column `image`; kept in the
house's data folder), and uses its database, in a table that is gone afterwards. Larger shops have
copies of the same vectors too, with noise of the length that two photos of one category are apart,
so their neighbourhoods stay as real ones are. "× exact" is against comparing all by the same
software, recall against the first way of the run. A million vectors take 6 GB of memory and 5 GB of
disk.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import django
import numpy as np
import pyarrow.parquet as pq

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connections  # noqa: E402

from benchmarks.asking import annotate_patiently  # noqa: E402
from inference.client import Client  # noqa: E402
from inference.contract import InvalidImage  # noqa: E402
from retrieval.faiss_index import SEARCHED_LISTS, FaissIndex, Floats  # noqa: E402
from retrieval.nearest import GRAPH_CANDIDATES  # noqa: E402

PHOTOS = 4000
QUESTIONS = 100
NEIGHBOURS = 20
NOISE = 0.35
PART = 20_000
Ask = Callable[[Floats], list[int]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument(
        "--candidates",
        type=int,
        nargs="+",
        default=[GRAPH_CANDIDATES],
        help="that pgvector's graph looks at; those that ship, unless others are given",
    )
    asked = parser.parse_args()
    real = embed_photos(asked.path)
    print(f"{len(real)} photos with a garment, {real.shape[1]} numbers each")
    random = np.random.default_rng(1)
    held, known = real[:QUESTIONS], real[QUESTIONS:]
    print(f"{'vectors':>9} {'way':<15} {'build s':>8} {'p50 ms':>8} {'recall':>7} {'× exact':>8}")
    for size in asked.sizes:
        rows = grow(known, size, random)
        right: list[list[int]] = []
        exact_ms: dict[str, float] = {}
        for name, build_s, ask in (
            way for each in asked.ways for way in WAYS[each](rows, asked.candidates)
        ):
            answers, p50 = measure(ask, held)
            right = right or answers
            exact_ms.setdefault(name.split()[0], p50)
            pairs = zip(answers, right, strict=True)
            recall = statistics.mean(len({*a} & {*b}) / NEIGHBOURS for a, b in pairs)
            line = f"{size:9} {name:<15} {build_s:8.1f} {p50:8.2f} {recall:7.3f}"
            print(f"{line} {exact_ms[name.split()[0]] / p50:8.1f}", flush=True)


def faiss_ways(rows: Floats, _candidates: Sequence[int]) -> Iterator[tuple[str, float, Ask]]:
    """Name, seconds to build and how to ask; the exact way first."""
    for kind in ("flat", "ivf", "hnsw"):
        start = time.perf_counter()
        index = FaissIndex(rows, range(len(rows)), kind=kind, metric="cosine")  # type: ignore[arg-type]

        def ask(query: Floats, index: FaissIndex = index) -> list[int]:
            return index.search(query, NEIGHBOURS)[1][0].tolist()

        yield f"faiss {kind}", time.perf_counter() - start, ask


def database_ways(rows: Floats, candidates: Sequence[int]) -> Iterator[tuple[str, float, Ask]]:
    """As `faiss_ways`."""
    size = rows.shape[1]
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE benchmark (id int, vector vector({size}))")
        try:
            start = time.perf_counter()
            with cursor.copy("COPY benchmark FROM STDIN (FORMAT BINARY)") as copy:
                for part in _to_binary(rows):
                    copy.write(part)
            cursor.execute("ANALYZE benchmark")

            def ask(query: Floats) -> list[int]:
                cursor.execute(
                    "SELECT id FROM benchmark ORDER BY vector <=> %s::vector LIMIT %s",
                    [_to_text(query), NEIGHBOURS],
                )
                return [row[0] for row in cursor.fetchall()]

            yield "pgvector exact", time.perf_counter() - start, ask
            cursor.execute("SET maintenance_work_mem = '4GB'")  # all of a million's graph
            lists = round(len(rows) ** 0.5)
            graph = "hnsw (vector vector_cosine_ops) WITH (m = 24, ef_construction = 200)"
            graph_ways = [(f"hnsw {n}", f"SET hnsw.ef_search = {n}") for n in candidates]
            probes = max(1, round(lists * SEARCHED_LISTS))
            lists_of = f"ivfflat (vector vector_cosine_ops) WITH (lists = {lists})"
            cursor.execute("SET hnsw.iterative_scan = 'strict_order'")
            for index, ways in (
                (graph, graph_ways),
                (lists_of, [("ivf", f"SET ivfflat.probes = {probes}")]),
            ):
                start = time.perf_counter()
                cursor.execute(f"CREATE INDEX tried ON benchmark USING {index}")
                build_s = time.perf_counter() - start
                cursor.execute("SET enable_seqscan = off")
                for name, setting in ways:
                    cursor.execute(setting)
                    yield f"pgvector {name}", build_s, ask
                cursor.execute("DROP INDEX tried")
        finally:
            cursor.execute("DROP TABLE benchmark; RESET ALL")


def measure(ask: Ask, questions: Floats) -> tuple[list[list[int]], float]:
    """The answers and the median milliseconds of one, asked a second time: as in a house that is
    used, what the index has is in memory."""
    answers, times = [], []
    for question in questions:
        ask(question)
    for question in questions:
        start = time.perf_counter()
        answers.append(ask(question))
        times.append((time.perf_counter() - start) * 1000)
    return answers, statistics.median(times)


def grow(real: Floats, size: int, random: np.random.Generator) -> Floats:
    """As many vectors of length 1: the real ones, then copies with noise."""
    rows = np.empty((size, real.shape[1]), dtype=np.float32)
    rows[: len(real)] = real[:size]
    for start in range(len(real), size, PART):
        part = rows[start : start + PART]
        random.standard_normal(out=part, dtype=np.float32)
        part *= NOISE / real.shape[1] ** 0.5
        part += real[random.integers(0, len(real), len(part))]
    for start in range(0, size, PART):
        part = rows[start : start + PART]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


def embed_photos(path: Path) -> Floats:
    """One vector of each photo that shows a garment, made once for each model."""
    model = Client(settings.INFERENCE_URL).health().model
    assert model is not None
    kept = settings.VAR / "benchmarks" / f"{path.stem}-{model.name}-{model.version}.npy"
    if not kept.exists():
        table = pq.ParquetFile(path).iter_batches(batch_size=PHOTOS, columns=["image"])
        photos = [row["image"] for row in next(table).to_pylist()]
        with ThreadPoolExecutor(4) as pool:
            found = [vector for vector in pool.map(_embed, photos) if vector]
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, np.array(found, dtype=np.float32))
    vectors: Floats = np.load(kept)
    return vectors


def _embed(photo: bytes) -> tuple[float, ...]:
    try:
        result = annotate_patiently(Client(settings.INFERENCE_URL), photo)
    except InvalidImage:
        return ()
    return next((each.embedding for each in result.garments if each.primary), ())


def _to_binary(rows: Floats) -> Iterator[bytes]:
    """What COPY reads: the file's head, rows of their place and a vector, and the end."""
    size = rows.shape[1]
    row = np.dtype(
        [
            ("fields", ">i2"), ("id_bytes", ">i4"), ("id", ">i4"),
            ("vector_bytes", ">i4"), ("size", ">i2"), ("unused", ">i2"), ("vector", ">f4", size),
        ]
    )  # fmt: skip
    yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
    for start in range(0, len(rows), PART):
        part = rows[start : start + PART]
        written = np.zeros(len(part), row)
        written["fields"], written["id_bytes"], written["size"] = 2, 4, size
        written["id"] = np.arange(start, start + len(part))
        written["vector_bytes"], written["vector"] = 4 + 4 * size, part
        yield written.tobytes()
    yield b"\xff\xff"


def _to_text(row: Floats) -> str:
    return f"[{','.join(f'{x:.9g}' for x in row)}]"


WAYS: dict[str, Callable[[Floats, Sequence[int]], Iterator[tuple[str, float, Ask]]]] = {
    "pgvector": database_ways,
    "faiss": faiss_ways,
}

if __name__ == "__main__":
    main()
