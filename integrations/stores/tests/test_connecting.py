"""From an address to a connected store, and every way in which that fails."""

import base64
import hashlib
import hmac
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.services import NotAllowed
from accounts.tests.factories import make_member
from integrations.models import Store
from integrations.stores import addresses, connecting, credentials, platforms
from integrations.stores.failures import StoreFailed
from integrations.stores.tests.factories import connect, drop_jobs, later, make_store
from integrations.woocommerce.client import Client, sign

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("shop.example", "https://shop.example"),
        (" https://shop.example/ ", "https://shop.example"),
        ("https://shop.example/wp-admin/index.php?x=1", "https://shop.example"),
        ("http://shop.example/store", "http://shop.example/store"),
        ("https://shop.example/shop/", "https://shop.example"),
        ("https://shop.example/my-account/orders/", "https://shop.example"),
        ("https://shop.example/shopping", "https://shop.example/shopping"),
        ("https://shop.example/wp-jsonfoo", "https://shop.example/wp-jsonfoo"),
        # WordPress itself in a folder of that name.
        ("https://shop.example/shop/wp-admin/", "https://shop.example/shop"),
        ("https://shop.example/shop/wp-json/wc/v3", "https://shop.example/shop"),
    ],
)
def test_understands_addresses_as_people_paste_them(typed, address):
    assert addresses.clean_address(typed) == address


@pytest.mark.parametrize(
    "typed", ["", "ftp://shop.example", "https://a:b@shop.example", "https://"]
)
def test_says_what_is_wrong_with_an_address(typed):
    with pytest.raises(StoreFailed) as caught:
        addresses.clean_address(typed)

    assert caught.value.detail


def test_connects_with_pasted_keys(shop, member):
    store = connect(shop, by=member)

    assert (store.state, store.problem, store.name) == ("active", "", "Simulated & Sons")
    assert store.currency == "EUR"
    assert [each["topic"] for each in store.webhooks] == [
        *("product.created", "product.updated", "product.deleted", "product.restored")
    ]
    assert not shop.terms["tags"], "the test tag is gone"


def test_keys_are_sealed_for_their_row_and_shop(shop, member):
    store = connect(shop, by=member)
    key = next(iter(shop.keys.values()))

    assert key.secret.encode() not in bytes(store.credentials or b"")
    other = make_store(by=make_member())
    other.credentials = store.credentials
    with pytest.raises(StoreFailed):
        credentials.read(other)


def test_keys_survive_a_new_encryption_key(shop, member, settings):
    store = connect(shop, by=member)

    settings.ENCRYPTION_KEYS = ["a new one", *settings.ENCRYPTION_KEYS]

    assert credentials.read(store)["key"] in shop.keys


def test_webhooks_are_not_made_twice(shop, member, store):
    for _time in range(2):
        Store.objects.update(state="connecting")
        connecting.finish(store_id=store.id, now=timezone.now())

    assert len(shop.webhooks) == 4


def test_makes_no_webhooks_where_the_store_cannot_reach_kalas(shop, member, settings, monkeypatch):
    monkeypatch.setattr(addresses, "can_be_reached", lambda: False)

    store = connect(shop, by=member)

    assert (store.state, store.webhooks) == ("active", [])


@pytest.mark.parametrize(
    ("url", "reachable"),
    [
        ("https://kalas.example.com", True),
        ("http://kalas.example.com", False),
        ("https://localhost", False),
        ("https://192.168.1.7", False),
        ("https://kalas.local", False),
        ("https://[2001:db8::1]", False),
        ("https://8.8.8.8", True),
    ],
)
def test_knows_where_stores_reach_it(settings, url, reachable):
    settings.PUBLIC_URL = url

    assert addresses.can_be_reached() == reachable


def fail(shop, member, change):
    store = connecting.begin(
        tenant=member.tenant, by=member, platform="woocommerce", url=shop.url, now=timezone.now()
    )
    key = shop.make_key()
    values = {"key": key.key, "secret": key.secret}
    change(shop, key, values)
    connecting.take_keys(
        tenant=member.tenant, by=member, store_id=store.id, values=values, now=timezone.now()
    )
    connecting.finish(store_id=store.id, now=timezone.now())
    store.refresh_from_db()
    return store


def _set(name, value):
    return lambda shop, key, values: setattr(
        shop if name in ("has_permalinks", "has_woocommerce", "faults") else key, name, value
    )


@pytest.mark.parametrize(
    ("change", "problem", "words"),
    [
        (_set("has_permalinks", False), "permalinks-off", "Pretty permalinks are off"),
        (_set("has_woocommerce", False), "no-woocommerce", "WooCommerce is not active"),
        (_set("permissions", "read"), "key-read-only", "read-only"),
        (_set("may_see", False), "owner-without-rights", "Shop manager"),
        (lambda s, k, values: values.update(key="ck_no"), "key-unknown", "does not know this key"),
        (lambda s, k, values: values.update(secret="cs_no"), "secret-wrong", "consumer secret"),
        (_set("faults", ["html"]), "firewall", "firewall"),
        (_set("faults", ["500"]), "store-error", "tries again"),
        (_set("faults", ["429"]), "busy", "pause"),
        (_set("faults", ["reset"]), "broken-answer", "broke off"),
    ],
)
def test_says_in_plain_words_what_is_wrong(shop, member, change, problem, words):
    store = fail(shop, member, change)

    assert (store.state, store.problem) == ("connecting", problem)
    assert words in store.problem_text


def test_tries_again_by_itself_what_may_pass(shop, member):
    shop.choose_fault = lambda _request: "503"
    store = fail(shop, member, lambda *_args: None)
    assert store.state == "connecting"
    drop_jobs()

    connecting.finish(store_id=store.id, now=timezone.now())

    assert count_jobs("stores.connect_store") == 1
    shop.choose_fault = lambda _request: ""
    connecting.finish(store_id=store.id, now=timezone.now())
    store.refresh_from_db()
    assert (store.state, store.problem) == ("active", "")


def test_does_not_try_again_what_somebody_has_to_mend(shop, member):
    fail(shop, member, _set("permissions", "read"))
    drop_jobs()

    connecting.finish(store_id=Store.objects.get().id, now=timezone.now())

    assert count_jobs("stores.connect_store") == 0


def count_jobs(task):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s", [task])
        return cursor.fetchone()[0]


def test_keys_that_were_pasted_meanwhile_stay(shop, member, store):
    """A job that had the old ones notes how they are sent."""
    job = Store.objects.get(id=store.id)
    old = credentials.read(job)
    credentials.save(store, {**old, "key": "ck_new", "secret": "cs_new"})

    credentials.note_style(job, {**old, "style": "query"})

    store.refresh_from_db()
    kept = credentials.read(store)
    assert (kept["key"], kept["secret"]) == ("ck_new", "cs_new")
    assert kept.get("style") != "query"


def test_how_keys_are_sent_is_kept(shop, member, store):
    credentials.note_style(store, {**credentials.read(store), "style": "query"})

    store.refresh_from_db()
    assert credentials.read(store)["style"] == "query"


def test_a_test_of_a_store_that_is_switched_off_leaves_it_off(shop, member, store):
    Store.objects.update(state="paused")

    connecting.try_again(tenant=store.tenant, by=member, store_id=store.id, now=timezone.now())

    store.refresh_from_db()
    assert store.state == "paused"


def test_says_when_nobody_is_there(shop, member):
    store = connect(shop, by=member)
    Store.objects.update(url="http://127.0.0.1:80", state="connecting")

    connecting.finish(store_id=store.id, now=timezone.now())

    store.refresh_from_db()
    assert store.problem == "unreachable"


def test_uses_keys_in_the_address_where_the_header_is_removed(shop, monkeypatch):
    """Over https, which this store plays."""
    shop.pretend_https, shop.strips_authorization = True, True
    key = shop.make_key()
    saved: dict[str, str] = {}
    client = Client(
        url=shop.url, credentials={"key": key.key, "secret": key.secret}, save=saved.update
    )
    monkeypatch.setattr(client, "_list_styles", lambda: ["basic", "query"])

    assert client.get("products") == []
    assert saved["style"] == "query"


def test_uses_basic_authentication_over_https(shop, monkeypatch):
    shop.pretend_https = True
    key = shop.make_key()
    saved: dict[str, str] = {}
    client = Client(
        url=shop.url, credentials={"key": key.key, "secret": key.secret}, save=saved.update
    )
    monkeypatch.setattr(client, "_list_styles", lambda: ["basic", "query"])

    assert client.get("products") == []
    assert saved["style"] == "basic"


def test_signs_as_the_standard_says():
    """The example of RFC 5849's section 1.2 has other parts; this one is WooCommerce's own."""
    signed = sign(
        method="GET",
        url="http://www.example.com/wp-json/wc/v3/orders",
        params={"search": "a b&c"},
        key="abc123",
        secret="secret",
        timestamp=123456789,
        nonce="nonce",
    )

    assert signed["oauth_signature_method"] == "HMAC-SHA256"
    assert signed["oauth_signature"] == expected_signature()


def expected_signature() -> str:
    base = (
        "GET&http%3A%2F%2Fwww.example.com%2Fwp-json%2Fwc%2Fv3%2Forders&"
        "oauth_consumer_key%3Dabc123%26oauth_nonce%3Dnonce"
        "%26oauth_signature_method%3DHMAC-SHA256%26oauth_timestamp%3D123456789"
        "%26search%3Da%2520b%2526c"
    )
    return base64.b64encode(hmac.digest(b"secret&", base.encode(), hashlib.sha256)).decode()


def begin_approval(shop, member, monkeypatch):
    store = connecting.begin(
        tenant=member.tenant, by=member, platform="woocommerce", url=shop.url, now=timezone.now()
    )
    address = connecting.build_approval_address(store=store, by=member, now=timezone.now())
    return store, address


def hand_over(client, token, key="ck_1", secret="cs_1"):  # noqa: S107 - a test's
    body = {
        "key_id": 1,
        "user_id": token,
        "consumer_key": key,
        "consumer_secret": secret,
        "key_permissions": "read_write",
    }
    return client.post(
        reverse("store_keys"), json.dumps(body), content_type="application/json;charset=UTF-8"
    )


def read_token(address):
    return parse_qs(urlsplit(address).query)["user_id"][0]


def test_takes_keys_that_somebody_approved_in_the_store(client, shop, member, monkeypatch):
    store, address = begin_approval(shop, member, monkeypatch)
    assert address.startswith(f"{shop.url}/wc-auth/v1/authorize?app_name=Kalas&scope=read_write")
    key = shop.make_key()

    answer = hand_over(client, read_token(address), key.key, key.secret)
    connecting.finish(store_id=store.id, now=timezone.now())

    assert answer.status_code == 200
    store.refresh_from_db()
    assert store.is_active


def test_an_approval_works_once(client, shop, member, monkeypatch):
    store, address = begin_approval(shop, member, monkeypatch)
    hand_over(client, read_token(address), "ck_first")

    again = hand_over(client, read_token(address), "ck_second")

    assert again.status_code == 200
    store.refresh_from_db()
    assert credentials.read(store)["key"] == "ck_first"


@pytest.mark.parametrize("token", ["", "guess", "x" * 500])
def test_other_approvals_do_nothing(client, shop, member, monkeypatch, token):
    store, _address = begin_approval(shop, member, monkeypatch)

    assert hand_over(client, token).status_code == 200

    store.refresh_from_db()
    assert store.credentials is None


def test_an_approval_does_not_last(client, shop, member, monkeypatch):
    store, address = begin_approval(shop, member, monkeypatch)
    Store.objects.update(token_until=later(hours=-1))

    hand_over(client, read_token(address))

    store.refresh_from_db()
    assert store.credentials is None


def test_reviewers_connect_nothing(shop):
    with pytest.raises(NotAllowed):
        connect(shop, by=make_member(role=Role.REVIEWER))


def test_a_store_is_connected_once(shop, member, store):
    with pytest.raises(connecting.AlreadyConnected):
        connecting.begin(
            tenant=member.tenant,
            by=member,
            platform="woocommerce",
            url=store.url,
            now=timezone.now(),
        )


def test_secrets_are_never_in_the_log(shop, member, caplog):
    caplog.set_level("DEBUG")

    connect(shop, by=member)

    for key in shop.keys.values():
        assert key.secret not in caplog.text


def test_a_store_takes_its_webhooks_with_it(shop, member, store):
    platforms.open_connection(store).remove_webhooks(url=addresses.build_hook_url(store))

    assert not shop.webhooks
