"""Reader and writer of one product: one at a time, and none undoes what the other noted."""

from contextlib import contextmanager

import pytest
from django.db import connection, connections
from django.utils import timezone

from annotations.models import Review
from annotations.tests.factories import make_photo_bytes
from integrations.models import StoreProduct
from integrations.stores import changes, holding, reading, services
from integrations.stores.tests.factories import (
    add_product,
    annotate,
    get_row,
    get_write_back,
    later,
    read,
    tell,
    work,
    write,
)
from kalas.lib.shared_connections.base import lend_connection

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """The process ended here."""


@contextmanager
def in_other_hands(row):
    """Of another process, by a connection of its own."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [f"stores.product.{row.id}"]
        )
        assert cursor.fetchone() == (True,)
    try:
        yield
    finally:
        other.close()


def test_a_product_that_is_being_written_is_read_a_moment_later(shop, store):
    number = add_product(shop)
    tell(store, number)
    shop.requests.clear()
    with in_other_hands(get_row(store, number)):
        read(store)
    assert shop.requests == []
    assert get_row(store, number).tries == 0

    read(store, now=later(seconds=30))

    assert get_row(store, number).state == "annotating"


def test_a_product_that_is_being_read_is_written_a_moment_later(shop, store):
    number = add_product(shop)
    tell(store, number)
    read(store)
    annotate(store)
    shop.requests.clear()
    with in_other_hands(get_row(store, number)):
        write(store)
    assert shop.requests == []

    write(store, now=later(seconds=30))

    assert get_row(store, number).state == "written"


def test_a_product_in_other_hands_holds_up_no_other(shop, store):
    first, second = add_product(shop), add_product(shop)
    tell(store, first, second)
    StoreProduct.objects.update(lane=0)

    with in_other_hands(get_row(store, first)):
        read(store)

    assert get_row(store, second).state == "annotating"


def test_what_was_read_before_does_not_take_back_a_persons_no(shop, store):
    number = add_product(shop)
    work(store, number)
    stale = get_row(store, number)
    StoreProduct.objects.update(is_held=True)

    reading.read_product(store, stale, timezone.now())

    assert get_row(store, number).is_held


def test_an_undo_that_was_killed_is_no_persons_edit(shop, store, member, monkeypatch):
    """Its request had gone out; the store tells of it before it is tried again."""
    number = add_product(shop)
    work(store, number)
    change = get_write_back(store, number)
    services.undo(
        tenant=store.tenant, by=member, store_id=store.id, ids=[change.id], now=timezone.now()
    )
    with monkeypatch.context() as patch:
        patch.setattr(changes, "forget_written", kill)
        with pytest.raises(Killed):
            write(store)
    assert shop.names_of(number, "tags") == []

    tell(store, number)
    read(store)
    write(store)

    change.refresh_from_db()
    assert change.state == "reverted"
    assert get_row(store, number).taken_over == []
    assert not Review.objects.exists()
    garment = get_row(store, number).product.garment
    assert garment.category_origin == "model"
    shop.edit(number, images=[shop.add_image(make_photo_bytes())])
    work(store, number)
    assert "Striped" in shop.names_of(number, "tags")


def test_an_undo_that_was_given_up_is_no_persons_edit_either(shop, store, member, monkeypatch):
    """Its last answer was lost."""
    number = add_product(shop)
    work(store, number)
    change = get_write_back(store, number)
    services.undo(
        tenant=store.tenant, by=member, store_id=store.id, ids=[change.id], now=timezone.now()
    )
    StoreProduct.objects.update(tries=9)
    shop.faults = ["late-reset"]
    write(store)
    assert get_row(store, number).state == "failed"

    tell(store, number)
    read(store, now=later(minutes=10))

    assert shop.names_of(number, "tags") == []
    assert get_row(store, number).taken_over == []
    assert not Review.objects.exists()


def test_a_connection_that_holds_a_product_is_lent_to_nobody(store, monkeypatch):
    """Where threads share connections, its lock would go with it."""

    def lend():
        lent, wrapper = [], connections["default"]
        with monkeypatch.context() as patch:
            patch.setitem(wrapper.settings_dict["OPTIONS"], "shared", {})
            patch.setattr(wrapper, "in_atomic_block", False)
            patch.setattr(wrapper, "close", lambda: lent.append(True))
            lend_connection()
        return bool(lent)

    with holding.hold(7) as is_ours:
        assert (is_ours, lend()) == (True, False)
    assert lend()


def kill(*_args, **_options):
    raise Killed
