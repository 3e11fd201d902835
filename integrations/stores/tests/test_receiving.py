"""What stores send, over HTTP: checked, written down, answered; never done twice."""

import json

import pytest
from django.db import connection
from django.urls import reverse

from accounts.tests.factories import make_member
from integrations.models import Store, StoreDelivery, StoreProduct
from integrations.stores import credentials, receiving
from integrations.stores.tests.factories import (
    add_product,
    build_delivery,
    get_row,
    make_store,
    poll,
    read,
    work,
)
from retrieval.models import Product

pytestmark = pytest.mark.django_db

PRODUCT = {"id": 7, "name": "Shirt", "status": "publish", "type": "simple"}


@pytest.fixture
def known(member) -> Store:
    return make_store(by=member)


def post(client, store, content, **options):
    body, headers = build_delivery(content, **options)
    return send(client, store, body, headers)


def send(client, store, body, headers, content_type="application/json"):
    return client.post(
        reverse("store_hook", args=[store.id]), body, content_type=content_type, headers=headers
    )


def test_takes_a_signed_message(client, known):
    answer = post(client, known, PRODUCT)

    assert answer.status_code == 200
    delivery = StoreDelivery.objects.get()
    assert (delivery.topic, delivery.external_id, delivery.state) == (
        "product.updated",
        "7",
        "queued",
    )
    assert json.loads(delivery.body) == PRODUCT
    assert delivery.headers["x-wc-webhook-signature"] == "…"
    row = get_row(known, 7)
    assert row.read_due_at is not None


@pytest.mark.parametrize("secret", ["other", ""])
def test_refuses_a_wrong_signature_and_writes_nothing(client, known, secret):
    answer = post(client, known, PRODUCT, secret=secret)

    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not StoreDelivery.objects.exists()
    assert not StoreProduct.objects.exists()


def test_a_signature_of_another_store_is_wrong(client, known):
    other = make_store(by=make_member())
    credentials.save(other, {**credentials.read(other), "webhook_secret": "another"})

    assert post(client, other, PRODUCT).status_code == 401


def test_a_store_that_is_not_there_is_missing(client, known):
    address = reverse("store_hook", args=["00000000-0000-0000-0000-000000000000"])

    assert client.post(address, b"{}", content_type="application/json").status_code == 404


def test_answers_the_ping_with_exactly_200(client, known):
    answer = send(
        client, known, b"webhook_id=3", {}, content_type="application/x-www-form-urlencoded"
    )

    assert answer.status_code == 200
    known.refresh_from_db()
    assert known.pinged_at is not None
    assert not StoreDelivery.objects.exists()


def test_the_same_content_is_one_row_whatever_its_delivery_id(client, known):
    for _time in range(5):
        post(client, known, PRODUCT)

    delivery = StoreDelivery.objects.get()
    assert delivery.repeats == 4
    assert StoreProduct.objects.count() == 1


def test_another_topic_or_webhook_is_another_message(client, known):
    post(client, known, PRODUCT)
    post(client, known, PRODUCT, topic="product.created")
    post(client, known, PRODUCT, webhook=2)

    assert StoreDelivery.objects.count() == 3
    assert StoreProduct.objects.count() == 1


def test_the_same_content_after_it_was_worked_off_is_looked_at_again(client, shop, store):
    number = add_product(shop)
    body, headers = _sign(store, {"id": number}, topic="product.deleted")
    send(client, store, body, headers)
    shop.trash(number)
    read(store)
    assert get_row(store, number).state == "gone"
    shop.restore(number)
    post_restored(client, store, number)
    read(store)
    assert get_row(store, number).state == "annotating"
    shop.trash(number)

    send(client, store, body, headers)
    read(store)

    assert get_row(store, number).state == "gone"
    assert StoreDelivery.objects.get(topic="product.deleted").repeats == 1


def test_the_same_content_while_it_waits_is_looked_at_once_more(client, shop, store):
    """Trashed, restored and read, trashed again: the first message may still wait."""
    number = add_product(shop)
    work(store, number)
    body, headers = _sign(store, {"id": number}, topic="product.deleted")
    send(client, store, body, headers)
    hints = get_row(store, number).hints

    send(client, store, body, headers)

    assert get_row(store, number).hints == hints + 1


def test_many_messages_about_one_product_are_one_job(client, known):
    for number in range(10):
        post(client, known, {**PRODUCT, "stock_quantity": number})

    assert StoreDelivery.objects.count() == 10
    assert StoreProduct.objects.count() == 1


@pytest.mark.parametrize(
    "content",
    [
        b"not json",
        b"[]",
        b"null",
        b'{"id": null}',
        b'{"id": "7; DROP TABLE"}',
        b'{"id": 7.5}',
        b'{"name": "\\u0000"}',
        b"\xff\xfe",
        b"",
        b'{"id": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_signed_message_that_says_nothing_useful_is_kept_and_does_nothing(client, known, content):
    answer = post(client, known, content)

    assert answer.status_code == 200
    assert StoreDelivery.objects.count() == 1
    assert StoreProduct.objects.count() <= 1


def test_a_gone_product_is_ignored(client, known):
    error = {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID."}

    post(client, known, error)

    assert StoreDelivery.objects.get().state == "ignored"
    known.refresh_from_db()
    assert known.is_active


CANNOT_VIEW = {"code": "woocommerce_rest_cannot_view", "message": "Sorry."}


def test_an_owner_without_rights_breaks_the_connection(client, shop, store):
    for key in shop.keys.values():
        key.may_see = False

    send(client, store, *_sign(store, CANNOT_VIEW))
    assert is_polled(store)
    poll(store)

    store.refresh_from_db()
    assert (store.state, store.problem) == ("broken", "owner-without-rights")
    assert "Shop manager" in store.problem_text


def test_an_old_message_about_the_owners_rights_breaks_nothing(client, shop, store):
    for _time in range(2):
        send(client, store, *_sign(store, CANNOT_VIEW))
        poll(store)

    store.refresh_from_db()
    assert store.is_active


def test_another_error_in_a_message_breaks_nothing(client, known):
    post(client, known, {"code": "internal_server_error", "message": "There was an error."})

    known.refresh_from_db()
    assert known.is_active
    delivery = StoreDelivery.objects.get()
    assert (delivery.state, delivery.problem_about) == ("ignored", "internal_server_error")


def test_a_message_that_is_too_large_is_refused(client, known, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    assert post(client, known, {**PRODUCT, "description": "x" * 2000}).status_code == 413


def test_only_posts_are_taken(client, known):
    assert client.get(reverse("store_hook", args=[known.id])).status_code == 405


def test_a_secret_that_cannot_be_read_is_our_fault(client, known, settings):
    settings.ENCRYPTION_KEYS = ["another key"]

    assert post(client, known, PRODUCT).status_code == 503


def test_closes_deliveries_once_their_product_was_read(client, shop, store):
    number = add_product(shop)
    body, headers = _sign(store, {"id": number})
    send(client, store, body, headers)

    read(store)

    delivery = StoreDelivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("done", 1)
    assert delivery.finished_at is not None


def test_replays_a_delivery(client, shop, store):
    number = add_product(shop)
    body, headers = _sign(store, {"id": number})
    send(client, store, body, headers)
    read(store)
    delivery = StoreDelivery.objects.get()

    receiving.replay(tenant=store.tenant, delivery_id=delivery.id, now=delivery.received_at)
    read(store)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("done", 2)


def test_nothing_that_a_store_tells_is_lost_while_it_is_switched_off(client, shop, store):
    number = add_product(shop)
    Store.objects.update(state="paused")
    body, headers = _sign(store, {"id": number})

    assert send(client, store, body, headers).status_code == 200
    read(store)
    assert get_row(store, number).state == "waiting"

    Store.objects.update(state="active")
    read(store)
    assert get_row(store, number).state == "annotating"


def test_a_variation_leads_to_its_parent(shop, store):
    parent = add_product(shop, "Shirt")
    child = add_product(shop, "Shirt - S", type="variation", parent_id=parent)

    work(store, child)
    read(store)

    assert get_row(store, child).state == "gone"
    assert get_row(store, parent).product is not None


def test_a_draft_waits_until_it_is_published(shop, store):
    number = add_product(shop, status="draft")
    work(store, number)
    assert get_row(store, number).state == "draft"

    shop.edit(number, status="publish")
    work(store, number)

    assert get_row(store, number).state == "written"


def test_shoppers_do_not_find_what_the_store_takes_back(shop, store):
    number = add_product(shop)
    work(store, number)
    shop.edit(number, status="draft")
    work(store, number)
    assert get_row(store, number).product.listed is False

    shop.edit(number, status="publish")
    work(store, number)

    assert get_row(store, number).product.listed is True


def test_what_a_person_does_not_show_stays_so_while_the_store_changes(shop, store):
    number = add_product(shop)
    work(store, number)
    Product.objects.update(listed=False)

    shop.edit(number, name="Another name")
    work(store, number)

    assert get_row(store, number).product.listed is False


def test_trash_takes_the_product_from_the_catalogue_and_restoring_brings_it_back(shop, store):
    number = add_product(shop)
    work(store, number)
    shop.trash(number)
    work(store, number)
    row = get_row(store, number)
    assert (row.state, row.product) == ("gone", None)

    shop.restore(number)
    work(store, number)

    row = get_row(store, number)
    assert row.product is not None
    assert row.state in ("written", "unchanged")


def is_polled(store):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'stores.poll_store'"
        )
        return cursor.fetchone() == (1,)


def post_restored(client, store, number):
    body, headers = _sign(store, {"id": number, "type": "simple"}, topic="product.restored")
    return send(client, store, body, headers)


def _sign(store, content, **options):
    secret = credentials.read(store)["webhook_secret"]
    return build_delivery(content, secret=secret, **options)
