"""Which products of a shop are wanted, whatever they are searched by."""

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from annotations.models import Label
from retrieval.auditing.advice import FAULTS, GAPS
from retrieval.models import Product

Rows = TypeVar("Rows", bound="QuerySet[Product]")


@dataclass(frozen=True, slots=True)
class Filters:
    """All of it must be so; what is empty does not matter."""

    object_type: str = ""
    category: str = ""
    colour: str = ""
    attribute: str = ""
    """key:value"""
    price_from: Decimal | None = None
    price_to: Decimal | None = None
    stock: str = ""
    state: str = ""
    store: UUID | None = None
    listed: bool | None = None
    """Whether shoppers see it."""
    advice: str = ""
    """A code of the photo audit, "faults" for any fault of a photo, "gaps" for any missing view."""

    @property
    def are_empty(self) -> bool:
        return all(getattr(self, field.name) in ("", None) for field in fields(self))


NO_FILTERS = Filters()


def filter_by(products: Rows, wanted: Filters) -> Rows:
    for name, value in (
        ("object_type", wanted.object_type),
        ("category", wanted.category),
        ("stock", wanted.stock),
        ("state", wanted.state),
        ("store_id", wanted.store),
        ("listed", wanted.listed),
        ("price__gte", wanted.price_from),
        ("price__lte", wanted.price_to),
    ):
        if value not in ("", None):
            products = products.filter(**{name: value})
    if wanted.colour:
        products = products.filter(colours__contains=[wanted.colour])
    if wanted.advice:
        groups = {"faults": FAULTS, "gaps": GAPS}
        codes = groups.get(wanted.advice, (wanted.advice,))
        products = products.filter(photo_advice__overlap=list(codes))
    if wanted.attribute:
        key, _, value = wanted.attribute.partition(":")
        labels = Label.objects.filter(garment=OuterRef("garment"), key=key, name=value)
        products = products.filter(Exists(labels))
    return products
