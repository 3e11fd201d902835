"""The shop's own software as a store: its products are what it told, its answers are webhooks."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from integrations import messages
from integrations.custom import messages as custom_messages
from integrations.custom.connection import Connection
from integrations.stores.contract import RemoteProduct
from integrations.stores.models import Store, StoreProduct
from integrations.webhook_events import PRODUCT_ANNOTATED


class Inbox(custom_messages.Known):
    """What a store's software told of its products."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, product_id: str) -> RemoteProduct | None:
        rows = StoreProduct.objects.filter(store=self._store, external_id=product_id)
        told = rows.values_list("inbox", flat=True).first()
        return RemoteProduct.from_json(told) if told else None

    def keep(self, product: RemoteProduct) -> None:
        rows = StoreProduct.objects.filter(store=self._store, external_id=product.id)
        rows.update(inbox=product.to_json())


def open_connection(store: Store) -> Connection:
    inbox = Inbox(store)

    @transaction.atomic
    def tell(after: RemoteProduct, data: dict[str, Any]) -> int:
        told = messages.tell(
            tenant_id=store.tenant_id,
            event=PRODUCT_ANNOTATED,
            data={"store": str(store.id), **data},
            now=timezone.now(),
        )
        if told:
            inbox.keep(after)
        return told

    return Connection(find=inbox.find, tell=tell)
