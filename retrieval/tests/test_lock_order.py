"""Two writes of a shop that cross wait for each other's end, never for each other."""

import threading
import time
from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.tests.factories import make_tenant, make_user
from annotations.models import FashionImage
from annotations.tests.factories import make_photo_bytes
from retrieval.models import Product
from retrieval.services import photos, products
from retrieval.tests.factories import add_annotated_photo, make_product

pytestmark = pytest.mark.django_db(transaction=True)


def cross(
    first: Callable[[Callable[[], None]], object], second: Callable[[], object]
) -> list[Exception]:
    """What goes wrong when `second` starts in the middle of `first`, where this calls what it gets,
    and both go on once `second` waits for a lock."""
    failed: list[Exception] = []
    halfway, waits = threading.Event(), threading.Event()

    def meet() -> None:
        halfway.set()
        assert waits.wait(10)

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except (DatabaseError, AssertionError) as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=[lambda: first(meet)]),
        threading.Thread(target=run, args=[second]),
    ]
    threads[0].start()
    assert halfway.wait(10)
    threads[1].start()
    await_lock()
    waits.set()
    for thread in threads:
        thread.join()
    return failed


def await_lock() -> None:
    """Until some connection of this database waits for another's lock."""
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")


def hold(product_id: UUID) -> None:
    Product.objects.select_for_update(of=("self",)).get(id=product_id)


@pytest.mark.parametrize("same_file", [False, True])
def test_photos_in_bulk_and_one_alone_come_to_a_product(media, same_file):
    product = make_product(tenant=make_tenant())
    data = make_photo_bytes()
    alone = data if same_file else make_photo_bytes()
    photo, measures = photos.check_and_measure(data)

    def add_in_bulk(meet):
        def find_places():
            hold(product.id)
            meet()
            return [photos.Place(product.id)]

        photos.add_new_photos(
            tenant=product.tenant,
            new=[photos.NewPhoto(photo, "a.png", measures)],
            find_places=find_places,
            added_by=None,
            now=timezone.now(),
        )

    def add_alone():
        photo, measures = photos.check_and_measure(alone)
        photos.add_photo(
            tenant=product.tenant,
            product_id=product.id,
            photo=photo,
            measures=measures,
            name="b.png",
            added_by=None,
            now=timezone.now(),
        )

    assert cross(add_in_bulk, add_alone) == []
    assert FashionImage.objects.count() == product.photos.count() == 2 - same_file


@pytest.mark.parametrize("act", ["publish", "delete", "annotate again"])
def test_what_is_done_to_several_products_takes_them_in_their_order(media, act):
    tenant = make_tenant()
    high, low = sorted((make_product(tenant=tenant) for _ in range(2)), key=lambda p: p.id)[::-1]
    # The rows lie the other way round, as they come when nobody asks for an order.
    Product.objects.filter(id=low.id).update(title="Written last")
    for product in (high, low):
        add_annotated_photo(product)

    def judge(meet):
        with transaction.atomic():
            hold(low.id)
            meet()
            hold(high.id)

    def act_on_both():
        both, now = [high.id, low.id], timezone.now()
        if act == "publish":
            products.publish_products(tenant=tenant, product_ids=both, now=now)
        elif act == "delete":
            products.delete_products(tenant=tenant, product_ids=both)
        else:
            products.annotate_products_again(
                tenant=tenant, product_ids=both, requested_by=make_user(), now=now
            )

    assert cross(judge, act_on_both) == []
