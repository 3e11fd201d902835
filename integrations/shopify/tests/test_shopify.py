"""A Shopify store, from its app to what is written, against the simulated one."""

import contextlib
import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone

from annotations.tests.conftest import fake_engine, media, member, page, run_jobs, tenant
from annotations.tests.factories import make_photo_bytes
from integrations.models import Store, StoreDelivery, WriteBack
from integrations.shopify import simulator
from integrations.shopify.messages import check_approval
from integrations.shopify.simulator import Simulator
from integrations.stores import connecting, credentials, forgetting, platforms, services
from integrations.stores.contract import BadSignature
from integrations.stores.failures import StoreFailed
from integrations.stores.tests.factories import (
    annotate,
    get_row,
    get_write_back,
    later,
    poll,
    read,
    tell,
    work,
    write,
)
from retrieval.models import Product

__all__ = ["fake_engine", "media", "member", "page", "run_jobs", "tenant"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(settings):
    store = Simulator()
    store.send = lambda *_args: 200
    with simulator.run(store):
        settings.OUTBOUND_NETWORKS = ["127.0.0.1/32"]
        settings.OUTBOUND_PORTS = [80, 443, int(store.url.rpartition(":")[2])]
        yield store


def begin(shop, member, **values):
    return connecting.begin_shopify(
        tenant=member.tenant,
        by=member,
        url=shop.url,
        now=timezone.now(),
        **{"client_id": shop.client_id, "secret": shop.secret, **values},
    )


def finish(store):
    connecting.finish(store_id=store.id, now=timezone.now())
    store.refresh_from_db()
    return store


@pytest.fixture
def store(shop, member):
    return finish(begin(shop, member))


def add_product(shop, title="Summer shirt", **fields):
    return shop.add_product(title, make_photo_bytes(), **fields)


def test_connects_with_the_id_and_secret_of_an_app(shop, store):
    assert (store.state, store.problem, store.name) == ("active", "", "Simulated Shopify")
    assert {each["topic"] for each in store.webhooks} == {
        *("PRODUCTS_CREATE", "PRODUCTS_UPDATE", "PRODUCTS_DELETE", "APP_UNINSTALLED")
    }


def test_connects_by_an_approval_with_tokens_that_change(shop, member, client):
    store = begin(shop, member)
    address = connecting.build_shopify_approval_address(store=store, by=member, now=timezone.now())
    target = shop.approve(dict(parse_qsl(urlsplit(address).query)))

    answer = client.get(reverse("shopify_approved"), query_of(target))
    finish(store)

    assert answer.headers["Location"] == reverse("store", args=[store.id])
    assert store.is_active
    first = credentials.read(store)
    assert first["refresh_token"] in shop.refresh_tokens
    assert "code" not in first

    shop.tokens.clear()
    platforms.open_connection(store).fetch_product("1")
    store.refresh_from_db()
    second = credentials.read(store)
    assert second["refresh_token"] != first["refresh_token"]
    assert second["refresh_token"] in shop.refresh_tokens


def query_of(target):
    return dict(parse_qsl(urlsplit(target).query))


@pytest.mark.parametrize(
    "change", [{"hmac": "0" * 64}, {"shop": "other.myshopify.com"}, {"state": "guess"}]
)
def test_an_approval_that_is_not_from_shopify_does_nothing(shop, member, client, change):
    store = begin(shop, member)
    address = connecting.build_shopify_approval_address(store=store, by=member, now=timezone.now())
    target = shop.approve(dict(parse_qsl(urlsplit(address).query)))

    client.get(reverse("shopify_approved"), {**query_of(target), **change})

    store.refresh_from_db()
    assert "code" not in credentials.read(store)


def test_checks_the_signature_of_an_approval():
    with pytest.raises(BadSignature):
        check_approval(query="code=1&shop=a&hmac=00", secret="")


def test_another_workers_new_token_is_used(shop, store):
    """A refresh token works once: who comes second takes what the first one got."""
    first, second = (
        platforms.open_connection(store),
        platforms.open_connection(Store.objects.get(id=store.id)),
    )
    shop.tokens.clear()
    first.fetch_product("1")

    second.fetch_product("1")

    assert len(shop.tokens) == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda shop: setattr(shop, "secret", "other_secret"), "app-unknown"),
        (lambda shop: setattr(shop, "scopes", "read_products"), "scopes-missing"),
        (lambda shop: shop.faults.append("500"), "store-error"),
        (lambda shop: shop.faults.append("throttled"), "busy"),
        (lambda shop: shop.faults.append("html"), "not-json"),
    ],
)
def test_says_in_plain_words_what_is_wrong(shop, member, change, problem):
    store = begin(shop, member)
    change(shop)

    finish(store)

    assert (store.state, store.problem) == ("connecting", problem)
    assert store.problem_text


def test_writes_tags_category_metafields_and_alt_texts(shop, store):
    number = add_product(shop, tags=["Sale"])

    work(store, number)

    product = shop.get(number)
    assert product["tags"] == ["Navy blue", "Sale", "Striped", "T-shirt", "White"]
    assert product["category"]["name"] == "T-Shirts"
    assert shop.words_of(number) == {"colour": ["Navy blue", "White"], "pattern": ["Striped"]}
    assert product["media"][0]["alt"] == "Summer shirt: navy blue striped t-shirt"
    assert Product.objects.get().title == "Summer shirt"


def test_writes_nothing_twice(shop, store):
    number = add_product(shop)
    work(store, number)
    shop.operations.clear()

    for _time in range(2):
        work(store, number)

    assert set(shop.operations) == {"Product"}
    assert WriteBack.objects.count() == 1


def test_keeps_a_category_that_is_set(shop, store):
    category = {"id": "gid://shopify/TaxonomyCategory/1", "name": "Dresses"}
    number = add_product(shop, category=category)

    work(store, number)

    assert shop.get(number)["category"] == category


def test_undoes_a_change(shop, store, member):
    number = add_product(shop, tags=["Sale"])
    work(store, number)

    services.undo(
        tenant=store.tenant,
        by=member,
        store_id=store.id,
        ids=[get_write_back(store, number).id],
        now=timezone.now(),
    )
    write(store)

    product = shop.get(number)
    assert (product["tags"], product["category"]) == (["Sale"], None)
    assert product["media"][0]["alt"] == ""
    assert shop.words_of(number) == {}


def test_a_metafield_that_somebody_sets_meanwhile_stays(shop, store):
    """Between reading and writing: the digest is stale, so all is read anew."""
    number = add_product(shop)
    merchant = iter([None, lambda: shop.set_metafield(number, "pattern", "Tartan")])

    def interfere():
        act = next(merchant, None)
        if act:
            act()

    shop.before_metafields = interfere
    work(store, number)
    for minutes in (1, 10):
        write(store, now=later(minutes=minutes))

    assert shop.words_of(number)["pattern"] == ["Tartan"]
    assert shop.words_of(number)["colour"] == ["Navy blue", "White"]


@pytest.mark.parametrize("fault", ["late-reset", "reset", "429", "500", "html", "throttled"])
@pytest.mark.parametrize("position", [0, 1, 2, 3, 4, 5, 6, 7])
def test_ends_as_intended_whatever_goes_wrong(shop, store, member, fault, position):
    number = add_product(shop, tags=["Sale"])
    tell(store, number)
    read(store)
    annotate(store)
    shop.faults = [""] * position + [fault]

    write(store)
    for minutes in (1, 10, 30):
        write(store, now=later(minutes=minutes))

    product = shop.get(number)
    assert product["tags"] == ["Navy blue", "Sale", "Striped", "T-shirt", "White"]
    assert shop.words_of(number) == {"colour": ["Navy blue", "White"], "pattern": ["Striped"]}
    change = get_write_back(store, number)
    assert change.state == "applied"
    assert change.before["tags"] == ["Sale"]
    services.undo(
        tenant=store.tenant, by=member, store_id=store.id, ids=[change.id], now=timezone.now()
    )
    for minutes in (40, 50):
        write(store, now=later(minutes=minutes))
    assert (shop.get(number)["tags"], shop.words_of(number)) == (["Sale"], {})


def test_stays_within_its_share_of_the_budget(shop, member):
    shop.budget, shop.restore_rate, shop.cost = 100, 50, 10
    store = finish(begin(shop, member))
    if not store.is_active:  # what is over the budget is tried again later
        Store.objects.update(problem="", state="connecting")
        finish(store)
    connection = platforms.open_connection(store)
    for _time in range(30):
        with contextlib.suppress(StoreFailed):  # it asks for a pause
            connection.fetch_product("1")

    assert shop.lowest >= 100 * 0.2 - shop.cost


def send(client, store, shop, topic, content, *, secret="", view="store_hook"):
    if secret:
        shop.secret = secret
    body = json.dumps(content).encode()
    headers = shop.sign(topic, body)
    args = [store.id] if view == "store_hook" else []
    return client.post(
        reverse(view, args=args), body, content_type="application/json", headers=headers
    )


def test_takes_signed_messages(client, shop, store):
    number = add_product(shop)

    answer = send(client, store, shop, "products/update", {"id": number})

    assert answer.status_code == 200
    assert get_row(store, number).read_due_at is not None


def test_refuses_other_signatures(client, shop, store):
    answer = send(client, store, shop, "products/update", {"id": 1}, secret="other")

    assert answer.status_code == 401
    assert not StoreDelivery.objects.exists()


def test_takes_the_old_secret_for_an_hour_after_it_was_replaced(client, shop, store):
    old = shop.secret
    until = str(int(timezone.now().timestamp()) + 3600)
    values = {"secret": "new_secret", "old_secret": old, "old_secret_until": until}
    credentials.save(store, {**credentials.read(store), **values})

    assert send(client, store, shop, "products/update", {"id": 1}).status_code == 200

    credentials.save(store, {**credentials.read(store), "old_secret_until": "1"})
    assert send(client, store, shop, "products/update", {"id": 2}).status_code == 401


def test_an_app_that_was_removed_breaks_the_connection(client, shop, store):
    send(client, store, shop, "app/uninstalled", {"id": 1})

    store.refresh_from_db()
    assert (store.state, store.problem) == ("broken", "uninstalled")


@pytest.mark.parametrize("topic", ["customers/data_request", "customers/redact", "shop/redact"])
def test_answers_the_compliance_topics(client, shop, store, topic):
    domain = urlsplit(shop.url).netloc
    Store.objects.update(url=f"https://{domain}")

    good = send(client, store, shop, topic, {"shop_domain": domain}, view="shopify_compliance")
    bad = send(client, store, shop, topic, {"x": 1}, secret="other", view="shopify_compliance")

    assert (good.status_code, bad.status_code) == (200, 401)


def test_redacts_a_shop_with_all_that_came_from_it(shop, store):
    work(store, add_product(shop))

    forgetting.redact(store_id=store.id)

    assert not Store.objects.exists()
    assert not Product.objects.exists()


def test_finds_what_nobody_told_and_mends_subscriptions(shop, store):
    number = add_product(shop)
    shop.subscriptions.clear()

    poll(store)
    read(store)

    assert get_row(store, number).product is not None
    assert len(shop.subscriptions) == 4
    store.refresh_from_db()
    assert store.problem == "webhooks-disabled"


def test_a_subscription_goes_after_eight_failures(shop, store):
    shop.send = lambda *_args: 500
    add_product(shop)

    shop.deliver_all()

    topics = {each["topic"] for each in shop.subscriptions.values()}
    assert "PRODUCTS_CREATE" not in topics
    assert "PRODUCTS_UPDATE" in topics


def test_a_product_that_is_deleted_leaves_the_catalogue(shop, store):
    number = add_product(shop)
    work(store, number)
    shop.delete(number)

    work(store, number)

    assert get_row(store, number).state == "gone"


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("anna", "https://anna.myshopify.com"),
        ("https://anna.myshopify.com/admin", "https://anna.myshopify.com"),
        ("admin.shopify.com/store/anna/products", "https://anna.myshopify.com"),
    ],
)
def test_understands_the_stores_name_as_people_paste_it(page, typed, url):
    page.post(
        reverse("add_shopify"),
        {"domain": typed, "client_id": "abcdefgh1", "secret": "shpss_12345678", "how": "approve"},
    )

    assert Store.objects.get().url == url


def test_refuses_other_addresses(page):
    refused = page.post(
        reverse("add_shopify"),
        {"domain": "evil.example", "client_id": "abcdefgh1", "secret": "shpss_12345678"},
    )

    assert refused.status_code == 422
    assert "myshopify.com" in refused.content.decode()
