"""Which platform speaks with a store: the only place that knows all of them."""

import time
from collections.abc import Mapping
from functools import partial

from integrations.custom import messages as custom_messages
from integrations.shopify import connection as shopify
from integrations.shopify import messages as shopify_messages
from integrations.stores import credentials, own_software
from integrations.stores.contract import Connection, Hint
from integrations.stores.models import Platform, Store
from integrations.stores.terms import StoredTerms
from integrations.woocommerce import connection as woocommerce
from integrations.woocommerce import messages as woocommerce_messages


def open_connection(store: Store) -> Connection:
    """Raises StoreFailed where its credentials can't be read."""
    values = credentials.read(store)
    if store.platform == Platform.WOOCOMMERCE:
        return woocommerce.Connection(
            url=store.url,
            credentials=values,
            terms=StoredTerms(store),
            save=partial(credentials.note_style, store),
        )
    if store.platform == Platform.SHOPIFY:
        return shopify.Connection(
            url=store.url,
            credentials=values,
            terms=StoredTerms(store),
            renew=partial(credentials.renew, store),
        )
    return own_software.open_connection(store)


def read_hint(store: Store, *, headers: Mapping[str, str], body: bytes) -> Hint:
    """Raises contract.BadSignature, and StoreFailed where the store's secret can't be read."""
    values = credentials.read(store)
    secret = values.get("webhook_secret", "")
    if store.platform == Platform.WOOCOMMERCE:
        if woocommerce_messages.is_ping(content_type=headers.get("content-type", ""), body=body):
            return Hint("ping")
        return woocommerce_messages.read_hint(headers=headers, body=body, secret=secret)
    if store.platform == Platform.SHOPIFY:
        secrets = [values.get("secret", "")]
        if float(values.get("old_secret_until") or 0) > time.time():
            secrets.append(values.get("old_secret", ""))
        return shopify_messages.read_hint(headers=headers, body=body, secrets=secrets)
    return custom_messages.read_hint(
        headers=headers,
        body=body,
        secret=secret,
        timestamp=time.time(),
        known=own_software.Inbox(store),
    )
