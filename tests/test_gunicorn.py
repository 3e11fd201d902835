"""The API behind gunicorn, with the file that production uses."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from django.conf import settings

from accounts.tests.factories import make_key
from annotations.models import Annotation
from annotations.tests.conftest import FakeEngine, fake_engine, media
from annotations.tests.factories import make_photo_bytes

__all__ = ["fake_engine", "media"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(fake_engine: FakeEngine) -> Iterator[httpx.Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "kalas.tests.settings",
            "INFERENCE_URL": fake_engine.url,
            "API_BIND": address,
            "API_WORKERS": "2",
            "DATABASE_POOL_SIZE": "3",
        },
    )
    try:
        with httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=60) as client:
            wait_until_alive(client, process)
            yield client
    finally:
        process.terminate()
        assert process.wait(90) == 0


def wait_until_alive(client: httpx.Client, process: "subprocess.Popen[Any]") -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "gunicorn ended"
        try:
            if client.get("/healthz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("gunicorn does not answer")


def test_annotates_a_photo_and_refuses_what_is_too_much(server: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {make_key().token}"}

    answers = [
        server.post(
            "/api/v1/annotations/?wait=30",
            files={"image": ("shirt.png", make_photo_bytes())},
            headers=headers,
        )
        for _ in range(6)
    ]
    file = server.get(httpx.URL(answers[0].json()["image"]["url"]).path, headers=headers)

    assert [answer.status_code for answer in answers] == [201] * 6, answers[0].text
    assert answers[0].json()["garments"][0]["category"]["name"] == "t-shirt"
    assert file.headers["Content-Type"] == "image/png"
    assert Annotation.objects.filter(state="done").count() == 6
    assert ask_with_length(server, settings.REQUEST_MAX_BYTES + 1) == 413


def ask_with_length(server: httpx.Client, length: int) -> int:
    """The answer's status, although nothing of the body was sent."""
    connection = HTTPConnection(server.base_url.host, server.base_url.port or 80, timeout=30)
    connection.putrequest("POST", "/api/v1/annotations/")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(length))
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status
