"""Each endpoint has a lane of its own: one job, which holds up no other endpoint."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.tests.factories import make_member
from integrations import deliveries
from integrations.models import (
    WebhookDelivery,
    WebhookEndpoint,
)
from integrations.tests.factories import (
    attempt,
    lanes_of,
    make_delivery,
    make_endpoint,
    reload,
    send_due,
)


def test_an_endpoint_has_one_job_however_much_waits(endpoint, receiver):
    receiver.answer = (503, {"Retry-After": "3600"}, b"")
    for _ in range(20):
        make_delivery(endpoint)

    send_due(endpoint)
    for _ in range(20):
        make_delivery(endpoint)

    endpoint.refresh_from_db()
    assert len(receiver.received) == 1
    assert lanes_of(endpoint).get().scheduled_at == endpoint.quiet_until
    assert WebhookDelivery.objects.waiting().count() == 40


def test_one_message_asks_whether_a_dead_endpoint_is_back(endpoint, receiver):
    receiver.answer = (500, {}, b"")
    now = timezone.now()
    for _ in range(5):
        make_delivery(endpoint)

    for hours in range(6):
        send_due(endpoint, now=now + timedelta(hours=hours))

    assert len(receiver.received) == 6
    receiver.answer = (200, {}, b"")
    send_due(endpoint, now=now + timedelta(hours=7))
    assert not WebhookDelivery.objects.waiting().filter(tries=0).exists()


def test_what_is_told_wakes_the_lane_that_sleeps_for_longer(endpoint, receiver):
    receiver.answer = (503, {"Retry-After": "3600"}, b"")
    send_due(make_delivery(endpoint).endpoint)
    assert lanes_of(endpoint).filter(scheduled_at__gt=timezone.now()).exists()
    WebhookEndpoint.objects.update(quiet_until=None)

    make_delivery(endpoint)

    assert lanes_of(endpoint).filter(scheduled_at__lte=timezone.now()).exists()


def test_a_turn_ends_and_another_follows(endpoint, receiver, monkeypatch):
    monkeypatch.setattr(deliveries, "TURN_S", 0)
    make_delivery(endpoint)

    send_due(endpoint)

    assert receiver.received == []
    assert lanes_of(endpoint).filter(scheduled_at__lte=timezone.now()).exists()


def test_a_message_whose_attempt_is_a_defect_stands_in_nobodys_way(endpoint, receiver, monkeypatch):
    first, second = make_delivery(endpoint), make_delivery(endpoint)
    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "_send", lambda delivery, now: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            send_due(endpoint)

    send_due(endpoint)

    assert (reload(first).state, reload(second).state) == ("waiting", "delivered")
    later = attempt(first, now=timezone.now() + timedelta(minutes=1))
    assert later.state == "delivered"


def test_two_jobs_of_an_endpoint_send_once(endpoint, receiver):
    make_delivery(endpoint)
    first = deliveries._claim_next(endpoint.id, now=timezone.now())

    second = deliveries._claim_next(endpoint.id, now=timezone.now())

    assert first is not None
    assert second is None


def test_a_lane_without_a_job_is_woken_again(endpoint, receiver):
    make_delivery(endpoint)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")

    deliveries.wake_sleepers(now=timezone.now())
    deliveries.wake_sleepers(now=timezone.now())

    assert lanes_of(endpoint).count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_endpoint_that_takes_its_time_holds_up_no_other(member, receiver, run_jobs):
    slow = make_endpoint(by=member, url=receiver.url)[0]
    other = make_endpoint(by=make_member(), url=f"{receiver.url}/other")[0]
    other_came = threading.Event()

    def answer() -> None:
        if receiver.received[-1].path == "/hooks/other":
            other_came.set()
        other_came.wait(10)

    receiver.before_answer = answer
    for _ in range(6):
        make_delivery(slow)
    make_delivery(other)

    run_jobs(concurrency=4)

    # Either may be the first; before the slow one's second the other has come.
    assert {each.path for each in receiver.received[:2]} == {"/hooks", "/hooks/other"}
    assert len(receiver.received) == 7
