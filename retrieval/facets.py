"""How many of some products have what, to narrow what was found."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.cache import caches
from django.db.models import Count, Func, QuerySet

from accounts.models import Tenant
from annotations.models import Label
from retrieval.models import Product

# Numbers beside suggestions may be so old: counting reads the whole catalogue.
REMEMBER_S = 300


@dataclass(frozen=True, slots=True)
class Facets:
    """How many of some products have what: name and number, the most frequent first."""

    categories: tuple[tuple[str, int], ...]
    objects: tuple[tuple[str, int], ...]
    colours: tuple[tuple[str, int], ...]
    attributes: tuple[tuple[str, int], ...]
    """key:value"""
    stock: tuple[tuple[str, int], ...]


def count_facets(products: "QuerySet[Product, Any]") -> Facets:
    """Three queries."""
    ids = products.order_by().values("id")
    plain_rows = Product.objects.filter(id__in=ids)
    columns = list(
        plain_rows.values_list("category", "object_type", "stock").annotate(number=Count("id"))
    )
    colours = plain_rows.values(name=Func("colours", function="unnest")).annotate(
        number=Count("id")
    )
    labels = Label.objects.filter(garment__in=plain_rows.values("garment"))
    attributes = labels.values_list("key", "name").annotate(number=Count("garment"))
    return Facets(
        categories=_add_up((row[0], row[3]) for row in columns),
        objects=_add_up((row[1], row[3]) for row in columns),
        colours=_add_up((row["name"], row["number"]) for row in colours),
        attributes=_add_up((f"{key}:{name}", number) for key, name, number in attributes),
        stock=_add_up((row[2], row[3]) for row in columns),
    )


def read_shop_facets(tenant: Tenant, *, only_listed: bool = False) -> Facets:
    """Of the whole shop or what shoppers see of it, at most five minutes old."""
    key = f"retrieval.facets.{tenant.id}.{only_listed}"
    facets: Facets | None = caches["local"].get(key)
    if facets is None:
        products = Product.objects.for_tenant(tenant)
        facets = count_facets(products.filter(listed=True) if only_listed else products)
        if facets.categories:
            caches["local"].set(key, facets, REMEMBER_S)
    return facets


def _add_up(pairs: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    sums: dict[str, int] = {}
    for name, number in pairs:
        if name:
            sums[name] = sums.get(name, 0) + number
    return tuple(sorted(sums.items(), key=lambda item: (-item[1], item[0])))
