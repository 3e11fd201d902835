"""What an undo makes of the catalogue's product."""

import pytest
from django.utils import timezone

from accounts.models import Scope
from accounts.tests.factories import make_key
from annotations.tests.factories import make_photo_bytes, make_result
from integrations.models import Store
from integrations.stores import services
from integrations.stores.tests.factories import (
    add_product,
    get_write_back,
    work,
    write,
)
from retrieval.models import Product
from retrieval.services import products

pytestmark = pytest.mark.django_db


def undo_all(store, member, **which):
    services.undo(tenant=member.tenant, by=member, store_id=store.id, now=timezone.now(), **which)
    write(store)


def read_state(client, member):
    key = make_key(member=member, scopes=[Scope.CATALOGUE]).token
    answer = client.get(
        f"/api/v1/products/{Product.objects.get().id}/",
        headers={"Authorization": f"Bearer {key}"},
    )
    return answer.json()["state"]


def test_a_product_is_annotated_again(client, page, shop, store, member):
    work(store, add_product(shop))
    assert read_state(client, member) == "published"

    undo_all(store, member)

    assert read_state(client, member) == "annotated"
    assert "Published" not in page.get(f"/catalogue/{Product.objects.get().id}/").content.decode()


def test_a_product_that_waited_for_review_does_again(client, shop, store, member):
    Store.objects.update(mode="suggest")
    unsure = make_result(confidence=0.3)
    number = add_product(shop)
    work(store, number, result=unsure)
    before = read_state(client, member)
    services.write_suggestions(
        tenant=member.tenant, by=member, store_id=store.id, now=timezone.now()
    )
    write(store)
    assert (before, read_state(client, member)) == ("in-review", "published")

    undo_all(store, member)

    assert read_state(client, member) == "in-review"


def test_it_stays_published_while_another_change_is_there(client, shop, store, member):
    number = add_product(shop)
    work(store, number)
    first = get_write_back(store, number)
    shop.edit(number, images=[*shop.products[number]["images"], shop.add_image(make_photo_bytes())])
    work(store, number)
    second = get_write_back(store, number)
    assert first.id != second.id

    undo_all(store, member, ids=[first.id])
    assert read_state(client, member) == "published"

    undo_all(store, member, ids=[second.id])
    assert read_state(client, member) == "annotated"


def test_what_a_person_published_stays_so(client, shop, store, member):
    number = add_product(shop)
    Store.objects.update(mode="suggest")
    work(store, number)
    products.publish_products(
        tenant=member.tenant, product_ids=[Product.objects.get().id], now=timezone.now()
    )
    services.write_suggestions(
        tenant=member.tenant, by=member, store_id=store.id, now=timezone.now()
    )
    write(store)

    undo_all(store, member)

    assert read_state(client, member) == "published"
