"""Everything that is sealed, sealed again with the first of `ENCRYPTION_KEYS`."""

from dataclasses import dataclass

from django.db import transaction

from integrations import endpoints
from integrations.models import Store, WebhookEndpoint
from integrations.stores import credentials
from integrations.stores.failures import StoreFailed
from kalas.lib import crypto


@dataclass(frozen=True, slots=True)
class Resealed:
    sealed: int
    unreadable: int


def reseal_all() -> Resealed:
    """Afterwards the other keys can be removed; what no key opens is left as it is."""
    sealed = unreadable = 0
    for store_id in Store.objects.exclude(credentials=None).values_list("id", flat=True):
        with transaction.atomic():
            store = Store.objects.select_for_update(of=("self",)).get(id=store_id)
            try:
                credentials.save(store, credentials.read(store))
            except StoreFailed:
                unreadable += 1
            else:
                sealed += 1
    for endpoint_id in WebhookEndpoint.objects.values_list("id", flat=True):
        with transaction.atomic():
            endpoint = WebhookEndpoint.objects.select_for_update(of=("self",)).get(id=endpoint_id)
            try:
                endpoints.reseal(endpoint)
            except crypto.Unreadable:
                unreadable += 1
            else:
                sealed += 1
    return Resealed(sealed, unreadable)
