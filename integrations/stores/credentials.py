"""The keys of stores: sealed for their shop and row, and read only where a store is asked."""

import json
from collections.abc import Mapping
from uuid import UUID

from integrations.stores.failures import StoreFailed
from integrations.stores.models import Store
from kalas.lib import crypto


def seal(store: Store, values: Mapping[str, str]) -> None:
    """Set on the object; the caller saves."""
    text = json.dumps(dict(values))
    store.credentials = crypto.seal(text, context=_context(store.tenant_id, store.id))


def read(store: Store) -> dict[str, str]:
    """Nothing where there are none yet. Raises StoreFailed."""
    if store.credentials is None:
        return {}
    try:
        text = crypto.unseal(store.credentials, context=_context(store.tenant_id, store.id))
    except crypto.Unreadable as error:
        raise StoreFailed("secret-unreadable") from error
    values: dict[str, str] = json.loads(text)
    return values


def save(store: Store, values: Mapping[str, str]) -> None:
    seal(store, values)
    store.save(update_fields=["credentials"])


def _context(tenant_id: UUID, store_id: UUID) -> str:
    return f"store:{tenant_id}:{store_id}"
