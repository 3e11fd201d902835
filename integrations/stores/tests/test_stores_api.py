"""`/api/v1/stores/`: what the pages do, for programs."""

import json

import pytest
from django.utils import timezone

from accounts.models import Role, Scope
from accounts.tests.factories import make_key, make_member
from integrations.models import Store
from integrations.stores.tests.factories import (
    add_product,
    annotate,
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
STORES = "/api/v1/stores/"


@pytest.fixture
def call(client, member):
    token = make_key(member=member, scopes=[Scope.MANAGE]).token

    def ask(method, path="", body=None, *, key=token):
        headers = {"Authorization": f"Bearer {key}"}
        data = json.dumps(body or {})
        return client.generic(
            method, f"{STORES}{path}", data, content_type="application/json", headers=headers
        )

    return ask


def test_lists_the_shops_stores_without_their_keys(call, member):
    store = make_store(by=member, name="Anna's", problem="quota")
    make_store(by=member, url="https://old.example", state="disconnected")
    make_store(by=make_member(role=Role.OWNER), url="https://other.example")

    answer = call("GET")

    (found,) = answer.json()["results"]
    assert found["id"] == str(store.id)
    assert (found["name"], found["state"], found["problem"]) == ("Anna's", "active", "quota")
    assert found["problem_detail"]
    assert not {"credentials", "token_sha256", "webhook_secret"} & set(found)


def test_a_store_that_has_not_changed_is_not_sent_again(client, member):
    store = make_store(by=member)
    token = make_key(member=member, scopes=[Scope.MANAGE]).token
    path, key = f"{STORES}{store.id}/", {"Authorization": f"Bearer {token}"}
    known = {**key, "If-None-Match": client.get(path, headers=key)["ETag"]}

    assert client.get(path, headers=known).status_code == 304
    Store.objects.update(problem="quota")
    assert client.get(path, headers=known).status_code == 200


def test_previews_and_says_how_many_will_change(call, shop, store):
    add_product(shop)
    begun = call("POST", f"{store.id}/preview/")
    list_run(store)
    read(store)
    annotate(store)
    write(store)

    shown = call("GET", f"{store.id}/").json()

    assert begun.status_code == 202
    assert (shown["backfill"]["id"], shown["backfill"]["preview"]) == (begun.json()["id"], True)
    assert (shown["backfill"]["total"], shown["backfill"]["will_change"]) == (1, 1)
    assert shown["products"]["suggested"] == 1
    assert call("POST", f"{store.id}/backfill/").json()["type"].endswith("backfill-goes-on/")


def test_a_backfill_is_started_paused_and_gone_on_with(call, store):
    path = f"{store.id}/backfill/"
    assert call("PATCH", path, {"state": "paused"}).status_code == 404

    begun = call("POST", path).json()
    states = [
        call("PATCH", path, {"state": state}).json()["state"]
        for state in ("paused", "running", "cancelled")
    ]

    assert (begun["state"], begun["preview"]) == ("running", False)
    assert states == ["paused", "running", "cancelled"]
    assert call("PATCH", path, {"state": "done"}).status_code == 422


def test_asks_the_store_now(call, shop, store):
    Store.objects.update(quiet_until=timezone.now())

    assert call("POST", f"{store.id}/reconcile/").status_code == 202

    Store.objects.update(state="paused")
    refused = call("POST", f"{store.id}/reconcile/")
    assert (refused.status_code, refused.json()["type"].split("/")[-2]) == (
        409,
        "store-not-connected",
    )


def test_lists_deliveries_by_pages(call, member):
    store = make_store(by=member)
    ids = [str(make_store_delivery(store).id) for _ in range(3)]

    first = call("GET", f"{store.id}/deliveries/?limit=2").json()
    rest = call("GET", f"{store.id}/deliveries/?{first['next'].partition('?')[2]}").json()

    assert {each["id"] for each in (*first["results"], *rest["results"])} == set(ids)
    assert first["results"][0]["state"] == "queued"


def test_undoes_one_change_or_all(call, shop, store):
    first, second = add_product(shop), add_product(shop)
    work(store, first, second)
    (change, _other) = call("GET", f"{store.id}/changes/?state=applied").json()["results"]
    number = int(change["external_id"])

    one = call("POST", f"{store.id}/undo/", {"changes": [change["id"]]})
    write(store)

    assert one.json() == {"changes": 1}
    assert shop.names_of(number, "tags") == []
    assert get_write_back(store, number).by is None
    assert call("POST", f"{store.id}/undo/", {"everything": True}).json() == {"changes": 1}
    write(store)
    assert [shop.names_of(each, "tags") for each in (first, second)] == [[], []]


@pytest.mark.parametrize("body", [{}, {"everything": False}, {"everything": True, "changes": []}])
def test_an_undo_says_what_it_is_about(call, member, body):
    store = make_store(by=member)

    assert call("POST", f"{store.id}/undo/", body).status_code == 422


def test_a_foreign_shops_key_does_and_sees_nothing(call, shop, store, member):
    work(store, add_product(shop))
    mine = make_store(by=member, url="https://mine.example")
    stranger = make_member(role=Role.OWNER)
    key = make_key(member=stranger, scopes=[Scope.MANAGE]).token
    theirs = make_store(by=stranger)
    change = store.write_backs.get()

    for method, path, body in (
        ("GET", "", None),
        ("POST", "preview/", None),
        ("POST", "backfill/", None),
        ("PATCH", "backfill/", {"state": "paused"}),
        ("POST", "reconcile/", None),
        ("GET", "deliveries/", None),
        ("GET", "changes/", None),
        ("POST", "undo/", {"everything": True}),
    ):
        answer = call(method, f"{store.id}/{path}", body, key=key)
        assert answer.status_code == 404, path
    # Another shop's change under one's own store, and a run of another store.
    answer = call("POST", f"{theirs.id}/undo/", {"changes": [str(change.id)]}, key=key)
    assert answer.json() == {"changes": 0}
    answer = call("POST", f"{mine.id}/undo/", {"changes": [str(change.id)]})
    assert answer.json() == {"changes": 0}

    change.refresh_from_db()
    assert change.state == "applied"
    assert [each["id"] for each in call("GET", key=key).json()["results"]] == [str(theirs.id)]


def test_a_reviewers_session_sees_no_stores(client, member):
    make_store(by=member)
    client.force_login(make_member(tenant=member.tenant, role=Role.REVIEWER).user)

    answer = client.get(STORES)

    assert (answer.status_code, answer.json()["type"].split("/")[-2]) == (403, "missing-scope")


def test_lists_make_few_queries(call, member, django_assert_max_num_queries):
    store = make_store(by=member)
    for number in range(5):
        make_write_back(make_row(store, str(number)))

    with django_assert_max_num_queries(16):
        assert len(call("GET", f"{store.id}/changes/").json()["results"]) == 5


def test_a_repeated_request_starts_one_backfill(client, store, member):
    key = make_key(member=member, scopes=[Scope.MANAGE]).token
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "one"}

    answers = [
        client.post(
            f"{STORES}{store.id}/backfill/", content_type="application/json", headers=headers
        ).json()
        for _ in range(2)
    ]

    assert answers[0] == answers[1]
    assert store.runs.count() == 1
