"""Composed reads of products for pages and exports; each says how many queries it makes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import (
    Case,
    Count,
    Exists,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.translation import get_language

from accounts.models import Tenant
from annotations.models import Annotation
from retrieval import words
from retrieval.auditing.advice import CODES, PhotoReport
from retrieval.filters import Filters, filter_by
from retrieval.models import NearDuplicate, Product, ProductImage
from retrieval.services.judgements import read_newest_annotations

SORTS = {
    "best": ("-meant", "-rank", "-created_at", "id"),
    "newest": ("-created_at", "id"),
    "oldest": ("created_at", "id"),
    "title": ("title", "external_id", "id"),
    "cheapest": ("price", "-created_at", "id"),
    "dearest": ("-price", "-created_at", "id"),
    "unsure": ("confidence", "-created_at", "id"),
}


@dataclass(slots=True)
class PhotoOfProduct:
    """A photo with the newest annotation of it; none while it is still to be fetched."""

    photo: ProductImage
    annotation: Annotation | None
    number: int
    report: PhotoReport | None = None


@dataclass(frozen=True, slots=True)
class Twin:
    """Another product with nearly the same photo."""

    duplicate: NearDuplicate
    product: Product


def filter_products(
    *,
    tenant: Tenant,
    text: str = "",
    state: str = "",
    object_type: str = "",
    category: str = "",
    colour: str = "",
    stock: str = "",
    store: UUID | None = None,
    flag: str = "",
    sort: str = "newest",
) -> QuerySet[Product, Any]:
    """The shop's products that match all of it; "best" sorts only what is searched by words."""
    wanted = Filters(
        state=state,
        object_type=object_type,
        category=category,
        stock=stock,
        colour=colour,
        store=store,
    )
    products: QuerySet[Product, Any] = filter_by(Product.objects.for_tenant(tenant), wanted)
    if flag:
        products = _filter_flag(products, flag)
    if text:
        products = _filter_text(products, text)
    order = SORTS[sort]
    if order[0] in ("price", "-price", "confidence"):
        products = products.exclude(**{order[0].lstrip("-"): None})
    return products.order_by(*order)


def with_covers(products: QuerySet[Product, Any]) -> QuerySet[Product, Any]:
    """With `cover_id`, the photo to show, and `photo_count`; no further query."""
    shown = ProductImage.objects.filter(product=OuterRef("id"), image__isnull=False)
    best_first = Case(When(verdict="best", then=Value(0)), default=Value(1))
    covers = shown.order_by(best_first, "position", "id")
    counts = shown.order_by().values("product").annotate(number=Count("id")).values("number")
    return products.annotate(
        cover_id=Subquery(covers.values("image_id")[:1]),
        photo_count=Coalesce(Subquery(counts, output_field=IntegerField()), 0),
    )


def count_states(products: QuerySet[Product, Any]) -> dict[str, int]:
    """How many of these are in each state, and "" for all; one query."""
    rows = products.order_by().values_list("state").annotate(number=Count("id"))
    found = dict(rows)
    return {"": sum(found.values()), **{state: found.get(state, 0) for state in Product.State}}


def count_categories(*, tenant: Tenant) -> list[tuple[str, int]]:
    """The categories of the shop's products, the most frequent first; one query."""
    products = Product.objects.for_tenant(tenant).exclude(category="")
    rows = products.values_list("category").annotate(number=Count("id"))
    return [(row[0], row[1]) for row in rows.order_by("-number", "category")]


def list_photos(*, product: Product) -> list[PhotoOfProduct]:
    """In the shop's order, with garments and colours; four queries."""
    photos = list(product.photos.in_order().select_related("image", "garment"))
    newest = read_newest_annotations([photo.image_id for photo in photos if photo.image_id])
    return [
        PhotoOfProduct(photo, newest.get(photo.image_id) if photo.image_id else None, number)
        for number, photo in enumerate(photos, start=1)
    ]


def list_twins(*, product: Product) -> list[Twin]:
    """Products that may be the same, the nearest first; one query."""
    pairs = NearDuplicate.objects.filter(
        Q(product=product) | Q(other=product), dismissed_at=None
    ).select_related("product", "other")
    twins = [
        Twin(pair, pair.other if pair.product_id == product.id else pair.product)
        for pair in pairs.order_by("distance", "id")
    ]
    covers = find_covers([twin.product.id for twin in twins])
    for twin in twins:
        twin.product.cover_id = covers.get(twin.product.id)  # type: ignore[attr-defined]
    return twins


def find_covers(product_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The photo to show of each; one query, or none."""
    if not product_ids:
        return {}
    products = with_covers(Product.objects.filter(id__in=product_ids))
    rows = products.values_list("id", "cover_id")  # type: ignore[misc]  # an annotation
    return {product_id: cover_id for product_id, cover_id in rows if cover_id}


def _filter_text(products: QuerySet[Product, Any], text: str) -> QuerySet[Product, Any]:
    """Those that all words match, by meaning or as they are written, or that have this id."""
    reading = words.read(text, get_language() or "en")
    found = words.annotate(products, reading)
    has_id = Q(external_id__icontains=text) | Q(also_known_as__contains=[text])
    number = len(reading.terms)
    return found.filter(Q(matched=number) | has_id) if number else found.filter(has_id)


def _filter_flag(products: QuerySet[Product, Any], flag: str) -> QuerySet[Product, Any]:
    if flag == "disagree":
        return products.filter(photos_disagree=True)
    if flag == "unlisted":
        return products.filter(listed=False)
    if flag == "no-photo":
        return products.filter(~Exists(ProductImage.objects.filter(product=OuterRef("id"))))
    if flag == "refused-photo":
        refused = ProductImage.objects.filter(product=OuterRef("id"), state="refused")
        return products.filter(Exists(refused))
    if flag in ("faults", "gaps", *CODES):
        return filter_by(products, Filters(advice=flag))
    pairs = NearDuplicate.objects.filter(dismissed_at=None)
    return products.filter(
        Exists(pairs.filter(product=OuterRef("id"))) | Exists(pairs.filter(other=OuterRef("id")))
    )
