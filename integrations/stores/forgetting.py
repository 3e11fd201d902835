"""The log of deliveries and the history of changes stay within bounds."""

from datetime import datetime, timedelta
from uuid import UUID

from integrations.stores.models import Store, StoreDelivery, WriteBack
from retrieval.models import Product
from retrieval.services import products

KEEP_DELIVERIES = timedelta(days=30)
KEEP_DISMISSED = timedelta(days=30)
CHUNK = 1000


def forget_old(*, now: datetime) -> int:
    """Return how many rows went. What was written stays, so that it can be undone."""
    old_deliveries = StoreDelivery.objects.filter(received_at__lt=now - KEEP_DELIVERIES)
    dismissed = WriteBack.objects.filter(
        state=WriteBack.State.DISMISSED, created_at__lt=now - KEEP_DISMISSED
    )
    deleted = 0
    for rows in (old_deliveries.exclude(state=StoreDelivery.State.QUEUED), dismissed):
        while ids := list(rows.values_list("id", flat=True)[:CHUNK]):
            deleted += rows.model.objects.filter(id__in=ids).delete()[0]
    return deleted


def redact(*, store_id: UUID) -> None:
    """Forget a store with all that came from it: products, photos, log and history."""
    store = Store.objects.select_related("tenant").filter(id=store_id).first()
    if store is None:
        return
    mine = Product.objects.for_tenant(store.tenant).filter(store_id=store.id)
    while ids := list(mine.values_list("id", flat=True)[:CHUNK]):
        products.delete_products(tenant=store.tenant, product_ids=ids)
    store.delete()
