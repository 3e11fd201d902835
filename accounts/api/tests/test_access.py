"""Who may ask, how often, and what is answered when not."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import keys, limits, usage
from accounts.models import DailyUsage, Role, Scope
from accounts.tests.factories import make_key, make_member, make_tenant
from kalas.lib.api import problems

pytestmark = pytest.mark.django_db
USAGE = "/api/v1/usage/"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_key_asks_for_its_own_shop(client):
    new = make_key()
    make_key()

    response = client.get(USAGE, headers=bearer(new.token))

    assert response.status_code == 200
    today = response.json()["days"][-1]
    assert today == {
        "day": timezone.now().date().isoformat(),
        "requests": 1,
        "refused": 0,
        "annotations": 0,
    }


@pytest.mark.django_db(transaction=True)
def test_a_remembered_key_of_a_shop_that_is_gone(client, settings):
    settings.API_KEY_REMEMBER_S = 60
    new = make_key()
    for _ in range(2):
        assert client.get(USAGE, headers=bearer(new.token)).status_code == 200
    new.key.tenant.delete()

    assert client.get(USAGE, headers=bearer(new.token)).status_code == 401


def test_without_key_and_session(client):
    response = client.get(USAGE)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="kalas"'
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["type"].endswith("/docs/problems/not-authenticated/")


@pytest.mark.parametrize("header", ["Bearer", "Bearer kal_x_y", "Basic YTpi", "Bearer kal_x_\x00"])
def test_what_is_no_key(client, header):
    response = client.get(USAGE, headers={"Authorization": header})

    assert response.status_code == 401
    assert response.json()["type"].endswith("/invalid-key/")


def test_a_scope_is_missing(client):
    new = make_key(scopes=[Scope.SEARCH])

    response = client.get(USAGE, headers=bearer(new.token))

    assert response.status_code == 403
    assert response.json()["needs"] == ["annotate", "manage"]


def test_a_session_may_what_its_role_may(client):
    client.force_login(make_member(role=Role.DEVELOPER).user)

    assert client.get(USAGE).status_code == 200


def test_a_session_without_a_shop(client):
    member = make_member()
    client.force_login(member.user)
    member.delete()

    response = client.get(USAGE)

    assert response.status_code == 403
    assert response.json()["type"].endswith("/forbidden/")


def test_a_publishable_key_stays_on_its_pages(client):
    new = make_key(origins=["https://shop.example"])
    preflight = {"Access-Control-Request-Method": "POST"}

    for origin, allowed in (("https://shop.example", True), ("https://evil.example", False)):
        asked = client.options(USAGE, headers={**preflight, "Origin": origin})
        got = client.get(USAGE, headers={**bearer(new.token), "Origin": origin})
        assert ("Access-Control-Allow-Origin" in asked) is allowed
        assert ("Access-Control-Allow-Origin" in got) is allowed
        problem = "missing-scope" if allowed else "origin-refused"
        assert got.json()["type"].endswith(f"/{problem}/")
    assert client.get(USAGE, headers=bearer(new.token)).status_code == 403


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=yesterday", "since"),
        ("until=2026-13-01", "until"),
        ("since=2026-02-02&until=2026-02-01", "since"),
        ("since=2020-01-01&until=2026-01-01", "since"),
        ("page=2", "page"),
        ("since=2026-01-01&since=2026-01-02", "since"),
        ("until=0001-01-01", None),
    ],
)
def test_names_the_wrong_parameter(client, query, field):
    new = make_key()

    response = client.get(f"{USAGE}?{query}", headers=bearer(new.token))

    if field is None:
        assert response.status_code == 200
        return
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


@pytest.mark.parametrize("with_key", [True, False])
def test_unknown_addresses_are_problems_too(client, with_key):
    headers = bearer(make_key().token) if with_key else {}

    response = client.get("/api/v1/nothing/", headers=headers)

    assert response.status_code == 404
    assert response.json()["type"].endswith("/not-found/")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/usage", 200),
        ("/api/v1/search/suggest/?q=dress", 200),
        ("/api/v1/usage/x", 404),
        ("/api/v1", 404),
    ],
)
def test_the_slash_at_the_end_is_no_matter(client, path, status):
    key = make_key(scopes=[Scope.MANAGE, Scope.SEARCH])

    assert client.get(path, headers=bearer(key.token)).status_code == status


def test_a_name_that_is_not_the_installation_s(client):
    response = client.get(USAGE, headers={"Host": "evil.example"})

    assert response.status_code == 400
    assert response.json()["type"].endswith("/unknown-host/")


def test_other_methods_are_problems_too(client):
    response = client.delete(USAGE, headers=bearer(make_key().token))

    assert response.status_code == 405
    assert response.json()["type"].endswith("/method-not-allowed/")


def test_a_defect_is_a_problem_too(monkeypatch):
    client = Client(raise_request_exception=False)
    monkeypatch.setattr(usage, "read_month", None)

    response = client.get(USAGE, headers=bearer(make_key().token))

    assert response.status_code == 500
    assert response.json()["type"].endswith("/server-error/")


@pytest.mark.parametrize("name", problems.TYPES)
def test_each_problem_has_its_page(client, name):
    path = problems.TYPES[name].uri.partition("://")[2].partition("/")[2]

    response = client.get(f"/{path}")

    assert response.status_code == 200
    page = response.content.decode()
    assert problems.TYPES[name].title.split("'")[0] in page
    assert f"/docs/problems/{name}/&quot;" in page, "an answer stands there"


def test_limits_are_told_and_kept(client, settings):
    settings.API_REQUESTS_PER_KEY, settings.API_REQUESTS_PER_SHOP = 3, 100
    new = make_key()

    answers = [client.get(USAGE, headers=bearer(new.token)) for _ in range(4)]

    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"key";q=3;w=60, "shop";q=100;w=60'
    assert answers[0]["RateLimit"].startswith('"key";r=2;t=20, "shop";r=99;t=1')
    assert 18 <= int(answers[3]["Retry-After"]) <= 20
    assert answers[3].json()["type"].endswith("/too-many-requests/")
    row = DailyUsage.objects.get(key=new.key)
    assert (row.requests, row.refused) == (3, 1)


def test_what_was_used_comes_back_steadily(settings):
    settings.API_REQUESTS_PER_KEY, settings.API_REQUESTS_PER_SHOP = 60, 60
    key, now = make_key().key, timezone.now()

    def take(at):
        return limits.take(tenant=key.tenant, caller="key:1", key=key, now=at)

    for _ in range(60):
        take(now)
    with pytest.raises(limits.TooManyRequests) as caught:
        take(now + timedelta(milliseconds=900))
    assert caught.value.retry_after_s == 1
    assert take(now + timedelta(seconds=1))[0].remaining == 0
    assert take(now + timedelta(seconds=31))[0].remaining == 29


def test_keys_share_the_limit_of_their_shop(settings):
    settings.API_REQUESTS_PER_KEY, settings.API_REQUESTS_PER_SHOP = 4, 5
    tenant, now = make_tenant(), timezone.now()
    one, two = make_key(tenant=tenant).key, make_key(tenant=tenant).key

    for key in (one, one, one, one, two):
        limits.take(tenant=tenant, caller=f"key:{key.id}", key=key, now=now)

    with pytest.raises(limits.TooManyRequests):
        limits.take(tenant=tenant, caller=f"key:{two.id}", key=two, now=now)
    # What the shop refused cost the key nothing.
    later = now + timedelta(seconds=12)
    (own, _shop) = limits.take(tenant=tenant, caller=f"key:{two.id}", key=two, now=later)
    assert own.remaining == 2


def test_a_key_that_everybody_can_read_does_not_use_up_the_shop_s_limit(client, settings):
    settings.API_REQUESTS_PER_SHOP, settings.API_REQUESTS_OF_PAGES = 2, 3
    member, origin = make_member(), "https://shop.example"
    public = make_key(member=member, origins=[origin]).token
    secret = make_key(member=member).token

    def ask(token):
        headers = {"Authorization": f"Bearer {token}", "Origin": origin}
        return client.get("/api/v1/taxonomy/", headers=headers)

    assert [ask(public).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert [ask(secret).status_code for _ in range(3)] == [200, 200, 429]
    assert '"pages";q=3' in ask(public)["RateLimit-Policy"]


@pytest.mark.django_db(transaction=True)
def test_limits_are_exact_when_many_ask_at_once(settings):
    settings.API_REQUESTS_PER_KEY, settings.API_REQUESTS_PER_SHOP = 30, 20
    key, now = make_key().key, timezone.now()
    start = Barrier(8)

    def ask_often() -> int:
        start.wait()
        passed = 0
        for _ in range(8):
            try:
                limits.take(tenant=key.tenant, caller=f"key:{key.id}", key=key, now=now)
            except limits.TooManyRequests:
                continue
            passed += 1
        connection.close()
        return passed

    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(lambda _: ask_often(), range(8)))

    row = DailyUsage.objects.get(key=key)
    assert (passed, row.requests, row.refused) == (20, 20, 44)


@pytest.mark.django_db(transaction=True)
def test_the_quota_is_exact_when_many_ask_at_once():
    key, now = make_key().key, timezone.now()
    key.tenant.monthly_quota = 10
    start = Barrier(6)

    def ask_often() -> int:
        start.wait()
        counted = 0
        for _ in range(5):
            try:
                usage.count_annotations(tenant=key.tenant, key=key, number=1, now=now)
            except usage.QuotaUsedUp:
                continue
            counted += 1
        connection.close()
        return counted

    with ThreadPoolExecutor(6) as pool:
        counted = sum(pool.map(lambda _: ask_often(), range(6)))

    assert counted == 10
    assert usage.read_month(tenant=key.tenant, now=now).annotations == 10
    assert DailyUsage.objects.get(key=key).annotations == 10


def test_a_month_begins_anew():
    tenant, now = make_tenant(), timezone.now().replace(year=2026, month=12, day=31)
    tenant.monthly_quota = 5
    usage.count_annotations(tenant=tenant, key=None, number=5, now=now)

    with pytest.raises(usage.QuotaUsedUp) as caught:
        usage.count_annotations(tenant=tenant, key=None, number=1, now=now)

    assert caught.value.renewed_at.date() == date(2027, 1, 1)
    usage.count_annotations(tenant=tenant, key=None, number=5, now=now + timedelta(days=1))


def test_a_key_needs_few_queries(client, django_assert_max_num_queries):
    new = make_key()
    client.get(USAGE, headers=bearer(new.token))

    with django_assert_max_num_queries(4):  # key, limits, month, days
        client.get(USAGE, headers=bearer(new.token))


def test_a_key_is_refused_within_the_next_request_after_it_was_revoked(client):
    member = make_member()
    new = make_key(member=member)
    assert client.get(USAGE, headers=bearer(new.token)).status_code == 200

    keys.revoke_key(tenant=member.tenant, by=member, key_id=new.key.id, now=timezone.now())

    response = client.get(USAGE, headers=bearer(new.token))
    assert response.status_code == 401
    assert response.json()["detail"] == "The key was revoked."


def test_the_page_of_an_unknown_problem(client):
    assert client.get(reverse("problem", args=["nothing"])).status_code == 404
