import re

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.services import NotAllowed
from accounts.tests.factories import make_member
from integrations import endpoints
from integrations.models import WebhookDelivery, WebhookEndpoint, WebhookMessage
from integrations.tests.factories import URL, make_delivery, make_endpoint, send_due
from kalas.lib.tenant_rows import only_rows_of

SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")
FORM = {"url": URL, "name": "Our shop", "events": ["annotation.finished"]}


def test_an_owner_adds_an_endpoint_and_sees_its_secret_once(page, tenant):
    created = page.post(reverse("create_webhook"), FORM)

    assert created.status_code == 201
    (secret,) = SECRET.findall(created.content.decode())
    assert "no-store" in created.headers["Cache-Control"]
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.tenant, endpoint.url, endpoint.name) == (tenant, URL, "Our shop")
    assert endpoints.read_secrets(endpoint, now=timezone.now()) == [secret]
    for path in (reverse("webhooks"), reverse("webhook", args=[endpoint.id])):
        shown = page.get(path).content.decode()
        assert "Our shop" in shown
        assert not SECRET.search(shown)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "http://shop.example/hooks"}, "must begin with https://"),
        ({"url": "ftp://shop.example/hooks"}, "https:// or http://"),
        ({"url": "https://me:secret@shop.example/"}, "user name and password"),
        ({"url": "https://shop.example:22/"}, "port"),
        ({"url": "shop.example"}, "not a complete web address"),
        ({"url": ""}, "required"),
        ({"events": []}, "required"),
        ({"events": ["something.else"]}, "something.else"),
        ({"name": "n" * 121}, "120"),
    ],
)
def test_says_what_is_wrong_with_an_endpoint(page, change, words):
    refused = page.post(reverse("create_webhook"), {**FORM, **change})

    assert refused.status_code == 422
    assert words in refused.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_limits_the_endpoints_of_a_shop(page, member, monkeypatch):
    monkeypatch.setattr(endpoints, "MOST_ENDPOINTS", 1)
    make_endpoint(by=member)

    refused = page.post(reverse("create_webhook"), FORM)

    assert refused.status_code == 422
    assert WebhookEndpoint.objects.count() == 1


def test_changes_an_endpoint(page, member):
    endpoint, _secret = make_endpoint(by=member)

    page.post(
        reverse("change_webhook", args=[endpoint.id]),
        {"url": "https://other.example/", "name": "", "events": ["batch.finished"]},
    )

    endpoint.refresh_from_db()
    assert (endpoint.url, endpoint.events) == ("https://other.example/", ["batch.finished"])


def test_keeps_an_endpoint_whose_change_is_wrong(page, member):
    endpoint, _secret = make_endpoint(by=member)

    refused = page.post(reverse("change_webhook", args=[endpoint.id]), {**FORM, "url": "no"})

    assert refused.status_code == 422
    endpoint.refresh_from_db()
    assert endpoint.url == URL


def test_replaces_the_secret(page, member):
    endpoint, first = make_endpoint(by=member)

    replaced = page.post(reverse("rotate_webhook_secret", args=[endpoint.id]))

    (second,) = SECRET.findall(replaced.content.decode())
    endpoint.refresh_from_db()
    assert endpoints.read_secrets(endpoint, now=timezone.now()) == [second, first]


def test_switches_off_and_on(page, member):
    endpoint, _secret = make_endpoint(by=member)
    delivery = make_delivery(endpoint)

    page.post(reverse("switch_webhook_off", args=[endpoint.id]))
    endpoint.refresh_from_db()
    delivery.refresh_from_db()
    assert (endpoint.state, delivery.state) == ("off", "held")

    page.post(reverse("switch_webhook_on", args=[endpoint.id]))
    endpoint.refresh_from_db()
    delivery.refresh_from_db()
    assert (endpoint.state, delivery.state) == ("active", "waiting")


def test_deletes_an_endpoint_with_its_log(page, member):
    endpoint, _secret = make_endpoint(by=member)
    make_delivery(endpoint)

    page.post(reverse("delete_webhook", args=[endpoint.id]))

    assert not WebhookEndpoint.objects.exists()
    assert not WebhookDelivery.objects.exists()


def test_shows_what_was_sent_and_what_came_back(page, member, receiver):
    endpoint, secret = make_endpoint(by=member, url=receiver.url)
    receiver.answer = (500, {"Server": "shop"}, b"<b>oops</b>")
    delivery = make_delivery(endpoint)
    send_due(delivery.endpoint)

    log = page.get(reverse("webhook", args=[endpoint.id])).content.decode()
    shown = page.get(reverse("webhook_delivery", args=[delivery.id])).content.decode()

    assert "1 attempt" in log
    assert delivery.message.name in log
    assert "No message was taken since" in log
    for words in ("500", "server: shop", "&lt;b&gt;oops&lt;/b&gt;", delivery.message.name):
        assert words in shown
    assert "webhook-signature: v1,…" in shown
    assert secret not in log + shown


def test_says_why_nothing_came_back(page, member):
    endpoint, _secret = make_endpoint(by=member, url="https://167772161/")  # 10.0.0.1
    delivery = make_delivery(endpoint)
    send_due(delivery.endpoint)

    shown = page.get(reverse("webhook_delivery", args=[delivery.id])).content.decode()

    assert "not on the public internet" in shown
    assert "No answer" in shown


def test_the_log_moves_while_something_waits(page, member, receiver):
    endpoint, _secret = make_endpoint(by=member, url=receiver.url)
    page.post(reverse("test_webhook", args=[endpoint.id]))
    address = reverse("webhook_log", args=[endpoint.id])
    assert "every 3s" in page.get(address).content.decode()

    send_due(WebhookDelivery.objects.get().endpoint)

    log = page.get(address).content.decode()
    assert "every 3s" not in log
    assert "Delivered" in log


def test_sends_again(page, member, receiver):
    endpoint, _secret = make_endpoint(by=member, url=receiver.url)
    delivery = make_delivery(endpoint)
    send_due(delivery.endpoint)

    page.post(reverse("send_webhook_again", args=[delivery.id]))

    delivery.refresh_from_db()
    assert delivery.state == "waiting"


def test_sends_nothing_again_while_it_is_off(page, member):
    endpoint, _secret = make_endpoint(by=member)
    delivery = make_delivery(endpoint)
    page.post(reverse("switch_webhook_off", args=[endpoint.id]))

    answer = page.post(reverse("send_webhook_again", args=[delivery.id]), follow=True)

    assert "Switch the endpoint on first." in answer.content.decode()


def test_a_paused_endpoint_says_so(page, member, receiver):
    endpoint, _secret = make_endpoint(by=member, url=receiver.url)
    receiver.answer = (410, {}, b"")
    make_delivery(endpoint)
    send_due(endpoint)

    shown = page.get(reverse("webhook", args=[endpoint.id])).content.decode()

    assert "410 Gone" in shown
    assert "Paused" in page.get(reverse("webhooks")).content.decode()


def test_the_log_costs_the_same_however_long_it_is(
    page, member, django_assert_max_num_queries, receiver
):
    endpoint, _secret = make_endpoint(by=member, url=receiver.url)
    for _ in range(12):
        make_delivery(endpoint)

    with django_assert_max_num_queries(14):
        page.get(reverse("webhook", args=[endpoint.id]))


def test_a_reviewer_sees_no_webhooks(client, member):
    endpoint, _secret = make_endpoint(by=member)
    client.force_login(make_member(tenant=member.tenant, role=Role.REVIEWER).user)

    assert client.get(reverse("webhooks")).status_code == 403
    assert client.get(reverse("webhook", args=[endpoint.id])).status_code == 403
    assert client.post(reverse("create_webhook"), FORM).status_code == 403
    assert WebhookEndpoint.objects.count() == 1


def test_a_developer_makes_and_sees_webhooks(client, member):
    client.force_login(make_member(tenant=member.tenant, role=Role.DEVELOPER).user)

    assert client.post(reverse("create_webhook"), FORM).status_code == 201
    made = WebhookEndpoint.objects.get()
    assert client.get(reverse("webhook", args=[made.id])).status_code == 200
    assert reverse("webhooks") in client.get(reverse("developers")).content.decode()


def test_a_manager_who_lost_the_role_meanwhile_changes_nothing(member):
    member.role = Role.REVIEWER
    member.save(update_fields=["role"])

    with pytest.raises(NotAllowed):
        make_endpoint(by=member)


def test_the_database_shows_one_shop_its_own_rows_only(member):
    """The second wall: whatever a query forgets."""
    mine, _secret = make_endpoint(by=member)
    other, _secret = make_endpoint(by=make_member())
    for endpoint in (mine, other):
        make_delivery(endpoint)

    with only_rows_of(member.tenant_id):
        assert [each.id for each in WebhookEndpoint.objects.all()] == [mine.id]
        assert WebhookMessage.objects.count() == 1
        assert WebhookDelivery.objects.count() == 1
        assert not WebhookEndpoint.objects.filter(id=other.id).update(name="mine now")
        with pytest.raises(DatabaseError), transaction.atomic():
            WebhookMessage.objects.create(tenant=other.tenant, event="x", body="{}")

    assert WebhookEndpoint.objects.count() == 2


def test_the_wall_stands_again_after_an_error(member):
    make_endpoint(by=member)
    make_endpoint(by=make_member())

    with pytest.raises(ZeroDivisionError), only_rows_of(member.tenant_id):
        raise ZeroDivisionError

    assert WebhookEndpoint.objects.count() == 2
