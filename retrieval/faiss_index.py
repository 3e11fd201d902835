"""Vectors in memory for what asks thousands of questions at once: measuring, and shops so large
that a process of their own searches them. The same answers as PostgreSQL's.

Imports faiss, which takes a second: pages never import this.
"""

from collections.abc import Sequence
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Kind = Literal["flat", "ivf", "hnsw"]
Metric = Literal["cosine", "l2"]

# Lists by the square root of the vectors, as faiss advises; of them the searched share that gives
# recall@20 above 0.98 on real photos (benchmarks/search.py).
SEARCHED_LISTS = 1 / 8
NEIGHBOURS = 32
CANDIDATES = 128


class FaissIndex:
    """The vectors of one shop and one model, at first empty."""

    def __init__(self, vectors: Floats, ids: Sequence[int], *, kind: Kind, metric: Metric) -> None:
        """`vectors` (N, D); each is looked up by its id."""
        self._metric = metric
        rows = self._prepare(vectors)
        self._index = faiss.IndexIDMap2(_make(rows, kind, metric))
        self._index.add_with_ids(rows, np.asarray(ids, dtype=np.int64))

    def search(self, queries: Floats, limit: int) -> tuple[Floats, NDArray[np.int64]]:
        """Scores (Q, limit) and ids (Q, limit), the best first; id -1 where there are no more.

        Scores are cosines, or L2 distances.
        """
        scores, ids = self._index.search(self._prepare(queries), limit)
        if self._metric == "l2":
            scores = np.sqrt(np.maximum(scores, 0))
        return scores, ids

    def _prepare(self, vectors: Floats) -> Floats:
        rows = np.array(vectors, dtype=np.float32, order="C", ndmin=2)
        if self._metric == "cosine":
            faiss.normalize_L2(rows)
        return rows


def _make(rows: Floats, kind: Kind, metric: Metric) -> Any:
    """An empty index, trained on the rows where it needs that; on the GPU if there is one."""
    size = rows.shape[1]
    measure = faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2
    if kind == "hnsw":
        graph = faiss.IndexHNSWFlat(size, NEIGHBOURS, measure)
        graph.hnsw.efConstruction = graph.hnsw.efSearch = CANDIDATES
        return graph
    flat = faiss.IndexFlat(size, measure)
    if kind == "flat" or len(rows) < 1000:
        return _to_gpu(flat)
    lists = int(len(rows) ** 0.5)
    inverted = faiss.IndexIVFFlat(flat, size, lists, measure)
    inverted.train(rows)
    inverted.nprobe = max(1, round(lists * SEARCHED_LISTS))
    return _to_gpu(inverted)


def _to_gpu(index: Any) -> Any:
    """The CPU's package of faiss has no GPU functions, and answers alike without."""
    if getattr(faiss, "get_num_gpus", lambda: 0)() == 0:
        return index
    return faiss.index_cpu_to_all_gpus(index)
