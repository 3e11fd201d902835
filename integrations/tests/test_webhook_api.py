import json

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import IdempotentRequest, Role, Scope
from accounts.tests.factories import make_key, make_member
from integrations import endpoints
from integrations.models import WebhookDelivery, WebhookEndpoint
from integrations.tests.factories import URL, make_delivery, make_endpoint, send_due

pytestmark = pytest.mark.django_db

WEBHOOKS = "/api/v1/webhooks/"
ASKED = {"url": URL, "events": ["annotation.finished"]}


@pytest.fixture
def api(client, member):
    """Asks with a key that may manage; returns the answer."""
    token = make_key(member=member, scopes=[Scope.MANAGE]).token

    def ask(method: str, path: str, data: object = None, **headers: str):
        return client.generic(
            method,
            path,
            json.dumps(data) if data is not None else "",
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}", **headers},
        )

    return ask


def problem(response):
    return response.json()["type"].rstrip("/").rsplit("/", 1)[-1]


def test_an_endpoint_from_its_making_to_its_end(api, tenant):
    created = api("POST", WEBHOOKS, ASKED)

    assert created.status_code == 201
    body = created.json()
    secret = body.pop("secret")
    endpoint = WebhookEndpoint.objects.get(tenant=tenant)
    assert endpoints.read_secrets(endpoint, now=timezone.now()) == [secret]
    assert body == {
        "id": str(endpoint.id),
        "url": URL,
        "name": "",
        "events": ["annotation.finished"],
        "state": "active",
        "pause_reason": None,
        "failing_since": None,
        "created_at": body["created_at"],
    }

    one = f"{WEBHOOKS}{endpoint.id}/"
    assert api("GET", one).json() == body
    assert api("GET", WEBHOOKS).json()["results"] == [body]
    changed = api("PATCH", one, {"name": "shop", "state": "off"}).json()
    assert (changed["name"], changed["state"], changed["url"]) == ("shop", "off", URL)
    assert api("PATCH", one, {"state": "active"}).json()["state"] == "active"
    replaced = api("POST", f"{one}secret/").json()
    assert replaced["secret"] != secret
    assert api("DELETE", one).status_code == 204
    assert api("GET", one).status_code == 404


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"url": "http://shop.example/"}, "url", "scheme"),
        ({"url": "https://shop.example:99999/"}, "url", "port"),
        ({"url": "https://me:x@shop.example/"}, "url", "credentials"),
        ({"url": "https://shop.example:8443/"}, "url", "port"),
        ({"url": "https://127.0.0.1/"}, "url", "private-address"),
        ({"url": "https://[::1]/"}, "url", "private-address"),
        ({"url": "https://localhost/"}, "url", "private-address"),
        ({"url": 7.5}, "url", "invalid-url"),
        ({"url": None}, "url", "null"),
        ({"events": []}, "events", "empty"),
        ({"events": ["nothing"]}, "events.0", "invalid_choice"),
        ({"events": "annotation.finished"}, "events", "not_a_list"),
        ({"secret": "mine"}, "secret", "unknown"),
    ],
)
def test_names_what_is_wrong(api, change, field, code):
    refused = api("POST", WEBHOOKS, {**ASKED, **change})

    assert refused.status_code == 422
    assert [(each["field"], each["code"]) for each in refused.json()["errors"]] == [(field, code)]
    assert not WebhookEndpoint.objects.exists()


def test_a_repetition_has_one_effect_and_keeps_no_secret(api):
    answers = [api("POST", WEBHOOKS, ASKED, **{"Idempotency-Key": "once"}) for _ in range(2)]

    first, second = (answer.json() for answer in answers)
    secret = first.pop("secret")
    assert second == first
    assert WebhookEndpoint.objects.count() == 1
    assert secret.encode() not in bytes(IdempotentRequest.objects.get().body)


def test_a_shop_has_so_many_and_no_more(api, monkeypatch):
    monkeypatch.setattr(endpoints, "MOST_ENDPOINTS", 0)

    refused = api("POST", WEBHOOKS, ASKED)

    assert (refused.status_code, problem(refused)) == (409, "too-many-webhooks")


def test_a_test_and_its_log(api, member, receiver):
    endpoint, _secret = make_endpoint(by=member, url=receiver.url)
    receiver.answer = (200, {}, b"thanks")

    sent = api("POST", f"{WEBHOOKS}{endpoint.id}/test/")
    send_due(WebhookDelivery.objects.get().endpoint)

    assert sent.status_code == 202
    assert sent.json()["event"] == "webhook.test"
    (listed,) = api("GET", f"{WEBHOOKS}{endpoint.id}/deliveries/").json()["results"]
    assert (listed["id"], listed["state"]) == (sent.json()["id"], "delivered")
    shown = api("GET", f"{WEBHOOKS}deliveries/{listed['id']}/").json()
    assert json.loads(shown["body"])["type"] == "webhook.test"
    (attempt,) = shown["log"]
    assert (attempt["status"], attempt["response_body"]) == (200, "thanks")
    assert attempt["request_headers"]["webhook-signature"] == "v1,…"


def test_sends_again_unless_it_is_off(api, member, receiver):
    endpoint, _secret = make_endpoint(by=member, url=receiver.url)
    delivery = make_delivery(endpoint)
    send_due(delivery.endpoint)
    again = f"{WEBHOOKS}deliveries/{delivery.id}/again/"

    assert api("POST", again).json()["state"] == "waiting"
    api("PATCH", f"{WEBHOOKS}{endpoint.id}/", {"state": "off"})
    refused = api("POST", again)

    assert (refused.status_code, problem(refused)) == (409, "webhook-not-active")


def test_a_failed_change_changes_nothing(api, member):
    endpoint, _secret = make_endpoint(by=member)

    refused = api("PATCH", f"{WEBHOOKS}{endpoint.id}/", {"name": "new", "state": "paused"})

    assert refused.status_code == 422
    endpoint.refresh_from_db()
    assert endpoint.name == ""


ROUTES = [
    ("GET", "api_webhook", "endpoint"),
    ("PATCH", "api_webhook", "endpoint"),
    ("DELETE", "api_webhook", "endpoint"),
    ("POST", "api_webhook_secret", "endpoint"),
    ("POST", "api_webhook_test", "endpoint"),
    ("GET", "api_deliveries", "endpoint"),
    ("GET", "api_delivery", "delivery"),
    ("POST", "api_delivery_again", "delivery"),
]


@pytest.mark.parametrize(("method", "name", "kind"), ROUTES)
def test_a_foreign_object_is_a_missing_one(api, method, name, kind):
    endpoint, _secret = make_endpoint(by=make_member())
    delivery = make_delivery(endpoint)
    foreign_id = {"endpoint": endpoint.id, "delivery": delivery.id}[kind]
    before = list(WebhookEndpoint.objects.values()), list(WebhookDelivery.objects.values())

    answer = api(method, reverse(name, args=[foreign_id]), {} if method == "PATCH" else None)
    missing = api(
        method,
        reverse(name, args=["00000000-0000-4000-8000-000000000000"]),
        {} if method == "PATCH" else None,
    )

    assert answer.status_code == missing.status_code == 404
    assert answer.content == missing.content
    assert before == (
        list(WebhookEndpoint.objects.values()),
        list(WebhookDelivery.objects.values()),
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", WEBHOOKS), ("POST", WEBHOOKS)]
    + [(method, reverse(name, args=["00000000-0000-4000-8000-000000000000"]))
       for method, name, _kind in ROUTES],
)  # fmt: skip
def test_who_may_not_manage(client, method, path):
    token = make_key(scopes=[Scope.ANNOTATE, Scope.SEARCH, Scope.CATALOGUE, Scope.REVIEW]).token

    anonymous = client.generic(method, path)
    other = client.generic(method, path, headers={"Authorization": f"Bearer {token}"})

    assert (anonymous.status_code, problem(anonymous)) == (401, "not-authenticated")
    assert (other.status_code, problem(other)) == (403, "missing-scope")


def test_a_session_needs_the_role_that_the_pages_ask_for(client, member):
    client.force_login(make_member(tenant=member.tenant, role=Role.REVIEWER).user)

    refused = client.post(WEBHOOKS, ASKED, content_type="application/json")

    assert (refused.status_code, problem(refused)) == (403, "missing-scope")
    assert not WebhookEndpoint.objects.exists()


def test_changes_and_deletes_only_what_was_looked_at(api, member):
    path = f"{WEBHOOKS}{make_endpoint(by=member)[0].id}/"
    read = api("GET", path)
    first = {"If-Match": read["ETag"]}

    changed = api("PATCH", path, {"name": "Till"}, **first)
    stale = api("PATCH", path, {"name": "Desk"}, **first)
    kept = api("DELETE", path, **first)

    assert api("GET", path, **{"If-None-Match": changed["ETag"]}).status_code == 304
    assert [problem(refused) for refused in (stale, kept)] == ["precondition-failed"] * 2
    assert api("GET", path).json()["name"] == "Till"
    assert api("PATCH", path, {"name": "Desk"}, **{"If-Match": "*"}).status_code == 200
    assert api("DELETE", path, **{"If-Match": api("GET", path)["ETag"]}).status_code == 204
    assert api("DELETE", path, **{"If-Match": "*"}).status_code == 404
