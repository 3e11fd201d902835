"""No address, however it is written or answered, opens a socket to what is not public."""

import gzip
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kalas.lib import public_addresses, remote_images, safe_http
from kalas.lib.request_failures import SENTENCES, RequestFailed
from kalas.lib.safe_http import Policy

PUBLIC = "93.184.215.14"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
LOOPBACK = (ip_network("127.0.0.1/32"),)
Handler = Callable[[socket.socket], None]

# What the names of the tests lead to; any other name does not exist.
NAMES: dict[str, list[str]] = {
    "inside.example": ["10.0.0.7"],
    "loop.example": ["127.0.0.1"],
    "mixed.example": [PUBLIC, "192.168.1.1"],
    "mixed6.example": ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
    "127.0.0.1.nip.example": ["127.0.0.1"],
    "nat64.example": ["64:ff9b::a9fe:a9fe"],
    "here.example": ["127.0.0.1"],
}

_connects: list[tuple[object, ...]] = []


def _note_connect(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.connect":
        _connects.append(args[1])  # type: ignore[arg-type]


sys.addaudithook(_note_connect)  # for the rest of the process: there is no way to remove one


@pytest.fixture(autouse=True)
def connects() -> list[tuple[object, ...]]:
    """The addresses that any socket of this process connected to during the test."""
    _connects.clear()
    return _connects


@pytest.fixture(autouse=True)
def look_ups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were looked up; numbers are read by the system in all of its notations."""
    real, asked = socket.getaddrinfo, []

    def answer(host, port, *args, **options):
        name = host.decode() if isinstance(host, bytes) else host
        asked.append(name)
        found = []
        for address in NAMES.get(name.lower(), [name]):
            found += real(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return found

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


EVIL = [
    # the machine itself
    "http://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.8.9.10/",
    "http://0/",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0x7F.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0177.0x0.0.1/",
    "http://00000177.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://loop.example/",
    "http://127.0.0.1.nip.example/",
    "https://127.0.0.1/",
    "http://127.0.0.1:443/",
    # IPv4 inside of IPv6
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "http://mapped.example/",
    "http://nat64.example/",
    # the clouds' metadata
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    # networks nobody may reach from outside
    "http://10.0.0.1/",
    "http://10.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://3232235521/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://192.0.2.1/",
    "http://203.0.113.9/",
    "http://224.0.0.1/",
    "http://239.255.255.250/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[fe80::1]/",
    "http://[fe80::1%25lo]/",
    "http://[fc00::1]/",
    "http://[fd12:3456::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[fec0::1]/",
    "http://inside.example/",
    "http://mixed.example/",
    "http://mixed6.example/",
    # disguises of the host
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1\\@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://user:secret@example.com/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://loc%61lhost/",
    "http://127.0.0.1%00.example.com/",
    "http://127.0.0.1%23.example.com/",
    "http:///127.0.0.1/",
    "http:127.0.0.1",
    "http://",
    "http://[127.0.0.1]/",
    "http://[::1/",
    "http:// 127.0.0.1/",
    "http://127.0.0.1\r\nHost: example.com/",
    "http://" + "a" * 64 + ".example/",
    "http://" + "a." * 200 + "example/",
    "http://example.com/" + "a" * 3000,
    "http://no-such-host.example/",
    # other ways than HTTP, other ports than those of the web
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "ftp://example.com/shirt.jpg",
    "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/stat",
    "unix:/run/inference.sock",
    "data:image/png;base64,iVBORw0KGgo=",
    "javascript:alert(1)",
    "ldap://127.0.0.1/",
    "jar:http://127.0.0.1!/",
    "//127.0.0.1/",
    "/etc/passwd",
    "",
    "127.0.0.1",
    "http://example.com:22/",
    "http://example.com:6379/",
    "http://example.com:5432/",
    "http://example.com:0/",
    "http://example.com:99999/",
    "http://example.com:-80/",
]


def test_there_are_many_evil_forms() -> None:
    assert len(set(EVIL)) > 90


@pytest.mark.parametrize("url", EVIL)
def test_opens_no_socket(url: str, connects: list[tuple[object, ...]]) -> None:
    with pytest.raises(RequestFailed) as failure:
        remote_images.fetch_image(url=url, policy=Policy(deadline_s=5, redirects=3))

    assert connects == []
    assert failure.value.code in SENTENCES
    assert failure.value.detail.endswith(".")


@pytest.mark.parametrize(
    "text", [PUBLIC, "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2a00:1450::1"]
)
def test_the_public_internet_is_public(text: str) -> None:
    assert public_addresses.is_public(public_addresses.parse_address(text))


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], int]]:
    """Starts a server on 127.0.0.1 whose connections a test handles; returns its port."""
    listeners: list[socket.socket] = []

    def start(handler: Handler) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=accept, args=(listener, handler), daemon=True).start()
        return int(listener.getsockname()[1])

    def accept(listener: socket.socket, handler: Handler) -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection, handler), daemon=True).start()

    def handle(connection: socket.socket, handler: Handler) -> None:
        with closing(connection):
            try:
                handler(connection)
            except OSError:  # the client left
                return

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def answering(
    body: bytes = b"",
    *,
    status: str = "200 OK",
    headers: str = "",
    requests: list[bytes] | None = None,
) -> Handler:
    def handle(connection: socket.socket) -> None:
        received = connection.recv(65536)
        if requests is not None:
            requests.append(received)
        connection.sendall(f"HTTP/1.1 {status}\r\n{headers}\r\n".encode() + body)

    return handle


def local(port: int, **options: object) -> Policy:
    """A policy of an operator whose own network is 127.0.0.1."""
    values = {"networks": LOOPBACK, "ports": frozenset({port, 80, 443}), "deadline_s": 5.0}
    return Policy(**{**values, "redirects": 3, **options})  # type: ignore[arg-type]


def fetch(port: int, **options: object) -> bytes:
    return remote_images.fetch_image(
        url=f"http://here.example:{port}/shirt.png", policy=local(port, **options)
    )


def refuse(port: int, **options: object) -> str:
    with pytest.raises(RequestFailed) as failure:
        fetch(port, **options)
    return failure.value.code


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
