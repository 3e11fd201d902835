"""The keys of stores: sealed for their shop and row, and read only where a store is asked."""

import json
from collections.abc import Callable, Mapping
from uuid import UUID

from django.db import connection, transaction

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


@transaction.atomic
def note_style(store: Store, values: Mapping[str, str]) -> None:
    """How these keys are sent; nothing where others were pasted meanwhile."""
    fresh = Store.objects.select_for_update(no_key=True).filter(id=store.id).first()
    known = read(fresh) if fresh is not None else {}
    is_same = all(known.get(name) == values.get(name) for name in ("key", "secret"))
    if fresh is not None and is_same:
        save(fresh, {**known, "style": values.get("style", "")})


def renew(
    store: Store, seen: Mapping[str, str], make: Callable[[Mapping[str, str]], dict[str, str]]
) -> dict[str, str]:
    """Those that hold now: what another worker has stored meanwhile, else what `make` gets.

    One at a time in each store, as a refresh token works once; what replaces it is stored in the
    same transaction as the token it came with. Raises what `make` does.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"store.{store.id}"])
        store.refresh_from_db(fields=["credentials"])
        values = read(store)
        is_newer = values.get("token") and values.get("token") != seen.get("token")
        if is_newer and not values.get("code"):
            return values
        made = make({**values, "token_until": "0"})
        save(store, made)
    return made


def _context(tenant_id: UUID, store_id: UUID) -> str:
    return f"store:{tenant_id}:{store_id}"
