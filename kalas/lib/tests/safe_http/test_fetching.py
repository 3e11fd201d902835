"""What is fetched from an address that may be asked."""

import gzip
import socket
import ssl
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kalas.lib import remote_images, safe_http
from kalas.lib.request_failures import RequestFailed
from kalas.lib.safe_http import Policy
from kalas.lib.tests.safe_http.servers import PNG, PUBLIC, Handler, answering, fetch, local, refuse


def test_fetches_a_photo_under_its_own_name(serve, connects, look_ups):
    requests: list[bytes] = []
    port = serve(answering(PNG, requests=requests))

    assert fetch(port) == PNG
    assert requests[0].startswith(b"GET /shirt.png HTTP/1.1\r\n")
    assert f"Host: here.example:{port}\r\n".encode() in requests[0]
    assert b"cookie" not in requests[0].lower()
    assert b"authorization" not in requests[0].lower()
    assert (connects, look_ups) == ([("127.0.0.1", port)], ["here.example"])


def test_takes_no_proxy_from_the_environment(serve, connects, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    port = serve(answering(PNG))

    assert fetch(port) == PNG
    assert connects == [("127.0.0.1", port)]


def test_a_name_that_changes_its_answer_reaches_only_what_was_checked(connects, monkeypatch):
    """DNS rebinding: public when it is checked, private ever after."""
    answers = iter([[PUBLIC]])
    asked: list[str] = []

    def answer(host, port, *args, **options):
        asked.append(host)
        address = next(answers, ["127.0.0.1"])[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def refuse_connect(self, address):
        sys.audit("socket.connect", self, address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setattr(socket, "socket", type("S", (socket.socket,), {"connect": refuse_connect}))

    with pytest.raises(RequestFailed, match="unreachable"):
        remote_images.fetch_image(url="http://rebind.example/a.png", policy=Policy())

    assert len(asked) == 1
    assert connects == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("http://127.0.0.2/", "private-address"),
        ("http://169.254.169.254/latest/", "private-address"),
        ("http://2852039166/", "private-address"),
        ("http://[::1]/", "private-address"),
        ("//10.0.0.1/", "private-address"),
        ("http://inside.example/", "private-address"),
        ("http://mixed.example/", "private-address"),
        ("file:///etc/passwd", "scheme"),
        ("ftp://example.com/", "scheme"),
        ("http://user:secret@here.example/", "credentials"),
        ("http://here.example:22/", "port"),
        ("http://[::1", "invalid-url"),
    ],
)
def test_a_redirect_is_checked_like_the_address(serve, connects, target, code):
    port = serve(answering(status="302 Found", headers=f"Location: {target}\r\n"))

    assert refuse(port) == code
    assert connects == [("127.0.0.1", port)]


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
def test_follows_a_redirect_to_the_photo(serve, status):
    def handle(connection: socket.socket) -> None:
        path = connection.recv(65536).split(b" ")[1]
        if path == b"/shirt.png":
            connection.sendall(f"HTTP/1.1 {status} Moved\r\nLocation: ../b.png\r\n\r\n".encode())
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + PNG)

    assert fetch(serve(handle)) == PNG


HERE = Policy(hosts=frozenset({"here.example"}))


@pytest.mark.parametrize("host", ["here.example", "cdn.here.example", "HERE.example"])
def test_listed_hosts_and_their_subdomains_are_asked(host):
    assert safe_http.check_url(f"http://{host}/shirt.png", policy=HERE).path == "/shirt.png"


@pytest.mark.parametrize(
    "host", ["nowhere.example", "xhere.example", "here.example.evil.example", "127.0.0.1"]
)
def test_other_hosts_are_not_asked(host):
    with pytest.raises(RequestFailed) as failure:
        safe_http.check_url(f"http://{host}/shirt.png", policy=HERE)

    assert failure.value.code == "host-refused"


def test_a_redirect_leads_to_no_other_host(serve, connects):
    port = serve(answering(status="302 Found", headers="Location: http://mixed.example/\r\n"))

    assert refuse(port, hosts=frozenset({"here.example"})) == "host-refused"
    assert connects == [("127.0.0.1", port)]


def test_ends_a_chain_of_redirects(serve, connects):
    port = serve(answering(status="302 Found", headers="Location: /again\r\n"))

    assert refuse(port) == "redirects"
    assert len(connects) == 4


def test_refuses_a_giant_by_what_it_says(serve):
    port = serve(answering(PNG, headers="Content-Length: 99999999999\r\n"))

    assert refuse(port) == "too-large"


def test_refuses_a_giant_that_says_nothing(serve):
    sent = []

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + PNG)
        while True:
            connection.sendall(bytes(65536))
            sent.append(65536)

    assert refuse(serve(handle), max_bytes=1_000_000) == "too-large"
    assert sum(sent) < 20_000_000


def test_refuses_a_compressed_answer(serve):
    bomb = gzip.compress(bytes(50_000_000))
    port = serve(answering(bomb, headers="Content-Encoding: gzip\r\n"))

    assert refuse(port) == "compressed"


def drip(start: bytes, piece: bytes) -> Handler:
    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(start)
        while True:
            connection.sendall(piece)
            time.sleep(0.05)

    return handle


@pytest.mark.parametrize(
    "handler",
    [
        lambda connection: time.sleep(20),
        drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        drip(b"HTTP/1.1 200 OK\r\n\r\n" + PNG, b"."),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silent", "headers", "body", "continue"],
)
def test_ends_a_slow_answer_at_its_deadline(serve, handler):
    started = time.monotonic()

    code = refuse(serve(handler), deadline_s=0.5)

    assert code == "timeout"
    assert time.monotonic() - started < 10


def test_ends_a_slow_look_up(monkeypatch, connects):
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: answered.wait(30) and [])

    with pytest.raises(RequestFailed, match="timeout"):
        remote_images.fetch_image(url="http://slow.example/", policy=Policy(deadline_s=0.2))

    answered.set()
    assert connects == []


def test_ends_a_receiver_that_takes_nothing(serve):
    port = serve(lambda connection: time.sleep(20))

    with pytest.raises(RequestFailed, match="timeout"):
        safe_http.send(
            method="POST",
            url=f"http://here.example:{port}/",
            policy=local(port, deadline_s=0.5),
            body=bytes(50_000_000),
        )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html>Not here</html>" * 10, "not-an-image"),
        (b"", "not-an-image"),
        (b"%PDF-1.7" + bytes(200), "not-an-image"),
        (b"{}", "not-an-image"),
    ],
)
def test_refuses_what_is_no_photo_whatever_it_is_called(serve, body, code):
    port = serve(answering(body, headers="Content-Type: image/png\r\n"))

    assert refuse(port) == code


def test_does_not_read_on_when_it_is_no_photo(serve):
    sent = []

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"<html>" * 10_000)
            sent.append(60_000)

    assert refuse(serve(handle), max_bytes=25_000_000) == "not-an-image"
    assert sum(sent) < 20_000_000


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "500 Oops", "206 Partial"])
def test_says_when_the_host_has_no_photo(serve, status):
    assert refuse(serve(answering(PNG, status=status))) == "status"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "broken-answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "broken-answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + PNG, "broken-answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: " + b"b" * 200_000, "broken-answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "broken-answer"),
    ],
)
def test_a_broken_answer_is_a_failure(serve, answer, code):
    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    assert refuse(serve(handle)) == code


def test_says_when_nobody_listens(serve):
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]

    assert refuse(port) == "unreachable"


def test_cuts_an_answer_that_only_matters_in_part(serve):
    port = serve(answering(b"thanks " * 1000, status="500 Oops"))

    answer = safe_http.send(
        method="POST",
        url=f"http://here.example:{port}/",
        policy=local(port, max_bytes=100, redirects=0, when_too_large="cut"),
        body=b"{}",
    )

    assert (answer.status, len(answer.body), answer.was_cut) == (500, 100, True)


def test_a_redirect_is_an_answer_where_none_is_followed(serve, connects):
    port = serve(answering(status="302 Found", headers="Location: http://10.0.0.1/\r\n"))

    answer = safe_http.send(
        method="POST", url=f"http://here.example:{port}/", policy=local(port, redirects=0)
    )

    assert answer.status == 302
    assert connects == [("127.0.0.1", port)]


def make_certificate(name: str, folder) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(path)


@pytest.mark.parametrize(("name", "works"), [("here.example", True), ("other.example", False)])
def test_the_certificate_must_be_of_the_name_and_not_of_the_number(
    serve, monkeypatch, tmp_path, name, works
):
    path = make_certificate(name, tmp_path)
    asked: list[str] = []
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    server.sni_callback = lambda connection, sni, context: asked.append(sni)
    monkeypatch.setattr(safe_http, "_ssl_context", lambda: ssl.create_default_context(cafile=path))

    def handle(connection: socket.socket) -> None:
        with server.wrap_socket(connection, server_side=True) as secured:
            answering(PNG)(secured)

    port = serve(handle)
    url = f"https://here.example:{port}/shirt.png"

    if works:
        assert remote_images.fetch_image(url=url, policy=local(port)) == PNG
    else:
        with pytest.raises(RequestFailed, match="tls"):
            remote_images.fetch_image(url=url, policy=local(port))
    assert asked == ["here.example"]


def test_the_operator_opens_a_network_of_the_shop(serve, settings, connects):
    port = serve(answering(PNG))
    url = f"http://here.example:{port}/"
    settings.OUTBOUND_PORTS = [80, port]

    with pytest.raises(RequestFailed, match="private-address"):
        remote_images.fetch_image(url=url)
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]

    assert remote_images.fetch_image(url=url) == PNG
    assert connects == [("127.0.0.1", port)]


@pytest.mark.parametrize(
    "start", [PNG, b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x00\x00\x00\x00WEBPVP8 ", b"BM\x00"]
)
def test_knows_photos_by_their_first_bytes(start: bytes) -> None:
    assert remote_images.looks_like_image(start)
