"""Only the database stands between two shops whose stores are worked for at once."""

import pytest
from django.utils import timezone

from accounts.tests.factories import make_member
from integrations import emails
from integrations.models import Store, StoreDelivery, StoreProduct
from integrations.stores import hints, lanes, receiving, tasks
from integrations.stores.tests.factories import (
    add_product,
    build_delivery,
    connect,
    drop_jobs,
    get_row,
    make_row,
    make_store,
    tell,
    work,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def foreign(shop):
    """Another shop's product, which would be read and written first."""
    store = connect(shop, by=make_member())
    number = add_product(shop, "Theirs")
    tell(store, number)
    StoreProduct.objects.update(write_due_at=timezone.now())
    return get_row(store, number)


@pytest.fixture
def forgetful(monkeypatch):
    """The lanes ask for what is due, whosever it is."""
    due = StoreProduct.objects.all()
    monkeypatch.setattr(lanes, "list_to_read", lambda *_args: due.filter(read_due_at__isnull=False))
    monkeypatch.setattr(lanes, "list_to_write", lambda _id: due.filter(write_due_at__isnull=False))


def test_lanes_leave_another_shops_products_alone(shop, store, foreign, forgetful):
    number = add_product(shop, "Mine")
    tell(store, number)
    lane = get_row(store, number).lane
    drop_jobs()

    tasks.read_products(store_id=str(store.id), lane=lane)
    tasks.write_products(store_id=str(store.id))

    mine, theirs = get_row(store, number), StoreProduct.objects.get(id=foreign.id)
    assert mine.product.tenant == store.tenant
    assert mine.read_due_at is None
    assert (theirs.read_due_at, theirs.write_due_at, theirs.product, theirs.tries) == (
        foreign.read_due_at,
        foreign.write_due_at,
        None,
        0,
    )


@pytest.mark.parametrize(
    "task", ["poll_store", "list_products_of_run", "connect_store", "tell_problem"]
)
def test_other_jobs_see_their_shop_only(shop, store, foreign, task, monkeypatch):
    seen = []
    for module in ("polling", "running", "connecting", "disconnecting"):
        for name in ("poll", "list_next", "finish", "leave"):
            if hasattr(getattr(tasks, module), name):
                monkeypatch.setattr(
                    getattr(tasks, module), name, lambda **_: seen.append(Store.objects.get())
                )
    Store.objects.filter(id=store.id).update(problem="quota")
    monkeypatch.setattr(
        emails, "send_store_problem", lambda _store: seen.append(Store.objects.get())
    )

    getattr(tasks, task)(store_id=str(store.id))

    assert set(seen) == {store}
    assert Store.objects.count() == 2


def test_a_delivery_is_taken_in_its_shop_only(shop, store, member, monkeypatch):
    work(store, add_product(shop))
    theirs = make_store(by=make_member())
    make_row(theirs, "5")
    seen = []
    monkeypatch.setattr(hints, "hint", lambda **_: seen.append(set(Store.objects.all())))
    body, headers = build_delivery({"id": 5})

    receiving.receive(
        store=theirs,
        headers={name.lower(): value for name, value in headers.items()},
        body=body,
        now=timezone.now(),
    )

    assert seen == [{theirs}]
    assert StoreDelivery.objects.get().store == theirs
    assert Store.objects.count() == 2


def test_a_job_of_a_store_that_is_gone_does_nothing(db):
    tasks.read_products(store_id="00000000-0000-0000-0000-000000000001", lane=0)
