from types import SimpleNamespace

import pytest
from daphne import http_protocol
from twisted.internet.testing import StringTransport
from twisted.web import http

from kalas.lib import request_bodies
from kalas.lib.request_bodies import Request

LONGEST = 1000
FORM = b"multipart/form-data; boundary=x"


@pytest.fixture
def processed(monkeypatch):
    """The bodies of the requests that Daphne hands to the application, or how long they were."""
    bodies = []

    def note(request):
        length = request.requestHeaders.getRawHeaders("content-length", ["0"])[0]
        body = request.content.read()
        assert not body or len(body) == int(length)
        bodies.append(body or int(length))
        request.content.close()

    monkeypatch.setattr(Request, "longest_body", LONGEST)
    # Daphne's own class: its module names ours once the house's ASGI module was imported.
    monkeypatch.setattr(Request.__base__, "process", note)
    return bodies


def send(data: bytes) -> bytes:
    """Take these bytes from a connection; gives back what goes the other way."""
    channel = http.HTTPChannel()
    channel.requestFactory = Request
    channel.factory = SimpleNamespace(
        server=SimpleNamespace(
            protocol_connected=lambda _: None,
            protocol_disconnected=lambda _: None,
            server_name="",
            action_logger=None,
            http_timeout=None,
        ),
        log=lambda _: None,
        _logDateTime="",
    )
    transport = StringTransport()
    channel.makeConnection(transport)
    channel.dataReceived(data)
    return bytes(transport.value())


def post(body: bytes) -> bytes:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nContent-Type: "
    return head.encode() + FORM + b"\r\n\r\n" + body


def test_forms_reach_the_application_unparsed(processed, monkeypatch):
    def parse(*args):
        raise AssertionError("Twisted parsed a form")

    monkeypatch.setattr(http, "_getMultiPartArgs", parse)

    send(post(b"--x\r\nno form at all"))

    assert processed == [b"--x\r\nno form at all"]


def test_a_body_of_just_the_limit_is_taken(processed):
    send(post(b"a" * LONGEST))

    assert processed == [b"a" * LONGEST]


def test_of_a_longer_body_only_the_length_is_kept(processed):
    send(post(b"a" * (LONGEST + 1)))

    assert processed == [LONGEST + 1]


def test_a_body_without_a_length_is_counted(processed):
    chunks = b"1f4\r\n" + b"a" * 500 + b"\r\n"
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    send(head + chunks * 3 + b"0\r\n\r\n")

    assert processed == [1500]


def test_a_body_in_chunks_reaches_the_application_with_its_length(processed):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    send(head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    assert processed == [b"abcde"]


@pytest.mark.parametrize(
    ("status", "phrase"), [(200, b"OK"), (422, b"Unprocessable"), (599, b"Unknown Status")]
)
def test_names_the_status(monkeypatch, status, phrase):
    def answer(request):
        request.setResponseCode(status)
        request.finish()

    monkeypatch.setattr(Request.__base__, "process", answer)

    sent = send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    assert sent.startswith(b"HTTP/1.1 %d %s" % (status, phrase))


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/api/v1/annotations/", "application/problem+json"), ("/annotate/upload/", "text/plain")],
)
def test_the_application_refuses_it_unread(client, settings, path, content_type):
    settings.REQUEST_MAX_BYTES = 5

    response = client.post(path, b"123456", content_type="application/json")

    assert response.status_code == 413
    assert response["Content-Type"].startswith(content_type)


def test_daphne_uses_it(monkeypatch):
    monkeypatch.setattr(http_protocol, "WebRequest", http_protocol.WebRequest)
    monkeypatch.setattr(Request, "longest_body", 0)

    request_bodies.limit_bodies(longest=5)

    assert http_protocol.WebRequest is Request
    assert Request.longest_body == 5
