"""The nearest vectors of a shop: exact while few photos can be meant, by the graph of near vectors
above that. Vectors have length 1, so cosine and L2 order alike, and one graph serves both.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.cache import caches
from django.db import connection, transaction
from django.db.models import Func, IntegerField, QuerySet
from django.db.models.functions import Cast
from pgvector.django import CosineDistance, VectorField

from retrieval.filters import NO_FILTERS, Filters, filter_by
from retrieval.models import Embedding, IndexVersion, Product
from retrieval.services.indexes import to_unit
from retrieval.wanting import Wanted

# Where the graph overtakes comparing all (benchmarks/search.py).
EXACT_UP_TO = 10_000
# The graph's vectors; those of other sizes are compared one by one.
GRAPH_SIZE = 256
# Of 100,000 vectors they find 0.99 of the nearest twenty, 300 no more (benchmarks/search.py).
GRAPH_CANDIDATES = 120
# Vectors, of all shops, that one question walks over at most; then the shop's are compared.
GRAPH_SCANNED = 20_000
# Photos looked at for each product wanted, before more are asked for.
_PHOTOS_EACH = 4
_REMEMBER_S = 60

Rows = QuerySet[Embedding, Any]
Row = tuple[UUID, UUID, float]


@dataclass(frozen=True, slots=True)
class Near:
    photo_id: UUID
    product_id: UUID
    similarity: float


def find_nearest(
    *, index: IndexVersion, wanted: Wanted, filters: Filters = NO_FILTERS, limit: int
) -> list[Near]:
    """The nearest photo of each of the nearest products, nearest first, however far they are."""
    products = filter_by(Product.objects.filter(tenant_id=index.tenant_id), filters)
    if wanted.but_not:
        products = products.exclude(id=wanted.but_not)
    rows = Embedding.objects.filter(tenant_id=index.tenant_id, index=index)
    if not (filters.are_empty and wanted.but_not is None):
        rows = rows.filter(photo__product__in=products)
    if wanted.but_not_photo:
        rows = rows.exclude(photo_id=wanted.but_not_photo)
    vector = to_unit(wanted.vector)
    # With a filter that leaves few, comparing those few is exact and quicker than the graph.
    few = _count_up_to(rows, EXACT_UP_TO, index, filters) <= EXACT_UP_TO
    exact = few or len(vector) != GRAPH_SIZE
    wide = limit * _PHOTOS_EACH
    while True:
        found = (
            _ask(near_by_comparing(rows, vector), wide)
            if exact
            else _ask_graph(near_in_graph(rows, vector), wide)
        )
        best: dict[UUID, Near] = {}
        for photo_id, product_id, distance in found:
            best.setdefault(product_id, Near(photo_id, product_id, 1 - distance))
        if len(best) >= limit or (exact and len(found) < wide):
            return list(best.values())[:limit]
        # Others' vectors lay all around: what the graph gave up to look for is compared.
        exact = exact or len(found) < wide
        wide *= 4


def _count_up_to(
    rows: "QuerySet[Embedding]", most: int, index: IndexVersion, filters: Filters
) -> int:
    """How many rows there are, at most one more than `most`.

    Of a whole index it is remembered: it decides how is searched, not what is found.
    """
    if not filters.are_empty:
        return rows[: most + 1].count()
    key = f"retrieval.size.{index.id}"
    number: int | None = caches["local"].get(key)
    if number is None:
        number = index.embeddings.all()[: most + 1].count()
        caches["local"].set(key, number, _REMEMBER_S)
    return number


def near_by_comparing(rows: Rows, vector: list[float]) -> Rows:
    """All of them, exactly: the column itself has no graph."""
    near: Rows = rows.annotate(distance=CosineDistance("vector", vector))
    return near.order_by("distance", "photo_id")  # type: ignore[misc]  # an annotation


def near_in_graph(rows: Rows, vector: list[float]) -> Rows:
    """Along near vectors, as the migration's index knows them."""
    size = Func("vector", function="vector_dims", output_field=IntegerField())
    column = Cast("vector", VectorField(dimensions=GRAPH_SIZE))
    near = rows.annotate(size=size).filter(size=GRAPH_SIZE)
    near = near.annotate(distance=CosineDistance(column, vector))
    return near.order_by("distance")


def _ask(near: Rows, limit: int) -> list[Row]:
    rows = near.values_list("photo_id", "photo__product_id", "distance")  # type: ignore[misc]  # an annotation
    return list(rows[:limit])


def _ask_graph(near: Rows, limit: int) -> list[Row]:
    """On until enough of what is near is the shop's and matches the filters, or GRAPH_SCANNED."""
    candidates = min(max(GRAPH_CANDIDATES, limit), 1000)
    with transaction.atomic():
        with connection.cursor() as cursor:
            # For a statement that is prepared PostgreSQL may take a plan that fits any vector and
            # any filter: that compares all of the shop's.
            cursor.execute(
                "SET LOCAL plan_cache_mode = 'force_custom_plan';"
                "SET LOCAL hnsw.iterative_scan = 'strict_order';"
                f"SET LOCAL hnsw.ef_search = {candidates};"
                f"SET LOCAL hnsw.max_scan_tuples = {GRAPH_SCANNED}"
            )
        return _ask(near, limit)
