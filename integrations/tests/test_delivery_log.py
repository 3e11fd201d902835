"""What is noted of a delivery, and what is written nowhere."""

import logging

import pytest
from django.utils import timezone

from integrations import endpoints
from integrations.models import (
    SECRET_UNREADABLE,
)
from integrations.tests.factories import attempt, make_delivery, make_endpoint
from kalas.lib import crypto


def test_the_log_is_bounded_and_masked(member, receiver):
    endpoint, secret = make_endpoint(by=member, url=receiver.url)
    receiver.answer = (
        500,
        {"Set-Cookie": "session=hidden", "Server": "x" * 5000, "X-Token": "hidden"},
        b"oh\0no" * 20_000,
    )

    delivery = attempt(make_delivery(endpoint))

    noted = delivery.log.get()
    assert noted.status == 500
    assert len(noted.response_body) <= 4096
    assert len(noted.response_headers["server"]) == 200
    assert "hidden" not in str(noted.response_headers)
    assert noted.request_headers["webhook-signature"] == "v1,…"
    sent = receiver.received[0].headers["webhook-signature"]
    assert sent.removeprefix("v1,") not in str(vars(noted))
    assert secret not in str(vars(noted))


def test_what_the_network_says_is_noted(member, settings):
    endpoint = make_endpoint(by=member, url="https://167772161/hooks")[0]  # 10.0.0.1

    delivery = attempt(make_delivery(endpoint))

    noted = delivery.log.get()
    assert (noted.status, noted.error) == (None, "private-address")
    assert delivery.state == "waiting"


def test_a_secret_that_cannot_be_read_is_noted(endpoint, receiver, settings):
    settings.ENCRYPTION_KEYS = ["another installation"]

    delivery = attempt(make_delivery(endpoint))

    assert delivery.log.get().error == SECRET_UNREADABLE
    assert receiver.received == []


def test_secrets_are_sealed_and_bound_to_their_row(member, receiver):
    endpoint, secret = make_endpoint(by=member, url=receiver.url)
    other = make_endpoint(by=member, url=receiver.url)[0]
    assert secret.encode() not in bytes(endpoint.secret)

    other.secret = endpoint.secret
    with pytest.raises(crypto.Unreadable):
        endpoints.read_secrets(other, now=timezone.now())


def test_no_secret_reaches_the_log_of_the_process(member, receiver, caplog):
    with caplog.at_level(logging.DEBUG):
        endpoint, secret = make_endpoint(by=member, url=receiver.url)
        attempt(make_delivery(endpoint))
        _, other = endpoints.rotate_secret(
            tenant=member.tenant, by=member, endpoint_id=endpoint.id, now=timezone.now()
        )
        attempt(make_delivery(endpoint))

    assert secret not in caplog.text
    assert other not in caplog.text
    for received in receiver.received:
        for signature in received.headers["webhook-signature"].split(" "):
            assert signature.removeprefix("v1,") not in caplog.text
