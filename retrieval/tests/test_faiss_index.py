import numpy as np
import pytest

from retrieval import nearest, wanting
from retrieval.faiss_index import FaissIndex, Floats
from retrieval.models import Embedding, IndexVersion
from retrieval.services.indexes import Model
from retrieval.tests.test_similar import make_vector

SIZE = nearest.GRAPH_SIZE


def make_clusters(number: int, *, seed: int = 5) -> Floats:
    """Vectors in groups, as those of clothes are."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(40, SIZE))
    rows = middles[random.integers(0, 40, number)] + random.normal(0, 0.5, (number, SIZE))
    unit: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_flat_is_exact(metric):
    rows = make_clusters(300)
    index = FaissIndex(rows, list(range(1000, 1300)), kind="flat", metric=metric)

    scores, ids = index.search(rows[:5], 10)

    cosines = rows[:5] @ rows.T
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :10]
    assert (ids - 1000 == nearest).all()
    best = np.take_along_axis(cosines, nearest, axis=1)
    wanted = best if metric == "cosine" else np.sqrt(np.maximum(2 - 2 * best, 0))
    assert np.allclose(scores, wanted, atol=2e-3)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_the_quick_ones_find_nearly_all(kind, metric):
    rows, queries = make_clusters(4000), make_clusters(50, seed=5)[:50]
    exact = FaissIndex(rows, range(4000), kind="flat", metric=metric).search(queries, 20)[1]

    found = FaissIndex(rows, range(4000), kind=kind, metric=metric).search(queries, 20)[1]

    recall = np.mean([len({*a} & {*b}) / 20 for a, b in zip(exact, found, strict=True)])
    assert recall >= 0.98


def test_both_metrics_order_unit_vectors_alike():
    rows = make_clusters(500)
    answers = [
        FaissIndex(rows, range(500), kind="flat", metric=metric).search(rows[:20], 10)[1]
        for metric in ("cosine", "l2")
    ]

    assert (answers[0] == answers[1]).mean() > 0.99


def test_a_tiny_or_empty_shop():
    one = FaissIndex(make_clusters(1), [7], kind="ivf", metric="cosine")
    assert one.search(make_clusters(1), 3)[1].tolist() == [[7, -1, -1]]

    empty = FaissIndex(np.zeros((0, SIZE), np.float32), [], kind="hnsw", metric="l2")
    assert empty.search(make_clusters(1), 2)[1].tolist() == [[-1, -1]]


@pytest.mark.django_db
def test_the_same_answers_as_the_database(tenant):
    for row in make_clusters(60):
        make_vector(tenant, row)
    stored = list(Embedding.objects.order_by("id").values_list("id", "photo_id", "vector"))
    photos = {id_: photo for id_, photo, _vector in stored}
    vectors = np.array([vector for _id, _photo, vector in stored], dtype=np.float32)
    index = FaissIndex(vectors, list(photos), kind="flat", metric="cosine")
    query = make_clusters(1, seed=9)

    scores, ids = index.search(query, 10)
    near = nearest.find_nearest(
        index=IndexVersion.objects.get(tenant=tenant),
        wanted=wanting.Wanted(Model("kalas-mini", "1"), query[0].tolist()),
        limit=10,
    )

    assert [each.photo_id for each in near] == [photos[id_] for id_ in ids[0].tolist()]
    assert np.allclose([each.similarity for each in near], scores[0], atol=1e-5)
