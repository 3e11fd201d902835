"""What goes with a product: garments of other types from the same shop, by a recommender that was
brought in. Each product's best photo has one vector, made once by a job."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from accounts.models import Tenant
from annotations import engine, files
from inference import client
from inference.contract import InvalidImage, ObjectType, OtherModel
from kalas.lib.shared_connections.base import lend_connection
from retrieval import jobs
from retrieval.models import OutfitVector, Product, ProductImage

PART = 25
TIMEOUT_S = 60.0
# Of each type; the newest, as a page can't wait for all of a large shop.
COMPARED = 150
SHOWN = 6

OUTERWEAR = ("coat-jacket", "formal-jacket", "cardigan", "waistcoat", "shawl-cape-poncho")
# Polyvore's types of accessories; all others are "accessories".
_ACCESSORIES = {
    **dict.fromkeys(("backpack", "handbag", "travel-bag", "wallet"), "bags"),
    **dict.fromkeys(("watch", "earrings", "necklace", "bracelet", "ring"), "jewellery"),
    "hat": "hats",
    "scarf": "scarves",
    "eyewear": "sunglasses",
}
_TYPES = {
    "lower-body": "bottoms",
    "full-body": "all-body",
    "footwear": "shoes",
    "upper-body": "tops",
}
# Who wears a dress wears no trousers with it.
_NEVER = {
    "all-body": {"tops", "bottoms"},
    "tops": {"all-body"},
    "bottoms": {"all-body"},
}


class NoRecommender(Exception):
    """The engine has none: its weights were not brought in, or it is away."""


@dataclass(frozen=True, slots=True)
class Matching:
    product: Product
    image_id: UUID
    distance: float
    """Of the recommender: less goes better; comparable within one type only."""


@dataclass(frozen=True, slots=True)
class Group:
    kind: str
    """One of Polyvore's types."""
    products: tuple[Matching, ...]


@dataclass(frozen=True, slots=True)
class Found:
    model: OtherModel
    groups: tuple[Group, ...]
    waiting: int
    """Products of the shop whose vectors are still made."""


def find_matching(*, tenant: Tenant, product: Product, only_listed: bool = False) -> Found:
    """By type, the best first. Missing vectors are begun with.

    Raises NoRecommender, client.Overloaded and client.Unavailable.
    """
    model = find_recommender()
    missing = list_missing(tenant.id, model)
    waiting = missing.count()
    if waiting:
        jobs.defer_outfits(tenant.id)
    own = _list_vectors(tenant, model).filter(photo__product=product).first()
    if own is None:
        return Found(model, (), waiting)
    kind = tell_type(product.object_type, product.category)
    candidates = list(_list_candidates(tenant, model, kind, only_listed=only_listed))
    if not candidates:
        return Found(model, (), waiting)
    lend_connection()
    distances = client.Client(settings.INFERENCE_URL, model=model.choice).compare(
        (kind, list(own.vector)),
        [(other, list(row.vector)) for other, row in candidates],
    )
    return Found(model, tuple(_group(candidates, distances)), waiting)


def find_recommender() -> OtherModel:
    """Raises NoRecommender."""
    found = engine.find_others("outfits")
    if not found:
        raise NoRecommender
    return found[-1]


def prepare_part(*, tenant_id: UUID) -> bool:
    """Make the next vectors; False when there are no more. Any number of times.

    Raises client.Overloaded, client.Unavailable and files.StorageAway to go on later.
    """
    try:
        model = find_recommender()
    except NoRecommender:
        return False
    photos = list(list_missing(tenant_id, model).select_related("image", "garment")[:PART])
    for photo in photos:
        _keep(photo, model, _ask(photo, model))
    return bool(photos)


def list_missing(tenant_id: UUID, model: OtherModel) -> QuerySet[ProductImage]:
    """Best photos that this version of the model has not seen with what they show now."""
    photos = ProductImage.objects.filter(
        tenant_id=tenant_id, verdict="best", image__isnull=False, garment__isnull=False
    )
    seen = Q(outfit_vector__model=_name(model), outfit_vector__garment=F("garment"))
    return photos.exclude(seen).order_by("id")


def tell_type(object_type: str, category: str) -> str:
    """Polyvore's type of a kalas-1 category."""
    if category in OUTERWEAR:
        return "outerwear"
    return _TYPES.get(object_type) or _ACCESSORIES.get(category, "accessories")


def _list_vectors(tenant: Tenant, model: OtherModel) -> QuerySet[OutfitVector]:
    rows = OutfitVector.objects.for_tenant(tenant).filter(model=_name(model), photo__verdict="best")
    return rows.exclude(vector=None).select_related("photo__product")


def _list_candidates(
    tenant: Tenant, model: OtherModel, kind: str, *, only_listed: bool
) -> Iterator[tuple[str, OutfitVector]]:
    """Of each other type the newest that can be bought; one query for each type of object."""
    numbers: dict[str, int] = {}
    rows = _list_vectors(tenant, model).exclude(photo__product__stock="out-of-stock")
    if only_listed:
        rows = rows.filter(photo__product__listed=True)
    for object_type in (*_TYPES, "accessory"):
        own = rows.filter(photo__product__object_type=object_type)
        for row in own.order_by("-photo__product__created_at", "photo_id")[: 2 * COMPARED]:
            product = row.photo.product
            other = tell_type(product.object_type, product.category)
            if other == kind or other in _NEVER.get(kind, ()):
                continue
            numbers[other] = numbers.get(other, 0) + 1
            if numbers[other] <= COMPARED:
                yield other, row


def _group(
    candidates: Sequence[tuple[str, OutfitVector]], distances: Sequence[float]
) -> Iterator[Group]:
    by_type: dict[str, list[Matching]] = {}
    for (kind, row), distance in zip(candidates, distances, strict=True):
        assert row.photo.image_id is not None  # noqa: S101 - it has a vector
        found = Matching(row.photo.product, row.photo.image_id, distance)
        by_type.setdefault(kind, []).append(found)
    for kind, products in by_type.items():
        best = sorted(products, key=lambda each: (each.distance, each.product.id))
        yield Group(kind, tuple(best[:SHOWN]))


def _ask(photo: ProductImage, model: OtherModel) -> list[float] | None:
    assert photo.image is not None  # noqa: S101 - `list_missing`
    assert photo.garment is not None  # noqa: S101
    try:
        data = files.read_photo(photo.image)
        lend_connection()
        result = client.Client(settings.INFERENCE_URL, model=model.choice).annotate(
            data,
            crop=photo.garment.box,
            hint=cast(ObjectType, photo.garment.object_type),
            timeout=TIMEOUT_S,
        )
    except (FileNotFoundError, InvalidImage):
        return None
    return list(result.garments[0].embedding) if result.garments else None


def _keep(photo: ProductImage, model: OtherModel, vector: list[float] | None) -> None:
    assert photo.garment_id is not None  # noqa: S101 - `list_missing`
    try:
        with transaction.atomic():
            OutfitVector.objects.update_or_create(
                photo=photo,
                defaults={
                    "tenant_id": photo.tenant_id,
                    "garment_id": photo.garment_id,
                    "model": _name(model),
                    "vector": vector,
                },
            )
    except IntegrityError:  # the photo or what it shows was deleted meanwhile
        return


def _name(model: OtherModel) -> str:
    return f"{model.name}@{model.version}"
