"""What goes with a product: garments of other types from the same shop, by a recommender that was
brought in. Each product's best photo has one vector, made once by a job."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import BinaryField, F, Func, Q, QuerySet

from accounts.models import Tenant
from annotations import engine, files
from inference import client
from inference.contract import InvalidImage, ObjectType, OtherModel, Vectors
from kalas.lib.shared_connections.base import lend_connection
from retrieval import jobs
from retrieval.models import OutfitVector, Product, ProductImage

PART = 25
TIMEOUT_S = 60.0
COMPARED = 2000
"""At a time: two megabytes."""
SHOWN = 6
_VECTOR_HEAD = 4
"""Bytes before the numbers that pgvector sends."""

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
TYPES = (*_TYPES.values(), "outerwear", *dict.fromkeys(_ACCESSORIES.values()), "accessories")
"""In the order in which they are shown."""
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
    seen = _list_seen(tenant, model)
    own = list(_read(seen.filter(photo__product=product)[:1]))
    if not own:
        return Found(model, (), waiting)
    candidates = seen.exclude(photo__product__stock="out-of-stock").exclude(
        show_types({own[0].kind} | _NEVER.get(own[0].kind, set()))
    )
    if only_listed:
        candidates = candidates.filter(photo__product__listed=True)
    best = _Best()
    asked = Vectors(own[0].kind, own[0].vector)
    for part in _read_parts(candidates):
        best.add(part, _compare(model, asked, part))
    return Found(model, best.load(tenant), waiting)


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


def show_types(kinds: Iterable[str]) -> Q:
    """Rows whose product is of these types of Polyvore's."""
    found = Q(pk__in=())
    for kind in kinds:
        found |= _show_type(kind)
    return found


def _show_type(kind: str) -> Q:
    outerwear = Q(photo__product__category__in=OUTERWEAR)
    if kind == "outerwear":
        return outerwear
    objects = [name for name, of in _TYPES.items() if of == kind]
    if objects:
        return Q(photo__product__object_type__in=objects) & ~outerwear
    named = [name for name, of in _ACCESSORIES.items() if of == kind]
    chosen = Q(photo__product__category__in=named or _ACCESSORIES)
    rest = ~Q(photo__product__object_type__in=_TYPES) & ~outerwear
    return rest & (chosen if named else ~chosen)


class _Seen(NamedTuple):
    photo_id: UUID
    kind: str
    vector: bytes
    """float32, little-endian."""


class _Best:
    """Of each type the SHOWN that go best."""

    def __init__(self) -> None:
        self._by_type: dict[str, list[tuple[float, UUID]]] = {}

    def add(self, seen: Sequence[_Seen], distances: Sequence[float]) -> None:
        for each, distance in zip(seen, distances, strict=True):
            self._by_type.setdefault(each.kind, []).append((distance, each.photo_id))
        for kind, found in self._by_type.items():
            self._by_type[kind] = heapq.nsmallest(SHOWN, found)

    def load(self, tenant: Tenant) -> tuple[Group, ...]:
        chosen = [photo_id for found in self._by_type.values() for _, photo_id in found]
        photos = ProductImage.objects.for_tenant(tenant).select_related("product").in_bulk(chosen)
        return tuple(
            Group(
                kind,
                tuple(
                    Matching(photos[pk].product, cast(UUID, photos[pk].image_id), distance)
                    for distance, pk in found
                    if pk in photos
                ),
            )
            for kind in TYPES
            if (found := self._by_type.get(kind))
        )


def _list_seen(tenant: Tenant, model: OtherModel) -> QuerySet[OutfitVector]:
    rows = OutfitVector.objects.for_tenant(tenant).filter(model=_name(model), photo__verdict="best")
    return rows.exclude(vector=None).order_by("photo_id")


def _read_parts(rows: QuerySet[OutfitVector]) -> Iterator[list[_Seen]]:
    """All of them, COMPARED at a time, however many there are."""
    part = list(_read(rows[:COMPARED]))
    while part:
        yield part
        part = list(_read(rows.filter(photo_id__gt=part[-1].photo_id)[:COMPARED]))


def _read(rows: QuerySet[OutfitVector]) -> Iterator[_Seen]:
    # As text a vector is three times as long, and a hundred times as slow to read.
    sent = Func(F("vector"), function="vector_send", output_field=BinaryField())
    for photo_id, object_type, category, data in rows.values_list(
        "photo_id", "photo__product__object_type", "photo__product__category", sent
    ):
        numbers = np.frombuffer(data, ">f4", offset=_VECTOR_HEAD)
        yield _Seen(photo_id, tell_type(object_type, category), numbers.astype("<f4").tobytes())


def _compare(model: OtherModel, asked: Vectors, seen: Sequence[_Seen]) -> list[float]:
    """In their order."""
    places: dict[str, list[int]] = {}
    for i, each in enumerate(seen):
        places.setdefault(each.kind, []).append(i)
    others = [Vectors(k, b"".join(seen[i].vector for i in own)) for k, own in places.items()]
    lend_connection()
    found = client.Client(settings.INFERENCE_URL, model=model.choice).compare(asked, others)
    order = [i for own in places.values() for i in own]
    distances = dict(zip(order, found, strict=True))
    return [distances[i] for i in range(len(seen))]


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
