"""Products that look alike: found by the vectors of their photos, with the reasons beside.

Exact while few photos can be meant, by the graph of near vectors above that. Vectors have length
1, so cosine and L2 order alike, and one graph serves both.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any
from uuid import UUID

import numpy as np
from django.core.cache import caches
from django.db import connection, transaction
from django.db.models import Exists, Func, IntegerField, OuterRef, Prefetch, QuerySet
from django.db.models.functions import Cast
from django.utils.translation import gettext as _
from pgvector.django import CosineDistance, VectorField

from accounts.models import Tenant
from annotations.models import Annotation, Colour, Garment
from inference import contract
from inference.ciede import ciede2000, hex_to_lab
from retrieval import details
from retrieval.filters import NO_FILTERS, Filters, filter_by
from retrieval.models import ActiveIndex, Embedding, IndexVersion, Product, ProductImage
from retrieval.services.indexes import Model, list_missing, list_searchable_photos, to_unit

# Where the graph overtakes comparing all (benchmarks/search.py).
EXACT_UP_TO = 10_000
# The graph's vectors; those of other sizes are compared one by one.
GRAPH_SIZE = 256
# Of 100,000 vectors they find 0.99 of the nearest twenty, 300 no more (benchmarks/search.py).
GRAPH_CANDIDATES = 120
# Vectors, of all shops, that one question walks over at most; then the shop's are compared.
GRAPH_SCANNED = 20_000
MOST = 100
# Photos looked at for each product wanted, before more are asked for.
_PHOTOS_EACH = 4
_REMEMBER_S = 60
_REMEMBER_COVERAGE_S = 10


Rows = QuerySet[Embedding, Any]
Row = tuple[UUID, UUID, float]


class BeingBuilt(Exception):
    """What this can be compared with is not begun yet; the message is for people."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is said of a garment beside its vector."""

    object_type: str
    category: str
    attributes: frozenset[tuple[str, str]]
    colours: tuple[tuple[str, str, float], ...]
    """Name, #rrggbb and share, the largest first."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: a vector of a model; without a look there is no reason to give."""

    model: Model
    vector: Sequence[float]
    look: Look | None = None
    box: contract.Box | None = None
    but_not: UUID | None = None
    """The product that it is itself."""
    but_not_photo: UUID | None = None
    """A photo that is asked for as if it were not there."""


@dataclass(frozen=True, slots=True)
class Why:
    same_object: bool
    same_category: bool
    attributes: tuple[tuple[str, str], ...]
    """Those of both, as key and value."""
    colours: tuple[str, ...]
    """Names that both have."""
    colour_distance: float | None
    """CIEDE2000 from each of its colours to the nearest, by share: below 10 is nearly the same."""


@dataclass(frozen=True, slots=True)
class Match:
    """A product by that photo of it which is most similar."""

    product: Product
    photo: ProductImage
    garment: Garment
    similarity: float
    """The cosine of the two vectors, at most 1."""
    why: Why | None
    details: float | None = None
    """The share (0 to 1) of the asked details that it has; None where they were not compared."""

    @property
    def distance(self) -> float:
        """L2, between 0 and 2."""
        return sqrt(max(2 - 2 * self.similarity, 0.0))


def find_similar(
    *,
    tenant: Tenant,
    wanted: Wanted,
    filters: Filters = NO_FILTERS,
    limit: int = 20,
    cut_off: float | None = None,
    asked: details.Asked | None = None,
) -> list[Match]:
    """The shop's most similar products, best first; none where nothing is similar enough.

    `cut_off` replaces the index's own least similarity; where details are `asked` for, they order
    the most similar. Raises BeingBuilt.
    """
    index = find_index(tenant=tenant, model=wanted.model)
    if index is None:
        return []
    least = index.cut_off if cut_off is None else cut_off
    pool = max(limit, details.POOL) if asked else limit
    nearest = find_nearest(index=index, wanted=wanted, filters=filters, limit=pool)
    near = {row.photo_id: row.similarity for row in nearest if row.similarity >= least}
    if asked is None:
        return _describe(index, near, wanted.look)
    shares = details.share(tenant=tenant, asked=asked, photos=list(near))
    near = dict(details.order(near, shares)[:limit])
    matches = _describe(index, near, wanted.look)
    return [replace(match, details=shares.get(match.photo.id)) for match in matches]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of a shop's photos a search could find; `error` says why an index is not completed."""

    share: float
    """0 to 1"""
    state: str
    """An index's, or none without an index."""
    error: str = ""

    @property
    def is_whole(self) -> bool:
        return self.share >= 1


NO_INDEX = Coverage(1.0, "none")


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


def find_index(*, tenant: Tenant, model: Model) -> IndexVersion | None:
    """That of the model, also while it is being built: then not everything is found yet.

    None where the shop has nothing to be found. Raises BeingBuilt.
    """
    indexes = IndexVersion.objects.for_tenant(tenant)
    index = indexes.filter(model_name=model.name, model_version=model.version).first()
    if index is not None or not indexes.exists():
        return index
    raise BeingBuilt(
        _(
            "The search index for %(model)s is begun within five minutes. Photos can be searched"
            " with from then on; products and words find what they found before."
        )
        % {"model": str(model)}
    )


def find_coverage(*, tenant: Tenant, model: Model | None) -> Coverage:
    """How much of the shop's photos the index of this model can find, or the one in use.

    What its model looked at without seeing a garment counts as looked at. At most
    `_REMEMBER_COVERAGE_S` old: counting reads a row of each photo.
    """
    indexes = IndexVersion.objects.for_tenant(tenant)
    if model is None:
        index = indexes.filter(id__in=ActiveIndex.objects.values("index")).first()
    else:
        index = indexes.filter(model_name=model.name, model_version=model.version).first()
    if index is None:
        return NO_INDEX
    key = f"retrieval.coverage.{index.id}.{index.state}.{bool(index.error)}"
    found: Coverage | None = caches["local"].get(key)
    if found is None:
        whole = list_searchable_photos(tenant.id).count()
        missing = list_missing(index).count()
        share = 1 - missing / whole if whole else 1.0
        # What is ready stays searchable where its engine went away; the rest does not follow.
        gave_up = missing and index.error
        found = Coverage(share, IndexVersion.State.FAILED if gave_up else index.state, index.error)
        caches["local"].set(key, found, _REMEMBER_COVERAGE_S)
    return found


def want_found(
    result: contract.AnnotationResult, garment: contract.Garment | None = None
) -> Wanted | None:
    """The engine's main garment, or the given one of its answer; None where there is none."""
    seen = [each for each in result.garments if each.embedding]
    best = garment or max(seen, key=lambda each: (each.primary, each.confidence), default=None)
    if best is None or not best.embedding:
        return None
    look = Look(
        object_type=best.object,
        category=best.category.name,
        attributes=frozenset((label.key, label.name) for label in best.attributes),
        colours=tuple((c.name, c.hex, c.share) for c in best.colours),
    )
    model = Model(result.model.name, result.model.version)
    return Wanted(model=model, vector=best.embedding, look=look, box=best.box)


def want_garment(garment: Garment, *, but_not: UUID | None = None) -> Wanted | None:
    """A garment of the shop's photos; None where it has no vector."""
    if garment.embedding is None:
        return None
    model = Model(garment.annotation.model_name, garment.annotation.model_version)
    look = describe_look(garment)
    return Wanted(model, list(garment.embedding), look, garment.box, but_not)


def want_annotation(annotation: Annotation, *, garment_id: UUID | None = None) -> Wanted | None:
    """Its main garment, or the given one; None where there is none. Three queries.

    The product that the photo is of is not what is looked for, if it is of one only.
    """
    garments = _with_look(annotation.garments.exclude(embedding=None))
    if garment_id:
        garments = garments.filter(id=garment_id)
    garment = garments.order_by("-primary", "-confidence", "id").first()
    if garment is None:
        return None
    photos = ProductImage.objects.filter(image_id=annotation.image_id)
    own = set(photos.values_list("product_id", flat=True)[:2])
    return want_garment(garment, but_not=own.pop() if len(own) == 1 else None)


def want_product(product: Product) -> Wanted | None:
    """Its best photo in the index that is searched, else in the newest that has one.

    None where it has no vector. Four queries.
    """
    ready = IndexVersion.State.READY
    active = ActiveIndex.objects.filter(index=OuterRef("index"))
    rows = Embedding.objects.filter(photo__product=product, index__state=ready)
    # "agrees" comes before "best".
    row = (
        rows.select_related("index")
        .order_by(
            Exists(active).desc(), "-index__created_at", "-photo__verdict", "photo__position", "id"
        )
        .first()
    )
    if row is None:
        return None
    garment = _with_look(Garment.objects.filter(id=row.garment_id)).get()
    model = Model(row.index.model_name, row.index.model_version)
    return Wanted(model, list(row.vector), describe_look(garment), garment.box, product.id)


def explain_none(product: Product) -> str:
    """Why `want_product` knows nothing to compare it by: `not-indexed` may pass by itself,
    `no-retriever` and `no-garment` not."""
    garment = product.garment
    if garment is None:
        return "not-indexed" if product.state == Product.State.NEW else "no-garment"
    return "no-retriever" if garment.embedding is None else "not-indexed"


def describe_look(garment: Garment) -> Look:
    return Look(
        object_type=garment.object_type,
        category=garment.category,
        attributes=frozenset((label.key, label.name) for label in garment.labels.all()),
        colours=tuple(
            (c.name, c.hex, c.share) for c in sorted(garment.colours.all(), key=_by_position)
        ),
    )


def explain(wanted: Look, found: Look) -> Why:
    names = {name for name, _hex, _share in wanted.colours}
    return Why(
        same_object=wanted.object_type == found.object_type,
        same_category=wanted.category == found.category,
        attributes=tuple(sorted(wanted.attributes & found.attributes)),
        colours=tuple(name for name, _hex, _share in found.colours if name in names),
        colour_distance=_compare_colours(wanted, found),
    )


def _by_position(colour: Colour) -> int:
    return colour.position


def _compare_colours(wanted: Look, found: Look) -> float | None:
    if not (wanted.colours and found.colours):
        return None
    ours = hex_to_lab(*(code for _name, code, _share in wanted.colours))
    theirs = hex_to_lab(*(code for _name, code, _share in found.colours))
    shares = np.array([share for _name, _code, share in wanted.colours])
    nearest = ciede2000(ours[:, None], theirs[None]).min(axis=1)
    return round(float(nearest @ shares / shares.sum()), 1)


def _with_look(garments: "QuerySet[Garment]") -> "QuerySet[Garment]":
    return garments.select_related("annotation").prefetch_related("labels", "colours")


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


def _describe(index: IndexVersion, near: Mapping[UUID, float], look: Look | None) -> list[Match]:
    """With everything that a result shows; in their order. Five queries."""
    if not near:
        return []
    rows = Embedding.objects.filter(index=index, photo__in=list(near)).defer("vector")
    rows = rows.select_related("photo__product", "photo__image").prefetch_related(
        Prefetch("garment", Garment.objects.defer("embedding")),
        "garment__labels",
        "garment__colours",
    )
    found = {row.photo_id: row for row in rows}
    return [
        Match(
            product=row.photo.product,
            photo=row.photo,
            garment=row.garment,
            similarity=similarity,
            why=explain(look, describe_look(row.garment)) if look else None,
        )
        for row, similarity in _in_order(found, near)
    ]


def _in_order(
    found: Mapping[UUID, Embedding], near: Mapping[UUID, float]
) -> Iterable[tuple[Embedding, float]]:
    """Those that are still there."""
    return ((found[id_], similarity) for id_, similarity in near.items() if id_ in found)
