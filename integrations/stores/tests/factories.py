"""A connected store, and what its jobs do, without their queue."""

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import connection
from django.utils import timezone

from accounts.models import Membership
from accounts.tests.factories import make_member
from annotations import recording
from annotations.models import Annotation
from annotations.tests.factories import make_photo_bytes, make_result
from inference.contract import AnnotationResult
from integrations.models import Platform, Store, StoreDelivery, StoreProduct, WriteBack
from integrations.stores import (
    connecting,
    credentials,
    hints,
    jobs,
    polling,
    reading,
    running,
    writing,
)
from integrations.stores.contract import AttributeChange, Change
from integrations.woocommerce.simulator import Simulator

SECRET = "rigsecret1"


def make_store(*, by: Membership | None = None, url: str = "", **fields) -> Store:
    """With credentials, without asking anybody."""
    by = by or make_member()
    store = Store(
        tenant=by.tenant,
        platform=fields.pop("platform", Platform.WOOCOMMERCE),
        url=url or "https://shop.example",
        connected_by=by.user,
        **{"state": Store.State.ACTIVE, "connected_at": timezone.now(), **fields},
    )
    credentials.seal(store, {"key": "ck_1", "secret": "cs_1", "webhook_secret": SECRET})
    store.save()
    return store


def make_row(store: Store, external_id: str = "7", **fields) -> StoreProduct:
    return StoreProduct.objects.create(
        tenant=store.tenant, store=store, external_id=external_id, **fields
    )


def make_write_back(row: StoreProduct, **fields) -> WriteBack:
    """A suggestion, unless the fields say otherwise."""
    change = Change(
        add_tags=("Striped",), attributes=(AttributeChange("pattern", "Pattern", ("Striped",)),)
    )
    values = {"state": "suggested", "change": change.to_json(), **fields}
    return WriteBack.objects.create(tenant=row.tenant, store=row.store, store_product=row, **values)


def make_store_delivery(store: Store, **fields) -> StoreDelivery:
    values = {"topic": "product.updated", "external_id": "7", "fingerprint": uuid4().hex, **fields}
    return StoreDelivery.objects.create(tenant=store.tenant, store=store, **values)


def connect(shop: Simulator, *, by: Membership, **fields) -> Store:
    """By pasted keys, as the connecting job does it."""
    store = connecting.begin(
        tenant=by.tenant, by=by, platform="woocommerce", url=shop.url, now=timezone.now()
    )
    key = shop.make_key()
    connecting.take_keys(
        tenant=by.tenant,
        by=by,
        store_id=store.id,
        values={"key": key.key, "secret": key.secret},
        now=timezone.now(),
    )
    connecting.finish(store_id=store.id, now=timezone.now())
    Store.objects.filter(id=store.id).update(**fields)
    store.refresh_from_db()
    return store


def tell(store: Store, *numbers: int) -> None:
    """The store's hint, without the message."""
    hints.hint(store=store, external_ids=map(str, numbers), now=timezone.now())


def read(store: Store, *, now: datetime | None = None) -> None:
    drop_jobs()
    for lane in range(jobs.LANES):
        reading.read_due(store_id=store.id, lane=lane, clock=lambda: now or timezone.now())


def annotate(store: Store, result: AnnotationResult | None = None) -> None:
    """Answer what waits, as the engine does."""
    for annotation in Annotation.objects.filter(tenant=store.tenant, state="pending"):
        recording.record_result(
            annotation=annotation, result=result or make_result(), now=timezone.now()
        )


def write(store: Store, *, now: datetime | None = None) -> None:
    drop_jobs()
    writing.write_due(store_id=store.id, clock=lambda: now or timezone.now())


def work(store: Store, *numbers: int, result: AnnotationResult | None = None) -> None:
    """From the store's hint to what is written."""
    tell(store, *numbers)
    read(store)
    annotate(store, result)
    write(store)


def poll(store: Store, *, now: datetime | None = None) -> None:
    drop_jobs()
    polling.poll(store_id=store.id, now=now or timezone.now())


def list_run(store: Store) -> None:
    drop_jobs()
    running.list_next(store_id=store.id, clock=timezone.now)


def get_row(store: Store, number: int) -> Any:
    """A StoreProduct, of which tests know what is there."""
    return StoreProduct.objects.get(store=store, external_id=str(number))


def get_write_back(store: Store, number: int) -> Any:
    return get_row(store, number).write_backs.latest("created_at")


def add_product(shop: Simulator, name: str = "Summer shirt", *, photos: int = 1, **fields) -> int:
    return shop.add_product(name, *(make_photo_bytes() for _ in range(photos)), **fields)


def later(**parts) -> datetime:
    return timezone.now() + timedelta(**parts)


def sign(body: bytes, secret: str = SECRET) -> str:
    digest = hmac.digest(secret.encode(), body, hashlib.sha256)
    return base64.b64encode(digest).decode()


def build_delivery(
    content: object, *, topic: str = "product.updated", webhook: int = 1, secret: str = SECRET
) -> tuple[bytes, dict[str, str]]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return body, {
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-ID": str(webhook),
        "X-WC-Webhook-Delivery-ID": "103e0e4593f6e0c26e6e9727d6fd8197",
        "X-WC-Webhook-Signature": sign(body, secret),
    }


def drop_jobs() -> None:
    """What the lanes' jobs do is done by the test, which takes them from the queue."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'stores'")
