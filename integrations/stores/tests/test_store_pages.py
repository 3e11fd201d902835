"""The pages of stores."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.tests.factories import make_member
from integrations.models import Store, StoreRun, StoreWord
from integrations.stores import addresses, connecting
from integrations.stores.tests.factories import (
    add_product,
    annotate,
    get_row,
    get_write_back,
    list_run,
    make_row,
    make_store,
    make_store_delivery,
    make_write_back,
    read,
    work,
    write,
)

pytestmark = pytest.mark.django_db


def test_the_list_says_what_can_be_connected_and_what_not_yet(page):
    shown = page.get(reverse("integrations")).content.decode()

    for name in ("WooCommerce", "nopCommerce", "Wix"):
        assert name in shown
    assert shown.count("Not yet") == 2


def test_the_list_shows_stores_with_their_state(page, member):
    make_store(by=member, name="Anna's", state="broken", problem="key-read-only")

    shown = page.get(reverse("integrations")).content.decode()

    assert "Anna&#x27;s" in shown
    assert "Needs you" in shown
    assert "read-only" in shown


def test_reviewers_see_no_stores(client):
    client.force_login(make_member(role=Role.REVIEWER).user)

    assert client.get(reverse("integrations")).status_code == 403


def test_connects_a_store_in_three_steps(page, shop, monkeypatch):
    first = page.post(reverse("add_woocommerce"), {"url": shop.url})
    store = Store.objects.get()
    assert first.headers["Location"] == reverse("store", args=[store.id])

    second = page.get(first.headers["Location"]).content.decode()
    assert reverse("approve_store", args=[store.id]) in second
    key = shop.make_key()
    page.post(reverse("take_store_keys", args=[store.id]), {"key": key.key, "secret": key.secret})
    waiting = page.get(first.headers["Location"]).content.decode()
    assert "writes and removes a test tag" in waiting
    assert key.secret not in waiting

    connecting_job(store)
    shown = page.get(first.headers["Location"]).content.decode()
    assert "Connected" in shown
    assert "product.created" in shown
    assert key.key not in shown


def test_the_approval_leads_to_the_store(page, shop, monkeypatch):
    page.post(reverse("add_woocommerce"), {"url": shop.url})
    store = Store.objects.get()

    answer = page.get(reverse("approve_store", args=[store.id]))

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{shop.url}/wc-auth/v1/authorize?")
    assert "no-store" in answer.headers["Cache-Control"]


def test_without_a_public_address_keys_are_pasted(page, shop, monkeypatch):
    monkeypatch.setattr(addresses, "can_be_reached", lambda: False)
    page.post(reverse("add_woocommerce"), {"url": shop.url})
    store = Store.objects.get()

    shown = page.get(reverse("store", args=[store.id])).content.decode()

    assert "no public https address" in shown
    assert reverse("approve_store", args=[store.id]) not in shown


@pytest.mark.parametrize("url", ["", "ftp://x.example", "https://user:pass@x.example"])
def test_says_what_is_wrong_with_an_address(page, url):
    refused = page.post(reverse("add_woocommerce"), {"url": url})

    assert refused.status_code == 422
    assert "errorlist" in refused.content.decode()
    assert not Store.objects.exists()


@pytest.mark.parametrize(
    "keys", [{}, {"key": "ck_12345678", "secret": "ck_12345678"}, {"key": "x", "secret": "y"}]
)
def test_says_what_is_wrong_with_keys(page, shop, keys):
    page.post(reverse("add_woocommerce"), {"url": shop.url})
    store = Store.objects.get()

    refused = page.post(reverse("take_store_keys", args=[store.id]), keys)

    assert refused.status_code == 422
    store.refresh_from_db()
    assert store.credentials is None


def test_shows_why_a_connection_failed_and_tests_it_again(page, shop):
    page.post(reverse("add_woocommerce"), {"url": shop.url})
    store = Store.objects.get()
    shop.has_permalinks = False
    key = shop.make_key()
    page.post(reverse("take_store_keys", args=[store.id]), {"key": key.key, "secret": key.secret})
    connecting_job(store)
    assert (
        "Pretty permalinks are off" in page.get(reverse("store", args=[store.id])).content.decode()
    )

    shop.has_permalinks = True
    page.post(reverse("try_store_again", args=[store.id]))
    connecting_job(store)

    store.refresh_from_db()
    assert store.is_active


SETTINGS = {
    "name": "Anna's",
    "mode": "review",
    "threshold": "65",
    "language": "tr",
    "write_tags": "on",
}


def test_changes_what_is_written(page, member):
    store = make_store(by=member)

    page.post(reverse("change_store", args=[store.id]), SETTINGS)

    store.refresh_from_db()
    assert (store.name, store.mode, store.threshold, store.language) == (
        "Anna's",
        "review",
        0.65,
        "tr",
    )
    assert (store.write_tags, store.write_alt, store.append_only) == (True, False, False)


@pytest.mark.parametrize(
    "change", [{"threshold": "101"}, {"threshold": "x"}, {"mode": "never"}, {"language": "xx"}]
)
def test_keeps_settings_that_are_wrong_out(page, member, change):
    store = make_store(by=member)

    refused = page.post(reverse("change_store", args=[store.id]), {**SETTINGS, **change})

    assert refused.status_code == 422
    store.refresh_from_db()
    assert (store.mode, store.threshold) == ("now", 0.8)


def test_switches_off_and_on(page, member):
    store = make_store(by=member)

    page.post(reverse("pause_store", args=[store.id]))
    store.refresh_from_db()
    assert store.state == "paused"

    page.post(reverse("resume_store", args=[store.id]))
    store.refresh_from_db()
    assert store.is_active


def test_previews_writes_and_undoes_all_products(page, shop, store):
    number = add_product(shop)
    page.post(reverse("start_store_run", args=[store.id]), {"kind": "preview"})
    run_to_its_end(store)

    shown = page.get(reverse("store", args=[store.id])).content.decode()
    assert "1 product will change." in shown
    assert shop.names_of(number, "tags") == []

    page.post(reverse("write_store_suggestions", args=[store.id]))
    write(store)
    assert "Striped" in shop.names_of(number, "tags")

    page.post(reverse("undo_store", args=[store.id]), {"run": str(StoreRun.objects.get().id)})
    write(store)
    assert shop.names_of(number, "tags") == []


@pytest.mark.parametrize(("do", "state"), [("pause", "paused"), ("stop", "cancelled")])
def test_pauses_and_stops_a_run(page, member, do, state):
    store = make_store(by=member)
    page.post(reverse("start_store_run", args=[store.id]))

    page.post(reverse("change_store_run", args=[store.id]), {"do": do})

    assert StoreRun.objects.get().state == state
    assert page.get(reverse("store", args=[store.id])).status_code == 200


def test_a_second_run_says_that_the_first_is_not_done(page, member):
    store = make_store(by=member)
    page.post(reverse("start_store_run", args=[store.id]))

    answer = page.post(reverse("start_store_run", args=[store.id]), follow=True)

    assert "not done yet" in answer.content.decode()


def test_shows_a_change_and_undoes_it(page, shop, store):
    number = add_product(shop)
    work(store, number)
    change = get_write_back(store, number)
    shown = page.get(reverse("store_change", args=[change.id])).content.decode()
    assert "added:" in shown
    assert "Striped" in shown

    page.post(reverse("undo_store_change", args=[change.id]))
    write(store)

    assert shop.names_of(number, "tags") == []
    assert "Undone" in page.get(reverse("store_change", args=[change.id])).content.decode()


def test_writes_again_what_was_undone(page, shop, store):
    number = add_product(shop)
    work(store, number)
    change = get_write_back(store, number)
    page.post(reverse("undo_store_change", args=[change.id]))
    write(store)

    page.post(reverse("write_store_change", args=[change.id]))
    read_and_write(store)

    assert "Striped" in shop.names_of(number, "tags")


def test_dismisses_a_suggestion(page, member):
    change = make_write_back(make_row(make_store(by=member)))

    page.post(reverse("dismiss_store_change", args=[change.id]))

    change.refresh_from_db()
    assert change.state == "dismissed"


def test_filters_the_history(page, member):
    row = make_row(make_store(by=member), remote={**EMPTY, "title": "Runner"})
    make_write_back(row)
    address = reverse("store_changes", args=[row.store_id])

    assert "Runner" in page.get(f"{address}?state=suggested").content.decode()
    assert "Runner" not in page.get(f"{address}?state=applied").content.decode()
    assert page.get(f"{address}?state=nonsense&page=99").status_code == 200


def test_shows_the_log_and_does_it_again(page, member):
    store = make_store(by=member)
    delivery = make_store_delivery(
        store, body='{"id": 7, "name": "<script>"}', state="failed", problem="not-there"
    )
    log = page.get(reverse("store_log", args=[store.id])).content.decode()
    assert "product.updated" in log
    assert "no longer in the store" in log
    shown = page.get(reverse("store_delivery", args=[delivery.id])).content.decode()
    assert "&lt;script&gt;" in shown

    page.post(reverse("replay_store_delivery", args=[delivery.id]))

    assert get_row(store, 7).read_due_at is not None


def test_keeps_the_shops_own_words(page, member):
    store = make_store(by=member)
    address = reverse("store_words", args=[store.id])
    assert "Striped" in page.get(address).content.decode()

    page.post(
        reverse("change_store_words", args=[store.id]),
        {"value:pattern:striped": " Stripes ", "colour:white": "", "colour:red": "Red"},
    )

    assert dict(StoreWord.objects.values_list("label", "word")) == {
        "value:pattern:striped": "Stripes",
        "colour:white": "",
    }
    assert "Stripes" in page.get(address).content.decode()


def test_shows_products_that_failed_and_tries_them_again(page, member):
    store = make_store(by=member)
    row = make_row(store, state="failed", problem="not-kept", problem_about="Striped")
    shown = page.get(reverse("store", args=[store.id])).content.decode()
    assert "did not keep what was written: Striped" in shown

    page.post(reverse("read_store_product", args=[row.id]))

    row.refresh_from_db()
    assert row.state == "waiting"


def test_a_broken_store_says_what_to_do(page, member):
    store = make_store(by=member, state="broken", problem="key-unknown")

    shown = page.get(reverse("store", args=[store.id])).content.decode()
    assert "does not know this key" in shown
    page.post(reverse("reconnect_store", args=[store.id]))

    assert "Paste a key" in page.get(reverse("store", args=[store.id])).content.decode()


def test_the_store_page_makes_few_queries(page, member, django_assert_max_num_queries):
    store = make_store(by=member)
    for number in range(8):
        make_write_back(make_row(store, str(number)))

    with django_assert_max_num_queries(24):
        page.get(reverse("store", args=[store.id]))


EMPTY = {"id": "7", "images": [], "tags": [], "categories": [], "attributes": []}


def connecting_job(store):
    connecting.finish(store_id=store.id, now=timezone.now())


def run_to_its_end(store):
    for _time in range(3):
        list_run(store)
        read(store)
        annotate(store)
        write(store)


def read_and_write(store):
    read(store)
    write(store)
