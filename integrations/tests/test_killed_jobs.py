"""kill -9 of the jobs process while a receiver has the message: it comes once more."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings

from integrations.models import WebhookDelivery
from integrations.tests.factories import Receiver, make_delivery, make_endpoint

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
]


@contextmanager
def run_jobs_process(receiver: Receiver) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "kalas.tests.settings",
        "OUTBOUND_NETWORKS": "127.0.0.1/32",
        "OUTBOUND_PORTS": str(receiver.port),
    }
    command = [sys.executable, "manage.py", "run_jobs", "--concurrency", "2"]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(holds: Callable[[], bool], *, what: str) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_a_message_survives_the_death_of_its_sender(member, receiver):
    endpoint, secret = make_endpoint(by=member, url=receiver.url)
    answering = threading.Event()
    receiver.before_answer = lambda: answering.wait(120) and None
    delivery = make_delivery(endpoint)

    with run_jobs_process(receiver):
        wait_until(lambda: len(receiver.received) == 1, what="the receiver has the message")
    assert WebhookDelivery.objects.get().state == "waiting"
    answering.set()
    with run_jobs_process(receiver):
        wait_until(
            lambda: WebhookDelivery.objects.filter(state="delivered").exists(),
            what="it is delivered",
        )

    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == delivery.message.name
    assert first.body == second.body
    assert second.is_signed_with(secret)
    assert WebhookDelivery.objects.get().attempts == 1
