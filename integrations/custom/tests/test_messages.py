"""Messages of shops' own software, over HTTP."""

import json
import time

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import make_member
from integrations import signatures
from integrations.models import StoreDelivery, StoreProduct
from integrations.stores import connecting
from integrations.stores.tests.factories import get_row

pytestmark = pytest.mark.django_db

SHIRT = {
    "id": "4711",
    "title": "Summer shirt",
    "price": 29.9,
    "stock": "in-stock",
    "tags": ["Sale"],
    "attributes": {"Size": ["S", "M"], "Fabric": "Linen"},
    "images": [{"id": "front", "url": "https://shop.example/4711.jpg", "alt": "Anna"}],
}


@pytest.fixture
def own(db):
    by = make_member()
    return connecting.add_custom(tenant=by.tenant, by=by, name="Ours", now=timezone.now())


def post(client, store, secret, content, *, name="msg_1", stamp=None, **headers):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    signed = signatures.build_headers(
        message=name, timestamp=stamp or int(time.time()), body=body, secrets=[secret]
    )
    return client.post(
        reverse("store_hook", args=[store.id]),
        body,
        content_type="application/json",
        headers={**signed, **headers},
    )


def change(data):
    return {"type": "product.changed", "data": data}


def test_takes_a_product(client, own):
    store, secret = own

    assert post(client, store, secret, change(SHIRT)).status_code == 200

    told = get_row(store, 4711).inbox
    assert (told["title"], told["price"], told["tags"]) == ("Summer shirt", "29.9", ["Sale"])
    assert told["attributes"] == [
        {"name": "Size", "options": ["S", "M"], "is_fixed": False},
        {"name": "Fabric", "options": ["Linen"], "is_fixed": False},
    ]
    assert told["images"] == [
        {"id": "front", "url": "https://shop.example/4711.jpg", "alt": "Anna"}
    ]


def test_keeps_what_a_message_leaves_out(client, own):
    store, secret = own
    post(client, store, secret, change(SHIRT))

    post(client, store, secret, change({"id": "4711", "price": "19"}), name="msg_2")

    told = get_row(store, 4711).inbox
    assert (told["title"], told["price"], told["tags"]) == ("Summer shirt", "19", ["Sale"])


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-id": "msg_other"},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "soon"},
    ],
)
def test_refuses_what_is_not_signed_right(client, own, headers):
    store, secret = own

    assert post(client, store, secret, change(SHIRT), **headers).status_code == 401
    assert not StoreDelivery.objects.exists()


@pytest.mark.parametrize("age", [-400, 400])
def test_refuses_an_old_recording(client, own, age):
    store, secret = own

    answer = post(client, store, secret, change(SHIRT), stamp=int(time.time()) + age)

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no json", "no JSON"),
        ({}, "type"),
        ({"type": "product.sold"}, "product.changed"),
        (change([]), "must be an object"),
        (change({}), "data.id"),
        (change({"id": True}), "data.id"),
        (change({"id": "x" * 201}), "200 characters"),
        (change({"id": 1, "title": ["a"]}), "data.title"),
        (change({"id": 1, "title": "x" * 501}), "500 characters"),
        (change({"id": 1, "images": "https://a.example"}), "data.images"),
        (change({"id": 1, "images": [{"url": "ftp://a.example"}]}), "begins with https"),
        (change({"id": 1, "tags": "Sale"}), "list of at most"),
        (change({"id": 1, "attributes": []}), "data.attributes"),
        (change({"id": 1, "stock": "some"}), "in-stock"),
        (change({"id": 1, "published": "yes"}), "true or false"),
    ],
)
def test_says_in_the_log_what_is_wrong(client, own, content, words):
    store, secret = own

    assert post(client, store, secret, content).status_code == 200

    delivery = StoreDelivery.objects.get()
    assert delivery.state == "failed"
    assert words in delivery.problem_text
    assert not StoreProduct.objects.exists()


def test_the_same_message_again_is_one_row(client, own):
    store, secret = own
    for _time in range(3):
        post(client, store, secret, change(SHIRT))

    assert StoreDelivery.objects.get().repeats == 2


def test_a_new_secret_replaces_the_old_one_at_once(client, own):
    store, secret = own
    by = store.tenant.memberships.get()

    _store, new = connecting.replace_secret(tenant=store.tenant, by=by, store_id=store.id)

    assert post(client, store, secret, change(SHIRT)).status_code == 401
    assert post(client, store, new, change(SHIRT)).status_code == 200


def test_an_old_message_that_comes_again_does_not_undo_a_newer_one(client, own):
    store, secret = own
    post(client, store, secret, change(SHIRT))
    post(client, store, secret, change({"id": "4711", "title": "New name"}), name="msg_2")
    StoreDelivery.objects.update(state="done")

    post(client, store, secret, change(SHIRT))

    assert get_row(store, 4711).inbox["title"] == "New name"
