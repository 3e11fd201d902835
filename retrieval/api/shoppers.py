"""Who may only search, as publishable keys do, searches for shoppers: what the shop does not show
them is as unknown as a made-up id."""

from dataclasses import replace

from accounts.api.authentication import Caller
from annotations.models import TenantQuerySet
from retrieval.filters import Filters
from retrieval.models import Product


def visible_products(caller: Caller) -> TenantQuerySet[Product]:
    products: TenantQuerySet[Product] = Product.objects.for_tenant(caller.tenant)
    return products.filter(listed=True) if caller.only_searches else products


def narrow(filters: Filters, caller: Caller) -> Filters:
    """One query or none: where all is shown, nothing need be filtered."""
    if not caller.only_searches or not hides_products(caller):
        return filters
    return replace(filters, listed=True)


def hides_products(caller: Caller) -> bool:
    return Product.objects.for_tenant(caller.tenant).filter(listed=False).exists()
