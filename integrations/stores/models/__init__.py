"""Stores that are connected, what they tell, and what Kalas writes into them."""

from typing import Any

from integrations.stores.models.products import StoreDelivery, StoreProduct
from integrations.stores.models.stores import Platform, Store, StoreQuerySet, StoreRun
from integrations.stores.models.writing import StoreTerm, StoreWord, WriteBack

__all__ = [
    "STORE_TABLES",
    "Platform",
    "Store",
    "StoreDelivery",
    "StoreProduct",
    "StoreQuerySet",
    "StoreRun",
    "StoreTerm",
    "StoreWord",
    "WriteBack",
]

STORE_TABLES: tuple[type[Any], ...] = (
    Store,
    StoreRun,
    StoreProduct,
    StoreDelivery,
    WriteBack,
    StoreWord,
    StoreTerm,
)
