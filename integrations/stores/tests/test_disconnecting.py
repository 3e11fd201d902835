"""A store is left by a job, and finds its products again when it is connected once more."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.tests.factories import make_member
from annotations.models import Annotation
from integrations.models import Store, StoreTerm
from integrations.stores import connecting, lanes, platforms, services
from integrations.stores.tasks import poll_store
from integrations.stores.tests.factories import (
    add_product,
    connect,
    get_row,
    get_write_back,
    later,
    list_run,
    make_store,
    poll,
    read,
    work,
    write,
)
from retrieval.models import Product

pytestmark = pytest.mark.django_db


def disconnect(page, store):
    return page.post(reverse("disconnect_store", args=[store.id]), follow=True).content.decode()


def test_the_page_asks_no_store_and_says_what_happens(page, shop, store):
    shop.requests.clear()

    shown = disconnect(page, store)

    assert shop.requests == []
    assert "Being disconnected" in shown
    assert "takes its webhooks out" in shown
    store.refresh_from_db()
    assert store.state == "leaving"


def test_takes_the_webhooks_along_and_forgets_the_key(page, shop, store):
    work(store, add_product(shop))
    disconnect(page, store)

    poll_store(store_id=str(store.id))

    store.refresh_from_db()
    assert (store.state, store.credentials, shop.webhooks) == ("disconnected", None, {})
    assert not StoreTerm.objects.exists()
    assert Product.objects.count() == 1
    gone = page.get(reverse("store", args=[store.id]), follow=True)
    assert gone.redirect_chain[0][0] == reverse("integrations")
    assert "Disconnected." in gone.content.decode()
    assert reverse("store", args=[store.id]) not in gone.content.decode()
    script = page.get(reverse("store", args=[store.id]), headers={"HX-Request": "true"})
    assert script.headers["HX-Redirect"] == reverse("integrations")


def test_a_store_that_is_away_is_asked_again_until_somebody_has_enough(page, shop, store):
    shop.choose_fault = lambda _request: "500"
    disconnect(page, store)

    poll_store(store_id=str(store.id))

    shown = page.get(reverse("store", args=[store.id])).content.decode()
    assert "webhooks are still in the store" in shown
    store.refresh_from_db()
    assert store.quiet_until > timezone.now()
    lanes.wake_sleepers(now=later(seconds=60))
    shown = disconnect(page, store)
    assert "Products and photos stay" in shown
    store.refresh_from_db()
    assert (store.state, store.credentials) == ("disconnected", None)


def test_keys_that_came_while_a_slow_store_answered_are_kept(page, store, monkeypatch):
    disconnect(page, store)

    class Slow:
        def remove_webhooks(self, *, url):
            Store.objects.filter(id=store.id).update(state="connecting", webhooks=[])

    monkeypatch.setattr(platforms, "open_connection", lambda _store: Slow())

    poll_store(store_id=str(store.id))

    store.refresh_from_db()
    assert (store.state, store.credentials is None) == ("connecting", False)


def test_nothing_can_be_asked_of_a_store_that_is_being_left(page, shop, store, member):
    disconnect(page, store)

    for name in ("poll_store", "resume_store", "reconnect_store", "take_store_keys"):
        page.post(reverse(name, args=[store.id]), {"key": "ck_12345678", "secret": "cs_12345678"})
        store.refresh_from_db()
        assert store.state == "leaving", name
    poll(store)
    assert len(shop.webhooks) == 4


def test_connected_again_the_store_has_its_products(page, shop, store, member):
    number, other = add_product(shop), add_product(shop, "Coat")
    work(store, number, other)
    shop.edit(number, tags=["T-shirt", "Navy blue", "White"])
    disconnect(page, store)
    poll_store(store_id=str(store.id))
    before = set(Product.objects.values_list("id", flat=True))
    new = add_product(shop, "Made meanwhile")

    again = connect(shop, by=member)
    poll(again)
    read(again)
    services.start_run(
        tenant=member.tenant, by=member, store_id=again.id, preview=False, now=timezone.now()
    )
    list_run(again)
    read(again)
    write(again)

    assert again.id == store.id
    assert again.is_active
    assert Product.objects.count() == 3
    assert before < set(Product.objects.values_list("id", flat=True))
    assert Annotation.objects.count() == 3
    # What the merchant took away stays away, and what was written can be undone.
    assert shop.names_of(number, "tags") == ["T-shirt", "Navy blue", "White"]
    services.undo(
        tenant=member.tenant,
        by=member,
        store_id=again.id,
        ids=[get_write_back(again, other).id],
        now=timezone.now(),
    )
    write(again)
    assert shop.names_of(other, "tags") == []
    assert get_row(again, new).product.title == "Made meanwhile"


def test_the_shops_own_software_is_known_by_its_name(member):
    store, _secret = connecting.add_custom(
        tenant=member.tenant, by=member, name="Ours", now=timezone.now()
    )
    services.disconnect(tenant=member.tenant, by=member, store_id=store.id, now=timezone.now())

    again, _secret = connecting.add_custom(
        tenant=member.tenant, by=member, name="Ours", now=timezone.now()
    )
    other, _secret = connecting.add_custom(
        tenant=member.tenant, by=member, name="Ours", now=timezone.now()
    )

    assert again.id == store.id
    assert other.id != store.id


def test_what_was_never_connected_leaves_nothing(page, member):
    store = make_store(by=member, state="connecting", connected_at=None, credentials=None)

    disconnect(page, store)

    assert not Store.objects.exists()


def test_another_shop_may_connect_the_same_store(shop, store):
    other = make_member(role=Role.OWNER)

    theirs = connect(shop, by=other)

    assert theirs.id != store.id
    client = Client()
    client.force_login(other.user)
    assert client.post(reverse("disconnect_store", args=[store.id])).status_code == 404
