"""A product's photos are read whatever becomes of one of them, and whenever the quota allows."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import MonthlyUsage, Tenant
from integrations.models import StoreDelivery
from integrations.stores.tests.factories import (
    add_product,
    annotate,
    get_row,
    later,
    make_store_delivery,
    read,
    tell,
    write,
)
from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed
from retrieval.services import products

pytestmark = pytest.mark.django_db

A_WHILE = [*range(1, 12)]


@pytest.fixture
def dead_photo(shop, monkeypatch):
    """The first of two photos never comes; the other does."""
    number = add_product(shop, photos=2)
    dead = shop.products[number]["images"][0]["src"]
    fetch = remote_images.fetch_image

    def fail(*, url):
        if url == dead:
            raise RequestFailed("timeout")
        return fetch(url=url)

    monkeypatch.setattr(remote_images, "fetch_image", fail)
    return number


def test_a_photo_that_is_late_holds_up_neither_the_others_nor_the_store(shop, store, dead_photo):
    tell(store, dead_photo)

    read(store)

    store.refresh_from_db()
    assert (store.failures, store.quiet_until) == (0, None)
    row = get_row(store, dead_photo)
    assert sorted(row.product.photos.values_list("state", flat=True)) == ["stored", "waiting"]
    assert (row.tries, row.problem) == (1, "timeout")


def test_a_product_is_written_without_a_photo_that_never_comes(shop, store, dead_photo):
    tell(store, dead_photo)
    for hours in A_WHILE:
        read(store, now=later(hours=hours))
    annotate(store)
    write(store)

    row = get_row(store, dead_photo)
    assert row.state == "written"
    assert sorted(row.product.photos.values_list("state", flat=True)) == ["refused", "stored"]
    assert "T-shirt" in shop.names_of(dead_photo, "tags")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//shop.example/7"])
def test_a_products_address_is_one_of_the_web(shop, store, url):
    number = add_product(shop)
    show = shop.show
    shop.show = lambda product: {**show(product), "permalink": url}
    tell(store, number)

    read(store)

    assert get_row(store, number).product.url == ""


def test_of_an_endless_product_only_so_much_is_kept(shop, store):
    number = add_product(shop, "T" * 10_000, description="x" * 1_000_000)
    shop.edit(number, tags=[f"tag {n}" for n in range(1000)])
    tell(store, number)

    read(store)

    row = get_row(store, number)
    assert row.state == "annotating"
    assert len(json.dumps(row.remote)) < 100_000


def test_what_a_person_changed_here_stays_until_it_changes_in_the_store(shop, store):
    number = add_product(shop, "Shirt", description="Soft")
    tell(store, number)
    read(store)
    product = get_row(store, number).product
    products.change_product(
        tenant=store.tenant,
        product_id=product.id,
        values={"title": "Linen shirt", "description": "By hand"},
        now=timezone.now(),
    )

    shop.edit(number, description="Softer")
    tell(store, number)
    read(store)

    product.refresh_from_db()
    assert (product.title, product.description) == ("Linen shirt", "Softer")


def test_what_changed_in_the_store_before_a_write_is_taken_over_after_it(shop, store):
    number = add_product(shop, "Shirt")
    tell(store, number)
    read(store)
    annotate(store)
    shop.edit(number, name="Winter shirt")
    write(store)
    assert "T-shirt" in shop.names_of(number, "tags")

    tell(store, number)
    read(store)

    assert get_row(store, number).product.title == "Winter shirt"


def test_a_used_up_quota_loses_no_product(shop, store):
    number = add_product(shop)
    Tenant.objects.update(monthly_quota=0)
    tell(store, number)
    make_store_delivery(store, external_id=str(number))
    for hours in range(24):
        read(store, now=later(hours=hours))
    store.refresh_from_db()
    assert store.problem == "quota"
    assert (store.is_active, store.quiet_until) == (True, None)
    row = get_row(store, number)
    assert (row.tries, row.problem, row.state) == (0, "quota", "waiting")
    assert StoreDelivery.objects.get().state == "queued"

    Tenant.objects.update(monthly_quota=10)
    read(store, now=later(hours=25))

    assert get_row(store, number).state == "annotating"
    assert StoreDelivery.objects.get().state == "done"
    store.refresh_from_db()
    assert store.problem == ""


def test_asks_the_store_for_nothing_while_the_quota_is_used_up(shop, store):
    number = add_product(shop)
    Tenant.objects.update(monthly_quota=0)
    tell(store, number)
    read(store)
    shop.requests.clear()

    read(store, now=later(hours=2))

    assert shop.requests == []


def test_goes_on_when_the_new_month_begins(shop, store):
    number = add_product(shop)
    now = timezone.now()
    Tenant.objects.update(monthly_quota=1)
    MonthlyUsage.objects.create(tenant=store.tenant, month=now.date().replace(day=1), annotations=1)
    tell(store, number)
    read(store, now=now)

    read(store, now=(now.replace(day=1) + timedelta(days=40)).replace(day=1))

    assert get_row(store, number).state == "annotating"
