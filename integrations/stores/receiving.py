"""What a store sends: checked over the raw bytes, written down, answered. The work comes later."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from accounts.models import Tenant
from integrations.stores import hints, jobs, platforms, troubles
from integrations.stores.contract import BadSignature, Hint
from integrations.stores.failures import StoreFailed
from integrations.stores.models import Store, StoreDelivery
from kalas.lib.tenant_rows import only_rows_of

__all__ = ["BadSignature", "receive", "replay"]

LONGEST_KEPT = 100_000
SHOWN_HEADERS = ("content-type", "user-agent", "webhook-id", "webhook-timestamp")
SHOWN_PREFIXES = ("x-wc-webhook-", "x-shopify-")
MASKED = ("signature", "hmac")
# So seldom it is noted that the store speaks at all: each note locks the store's row.
NOTE_EVERY = timedelta(minutes=1)

_KEEP = """
INSERT INTO integrations_storedelivery AS known
    (id, tenant_id, store_id, topic, external_id, fingerprint, headers, body, state, status,
     duration_ms, repeats, attempts, problem, problem_about, received_at)
VALUES (gen_random_uuid(), %(tenant)s, %(store)s, %(topic)s, %(product)s, %(fingerprint)s,
    %(headers)s::jsonb, %(body)s, %(state)s, 200, 0, 0, 0, %(problem)s, %(about)s, %(now)s)
ON CONFLICT (store_id, fingerprint) DO UPDATE SET repeats = known.repeats + 1
RETURNING id, repeats, state
"""


@dataclass(frozen=True, slots=True)
class Kept:
    id: UUID
    is_new: bool
    is_waiting: bool


def receive(*, store: Store, headers: Mapping[str, str], body: bytes, now: datetime) -> Hint:
    """Header names in lower case. Nothing is written for a wrong signature, and nothing is seen of
    another shop than the store's.

    Raises BadSignature, and StoreFailed where the store's secret can't be read.
    """
    with only_rows_of(store.tenant_id):
        return _receive(store, headers=headers, body=body, now=now)


def _receive(store: Store, *, headers: Mapping[str, str], body: bytes, now: datetime) -> Hint:
    started = time.monotonic()
    hint = platforms.read_hint(store, headers=headers, body=body)
    if hint.kind == "ping":
        _note_ping(store, now=now)
        return hint
    with transaction.atomic():
        kept = _keep(store, hint, headers=headers, body=body, now=now)
        is_about_product = hint.kind in ("changed", "deleted")
        # Also for the same content once more: trashed, restored, trashed again; what was read in
        # between, or is being read now, is old by then. Not where the message itself is the
        # product: there it can only be an old one.
        if is_about_product and (kept.is_new or hint.product is None):
            hints.hint(store=store, external_ids=[hint.product_id], now=now, product=hint.product)
        is_done = not kept.is_new and not kept.is_waiting
        if is_about_product and is_done and hint.product is None:
            StoreDelivery.objects.filter(id=kept.id).update(state=StoreDelivery.State.QUEUED)
        if kept.is_new:
            passed = int((time.monotonic() - started) * 1000)
            StoreDelivery.objects.filter(id=kept.id).update(duration_ms=passed)
        _act(store, hint, now=now)
        _note_delivery(store, now=now)
    return hint


@transaction.atomic
def replay(*, tenant: Tenant, delivery_id: UUID, now: datetime) -> StoreDelivery:
    """Do again what a delivery asked for. Raises StoreDelivery.DoesNotExist."""
    delivery = (
        StoreDelivery.objects.for_tenant(tenant)
        .select_for_update(of=("self",))
        .select_related("store")
        .get(id=delivery_id)
    )
    if delivery.external_id:
        delivery.state, delivery.problem, delivery.problem_about = delivery.State.QUEUED, "", ""
        delivery.save(update_fields=["state", "problem", "problem_about"])
        hints.hint(store=delivery.store, external_ids=[delivery.external_id], now=now)
    return delivery


def _keep(
    store: Store, hint: Hint, *, headers: Mapping[str, str], body: bytes, now: datetime
) -> Kept:
    content = hashlib.sha256(hint.identity.encode() + b"\0" + body).hexdigest()
    states = {"changed": "queued", "deleted": "queued", "bad": "failed"}
    values: dict[str, Any] = {
        "tenant": store.tenant_id,
        "store": store.id,
        "topic": hint.topic[:80],
        "product": hint.product_id[:200],
        "fingerprint": content,
        "headers": _show(headers),
        "body": body[:LONGEST_KEPT].decode("utf-8", "replace").replace("\0", "\ufffd"),
        "state": states.get(hint.kind, "ignored"),
        "problem": {"bad": "bad-message", "no-rights": "owner-without-rights"}.get(hint.kind, ""),
        "about": hint.about[:300],
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, values)
        delivery_id, repeats, state = cursor.fetchone()
    return Kept(delivery_id, is_new=not repeats, is_waiting=state == "queued")


def _act(store: Store, hint: Hint, *, now: datetime) -> None:
    """What a message says of the store itself."""
    if hint.kind == "no-rights":
        # It may be an old message: the store itself says whether it is still so.
        jobs.wake_poller(store.id, at=now)
    elif hint.kind == "uninstalled":
        troubles.note_break(store, StoreFailed("uninstalled"), now=now)
    elif hint.kind == "redact":
        jobs.defer_redaction(store)


def _note_ping(store: Store, *, now: datetime) -> None:
    if store.pinged_at is None or now - store.pinged_at >= NOTE_EVERY:
        Store.objects.filter(id=store.id).update(pinged_at=now)


def _note_delivery(store: Store, *, now: datetime) -> None:
    if store.delivered_at is None or now - store.delivered_at >= NOTE_EVERY:
        Store.objects.filter(id=store.id).update(delivered_at=now)


def _show(headers: Mapping[str, str]) -> str:
    """As JSON; signatures masked."""
    shown = {
        name: "…" if any(part in name for part in MASKED) else value[:200]
        for name, value in headers.items()
        if name in SHOWN_HEADERS or name.startswith(SHOWN_PREFIXES)
    }
    return json.dumps(shown)
