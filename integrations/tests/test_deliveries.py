import json
from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import Role
from accounts.tests.factories import make_member, make_user
from annotations import recording, services
from annotations.tests.factories import make_annotation, make_done_annotation, make_result
from integrations import deliveries, endpoints, jobs, tasks
from integrations.models import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookMessage,
)
from integrations.tests.factories import (
    attempt,
    lanes_of,
    make_delivery,
    make_endpoint,
    reload,
)


def fail_until_given_up(delivery: WebhookDelivery) -> list[timedelta]:
    """How long each wait was."""
    waits, now = [], timezone.now()
    while delivery.is_waiting:
        WebhookEndpoint.objects.update(failing_since=None)  # else it would be paused on the way
        delivery = attempt(delivery, now=now)
        if delivery.next_attempt_at:
            waits.append(delivery.next_attempt_at - now)
            now = delivery.next_attempt_at + timedelta(seconds=LONGEST)
            WebhookEndpoint.objects.update(quiet_until=None)
    return waits


LONGEST = 30


def test_sends_a_finished_annotation_signed(member, receiver):
    _endpoint, secret = make_endpoint(by=member, url=receiver.url, events=["annotation.finished"])

    annotation = make_done_annotation(tenant=member.tenant)
    delivery = attempt(WebhookDelivery.objects.get())

    assert delivery.state == "delivered"
    (received,) = receiver.received
    assert received.is_signed_with(secret)
    assert received.path == "/hooks"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["webhook-id"] == delivery.message.name
    body = json.loads(received.body)
    assert body["type"] == "annotation.finished"
    assert body["data"]["id"] == str(annotation.id)
    assert body["data"]["garments"][0]["category"]["name"] == "t-shirt"
    assert body["data"]["garments"][0]["attributes"][0]["name"] == "striped"
    assert body["data"]["garments"][0]["colours"][0]["hex"] == "#1b2a49"


def test_another_secret_does_not_fit(member, receiver):
    endpoint, _secret = make_endpoint(by=member, url=receiver.url)
    other = make_endpoint(by=member, url=receiver.url)[1]

    attempt(make_delivery(endpoint))

    assert not receiver.received[0].is_signed_with(other)


def test_tells_of_failures_and_of_what_has_no_answer(member, endpoint):
    recording.record_failure(
        annotation=make_annotation(tenant=member.tenant), reason="Damaged.", now=timezone.now()
    )
    make_done_annotation(tenant=member.tenant, result=make_result(abstained="no-garment"))

    told = [json.loads(message.body)["data"] for message in WebhookMessage.objects.order_by("pk")]

    assert {(each["state"], each["error"], each["abstained"]) for each in told} == {
        ("failed", "Damaged.", None),
        ("abstained", None, "no-garment"),
    }


def test_tells_nobody_else(endpoint):
    other = make_endpoint(by=make_member())[0]

    make_done_annotation(tenant=other.tenant)

    assert [each.endpoint_id for each in WebhookDelivery.objects.all()] == [other.id]


def test_tells_only_what_was_asked_for(member, receiver):
    make_endpoint(by=member, url=receiver.url, events=["batch.finished"])

    make_done_annotation(tenant=member.tenant)

    assert not WebhookMessage.objects.exists()


def test_a_shop_without_endpoints_pays_one_query(member):
    annotation = make_annotation(tenant=member.tenant)

    with CaptureQueriesContext(connection) as queries:
        recording.record_failure(annotation=annotation, reason="no", now=timezone.now())

    assert len([each for each in queries if "integrations_webhook" in each["sql"]]) == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_told(member, endpoint, monkeypatch):
    annotation = make_annotation(tenant=member.tenant)
    monkeypatch.setattr(jobs, "wake_endpoint", lambda each, at: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        recording.record_result(annotation=annotation, result=make_result(), now=timezone.now())

    annotation.refresh_from_db()
    assert annotation.state == "pending"
    assert not WebhookMessage.objects.exists()


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_takes_the_message(endpoint, receiver, status):
    receiver.answer = (status, {}, b"")

    delivery = attempt(make_delivery(endpoint))

    assert (delivery.state, delivery.attempts) == ("delivered", 1)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 429, 500, 503])
def test_any_other_answer_is_tried_again(endpoint, receiver, status):
    receiver.answer = (status, {"Location": "http://10.0.0.1/"}, b"no")
    delivery = make_delivery(endpoint)

    delivery = attempt(delivery)

    assert delivery.state == "waiting"
    assert len(receiver.received) == 1
    assert delivery.next_attempt_at is not None
    assert delivery.next_attempt_at > timezone.now()


def test_tries_for_three_days_with_growing_waits(endpoint, receiver):
    receiver.answer = (500, {}, b"")
    delivery = make_delivery(endpoint)

    waits = fail_until_given_up(delivery)

    seconds = [wait.total_seconds() for wait in waits]
    assert len(seconds) == len(deliveries.WAITS_S)
    for spread, plain in zip(seconds, deliveries.WAITS_S, strict=True):
        assert plain * 0.79 <= spread <= plain * 1.21
    assert 2 * 86400 < sum(seconds) < 4 * 86400
    assert reload(delivery).state == "failed"
    bodies = {received.body for received in receiver.received}
    ids = {received.headers["webhook-id"] for received in receiver.received}
    assert (len(receiver.received), len(bodies), len(ids)) == (13, 1, 1)


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        ("120", 120),
        ("0", 0),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
        ("9" * 30, 86400),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 60),
        ("Wed, 21 Oct 2020 07:28:00 GMT", 0),
        ("Wed, 21 Oct 9999 07:28:00 GMT", 86400),
    ],
)
def test_understands_retry_after(value, expected_s):
    now = datetime.fromisoformat("2026-10-21T07:27:00+00:00")

    assert deliveries.parse_retry_after(value, now=now) == timedelta(seconds=expected_s)


def test_waits_as_long_as_the_receiver_asks(endpoint, receiver):
    receiver.answer = (503, {"Retry-After": "900"}, b"")
    now = timezone.now()

    delivery = attempt(make_delivery(endpoint), now=now)

    assert delivery.next_attempt_at is not None
    assert delivery.next_attempt_at - now >= timedelta(seconds=900)
    assert delivery.endpoint.quiet_until is not None
    assert delivery.endpoint.quiet_until - now >= timedelta(seconds=900)


def test_leaves_an_endpoint_that_failed_alone_for_a_while(endpoint, receiver):
    receiver.answer = (500, {}, b"")
    attempt(make_delivery(endpoint))
    other = make_delivery(endpoint)

    other = attempt(other)

    assert len(receiver.received) == 1
    assert (other.state, other.tries) == ("waiting", 0)
    assert lanes_of(endpoint).get().scheduled_at == other.endpoint.quiet_until


def test_a_success_settles_earlier_failures(endpoint, receiver):
    receiver.answer = (500, {}, b"")
    delivery = attempt(make_delivery(endpoint))
    receiver.answer = (200, {}, b"")

    attempt(delivery, now=timezone.now() + timedelta(minutes=1))

    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since, endpoint.quiet_until) == (0, None, None)


def test_410_pauses_at_once_and_tells_the_owners(endpoint, member, receiver):
    receiver.answer = (410, {}, b"")
    make_member(tenant=member.tenant, user=make_user(language="tr"))
    make_member(tenant=member.tenant, role=Role.DEVELOPER)
    other = make_delivery(endpoint)

    delivery = attempt(make_delivery(endpoint))
    tasks.tell_webhook_paused(endpoint_id=str(endpoint.id))

    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.pause_reason) == ("paused", "gone")
    assert {delivery.state, reload(other).state} == {"held"}
    assert len(mail.outbox) == 2
    english = next(each for each in mail.outbox if each.to == [member.user.email])
    assert endpoint.url in english.body
    assert "410 Gone" in english.body
    assert f"/webhooks/{endpoint.id}/" in english.body


def test_three_days_of_failures_pause_with_one_notice(endpoint, receiver):
    receiver.answer = (500, {}, b"")
    delivery = attempt(make_delivery(endpoint))
    later = timezone.now() + timedelta(days=3, minutes=1)

    attempt(delivery, now=later)
    endpoint.refresh_from_db()

    assert (endpoint.state, endpoint.pause_reason) == ("paused", "failing")
    assert ProcrastinateJob.objects.filter(task_name=jobs.TELL_PAUSED_TASK).count() == 1


def test_what_happens_during_a_pause_is_held_and_sent_afterwards(endpoint, member, receiver):
    receiver.answer = (410, {}, b"")
    attempt(make_delivery(endpoint))
    receiver.answer = (200, {}, b"")

    held = make_delivery(endpoint)
    assert held.state == "held"
    endpoints.switch_on(
        tenant=member.tenant, by=member, endpoint_id=endpoint.id, now=timezone.now()
    )

    assert {attempt(each).state for each in WebhookDelivery.objects.all()} == {"delivered"}
    assert len(receiver.received) == 3


def test_an_endpoint_that_is_off_is_told_nothing(endpoint, member, receiver):
    waiting = make_delivery(endpoint)
    endpoints.switch_off(tenant=member.tenant, by=member, endpoint_id=endpoint.id)

    make_done_annotation(tenant=member.tenant)

    assert attempt(waiting).state == "held"
    assert WebhookDelivery.objects.count() == 1
    assert receiver.received == []


def test_a_job_that_runs_twice_sends_once(endpoint, receiver):
    delivery = make_delivery(endpoint)

    attempt(delivery)
    attempt(delivery)

    assert len(receiver.received) == 1


def test_a_deleted_endpoint_during_an_attempt_is_no_defect(endpoint, receiver):
    receiver.before_answer = WebhookEndpoint.objects.none  # no database access in this thread
    delivery = make_delivery(endpoint)
    outcome = deliveries._send(delivery, now=timezone.now())
    endpoint.delete()

    deliveries._record(delivery, outcome, started_at=timezone.now(), now=timezone.now())

    assert not WebhookAttempt.objects.exists()


def test_while_a_secret_is_replaced_both_sign(endpoint, member, receiver):
    endpoint, first = make_endpoint(by=member, url=receiver.url)
    now = timezone.now()
    _, second = endpoints.rotate_secret(
        tenant=member.tenant, by=member, endpoint_id=endpoint.id, now=now
    )

    attempt(make_delivery(endpoint))
    assert receiver.received[-1].is_signed_with(first)
    assert receiver.received[-1].is_signed_with(second)
    assert receiver.received[-1].headers["webhook-signature"].count("v1,") == 2

    attempt(make_delivery(endpoint), now=now + timedelta(hours=24))
    assert not receiver.received[-1].is_signed_with(first)
    assert receiver.received[-1].is_signed_with(second)


def test_sends_again_with_the_same_id(endpoint, member, receiver):
    delivery = attempt(make_delivery(endpoint))

    endpoints.send_again(
        tenant=member.tenant, by=member, delivery_id=delivery.id, now=timezone.now()
    )
    delivery = attempt(delivery)

    first, second = receiver.received
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert (delivery.state, delivery.attempts) == ("delivered", 2)
    assert [each.number for each in delivery.log.order_by("number")] == [1, 2]


def test_sends_nothing_again_to_an_endpoint_that_is_off(endpoint, member):
    delivery = make_delivery(endpoint)
    endpoints.switch_off(tenant=member.tenant, by=member, endpoint_id=endpoint.id)

    with pytest.raises(endpoints.NotActive):
        endpoints.send_again(
            tenant=member.tenant, by=member, delivery_id=delivery.id, now=timezone.now()
        )


def test_a_test_reaches_a_paused_endpoint_and_counts_for_nothing(endpoint, member, receiver):
    receiver.answer = (410, {}, b"")
    attempt(make_delivery(endpoint))
    receiver.answer = (500, {}, b"")

    test = endpoints.send_test(
        tenant=member.tenant, by=member, endpoint_id=endpoint.id, now=timezone.now()
    )
    test = attempt(test)

    assert test.state == "failed"
    assert test.endpoint.failures == 1
    assert json.loads(receiver.received[-1].body)["type"] == "webhook.test"


def test_what_is_deleted_is_kept_in_no_message(member, endpoint):
    annotation = make_done_annotation(tenant=member.tenant)
    kept = make_done_annotation(tenant=member.tenant)

    services.delete_image(tenant=member.tenant, image_id=annotation.image_id)

    assert [message.about for message in WebhookMessage.objects.all()] == [kept.id]
    assert WebhookDelivery.objects.count() == 1


def test_old_messages_are_forgotten_with_their_log(endpoint, monkeypatch):
    monkeypatch.setattr(deliveries, "CHUNK", 2)
    for _ in range(3):
        attempt(make_delivery(endpoint))
    WebhookMessage.objects.update(created_at=timezone.now() - timedelta(days=31))
    kept = make_delivery(endpoint)

    assert deliveries.forget_old(now=timezone.now()) == 3

    assert [each.id for each in WebhookDelivery.objects.all()] == [kept.id]
    assert not WebhookAttempt.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_jobs_process_sends_what_was_told(member, receiver, run_jobs, fake_engine):
    _endpoint, secret = make_endpoint(by=member, url=receiver.url)
    make_annotation(tenant=member.tenant)

    run_jobs()  # ends when nothing waits, whatever the last job deferred
    run_jobs()

    (received,) = receiver.received
    assert received.is_signed_with(secret)
    assert WebhookDelivery.objects.get().state == "delivered"
