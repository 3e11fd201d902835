"""The stores that a shop's photos come from.

They are the business of an app above this one, which says how they are found when it is loaded.
"""

from collections.abc import Callable
from uuid import UUID

from django.db.models import Q

from accounts.models import Tenant

Stores = list[tuple[str, str]]
_list: list[Callable[[Tenant], Stores]] = []
_filter: list[Callable[[UUID], Q]] = []


def offer_stores(*, list_stores: Callable[[Tenant], Stores], of_store: Callable[[UUID], Q]) -> None:
    """`list_stores`: ids and names of a shop's; `of_store` tells which annotations are one's."""
    _list.append(list_stores)
    _filter.append(of_store)


def list_stores(tenant: Tenant) -> Stores:
    """By name."""
    stores = [store for each in _list for store in each(tenant)]
    return sorted(stores, key=lambda store: store[1].casefold())


def of_store(store_id: UUID) -> Q:
    found = Q(pk__in=[])
    for each in _filter:
        found |= each(store_id)
    return found
