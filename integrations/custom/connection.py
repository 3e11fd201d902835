"""A shop's own software behind the core's contract: it tells its products, and is told the rest."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from integrations.stores.changes import fold
from integrations.stores.contract import (
    Applied,
    BeforeWrite,
    Change,
    Page,
    Plan,
    RemoteAttribute,
    RemoteProduct,
    Shop,
    Webhook,
)
from integrations.stores.failures import StoreFailed

# Keeps the product as it will be and tells of its change, both or neither: how many are told.
Tell = Callable[[RemoteProduct, dict[str, Any]], int]


class Connection:
    """`find` gives a product as it was told last, with what was changed in it since."""

    def __init__(self, *, find: Callable[[str], RemoteProduct | None], tell: Tell) -> None:
        self._find, self._tell = find, tell

    def check(self) -> Shop:
        return Shop()

    def fetch_product(self, product_id: str) -> RemoteProduct | None:
        return self._find(product_id)

    def list_products(self, *, cursor: str = "", modified_after: datetime | None = None) -> Page:
        return Page(())

    def list_ids(self) -> set[str]:
        return set()

    def list_categories(self) -> Sequence[str]:
        return ()

    def apply(
        self,
        product_id: str,
        plan: Plan,
        *,
        marker: str,
        create_categories: bool,
        before_write: BeforeWrite,
    ) -> Applied:
        before = self._find(product_id)
        if before is None or not before.is_there:
            raise StoreFailed("not-there")
        change = plan(before)
        if not change:
            return Applied(before, before, change)
        before_write(before, change)
        after = replace(merge(before, change), marker=marker)
        if not self._tell(after, build_message(product_id, change, marker=marker)):
            raise StoreFailed("taken-by-nobody")
        return Applied(before, after, change)

    def list_webhooks(self, *, url: str) -> list[Webhook]:
        return []

    def ensure_webhooks(self, *, url: str) -> list[Webhook]:
        return []

    def remove_webhooks(self, *, url: str) -> None:
        return None


def build_message(product_id: str, change: Change, *, marker: str) -> dict[str, Any]:
    """What the shop's software is told: words to add and to take away, never whole lists."""
    return {
        "product": product_id,
        "change": marker,
        "add": {
            "tags": list(change.add_tags),
            "categories": list(change.add_categories),
            "attributes": {each.name: list(each.options) for each in change.attributes},
            "alt_texts": dict(change.alts),
        },
        "remove": {
            "tags": list(change.remove_tags),
            "categories": list(change.remove_categories),
            "attributes": [each.name for each in change.attributes if not each.options],
        },
    }


def merge(product: RemoteProduct, change: Change) -> RemoteProduct:
    """The product as it is once its shop has done what it was told."""
    gone = set(map(fold, (*change.remove_tags, *change.remove_categories)))
    set_anew = {fold(each.name): each for each in change.attributes}
    kept = [each for each in product.attributes if fold(each.name) not in set_anew]
    new = [RemoteAttribute(each.name, each.options) for each in change.attributes if each.options]
    return replace(
        product,
        tags=(*(each for each in product.tags if fold(each) not in gone), *change.add_tags),
        categories=(
            *(each for each in product.categories if fold(each) not in gone),
            *change.add_categories,
        ),
        attributes=(*kept, *new),
        images=tuple(
            replace(image, alt=change.alts.get(image.id, image.alt)) for image in product.images
        ),
    )
