"""The client against a server that answers as it is told, and against none."""

import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from inference.client import Client, Late, NotReached, NoWords, Overloaded, Unavailable
from inference.contract import (
    Alternative,
    AnnotationResult,
    Box,
    Category,
    EngineHealth,
    Garment,
    InvalidImage,
    ModelName,
)

RESULT = AnnotationResult(30, 40, ModelName("m", "1", "kalas-1"), abstained="no-garment")
HEALTH = EngineHealth("ready", "cpu", RESULT.model, waiting=0, capacity=8, done=3, uptime_s=1.5)
PROBLEM = {"code": "damaged", "detail": "The file is damaged."}


class Server(ThreadingHTTPServer):
    """Answers every request with `status`, `headers` and `body`; "hang up" and "wait" do so."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body = 200, json.dumps(RESULT.to_json()).encode()
        self.headers: dict[str, object] = {}
        self.requests: list[tuple[str, bytes]] = []
        self.connections: set[object] = set()
        self.manner = ""
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, body))
        self.server.connections.add(self.client_address)
        if self.server.manner == "hang up":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if self.server.manner == "wait":
            self.server.released.wait(30)
        # A test may have the answer say which photo it belongs to.
        answer = self.server.body.replace(b'"width": 30', b'"width": %d' % (len(body) or 30))
        self.send_response(self.server.status)
        for name, value in {"Content-Length": len(answer), **self.server.headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self):
        answer = json.dumps(HEALTH.to_json()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


def test_sends_the_photo_with_its_parameters(server):
    result = Client(server.url).annotate(b"x" * 30, crop=Box(1, 2, 3, 4), hint="footwear")

    assert result == RESULT
    assert server.requests == [("/v1/annotate?crop=1%2C2%2C3%2C4&hint=footwear", b"x" * 30)]


def test_a_result_crosses_the_line_with_all_that_it_holds():
    category = Category("top", 0.8, (Alternative("shirt", 0.1),))
    garment = Garment("upper-body", 0.9, True, Box(1, 2, 3, 4), category, embedding=(0.6, 0.8))
    result = replace(RESULT, abstained=None, garments=(garment, garment))

    told = result.to_json()

    assert told == asdict(result)
    assert AnnotationResult.from_json(json.loads(json.dumps(told))) == result


def test_embeds_texts(server):
    server.body = b'{"model": {}, "embeddings": [[0.6, 0.8], [1, 0]]}'

    assert Client(server.url).embed_texts(["red", "elbise"]) == [[0.6, 0.8], [1.0, 0.0]]
    assert server.requests == [("/v1/embed-text", b'{"texts": ["red", "elbise"]}')]


def test_a_model_without_words_is_told_from_a_failure(server):
    server.status, server.body = 501, b'{"code": "no-words", "detail": "kalas-mini@1 reads none"}'

    with pytest.raises(NoWords, match="kalas-mini@1"):
        Client(server.url).embed_text("red")


def test_another_server_s_refusal_is_unavailable(server):
    server.status, server.body = 501, b"<html>Unsupported method</html>"

    with pytest.raises(Unavailable, match="501"):
        Client(server.url).embed_text("red")


def test_reads_the_health(server):
    assert Client(server.url).health() == HEALTH


@pytest.mark.parametrize("status", [413, 422])
def test_a_bad_photo_is_an_invalid_image(server, status):
    server.status, server.body = status, json.dumps(PROBLEM).encode()

    with pytest.raises(InvalidImage, match="damaged") as raised:
        Client(server.url).annotate(b"x")

    assert raised.value.code == "damaged"


def test_a_refused_parameter_is_a_value_error(server):
    server.status, server.body = (
        400,
        json.dumps({"detail": "The parameter crop is wrong."}).encode(),
    )

    with pytest.raises(ValueError, match="crop"):
        Client(server.url).annotate(b"x")


@pytest.mark.parametrize(("header", "seconds"), [({"Retry-After": 7}, 7), ({}, 1)])
def test_a_busy_engine_says_when_to_come_back(server, header, seconds):
    server.status, server.headers, server.body = 503, header, b"busy"

    with pytest.raises(Overloaded) as raised:
        Client(server.url).annotate(b"x")

    assert raised.value.retry_after == seconds


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"width": 3}', b"\xff"])
def test_an_answer_that_is_none_is_unavailable(server, body):
    server.body = body

    with pytest.raises(Unavailable):
        Client(server.url).annotate(b"x")


def test_a_server_error_is_unavailable(server):
    server.status, server.body = 500, b"oops"

    with pytest.raises(Unavailable, match="500"):
        Client(server.url).annotate(b"x")


def test_nobody_at_the_address_is_unavailable(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    for url in (f"http://127.0.0.1:{port}", f"unix:{tmp_path / 'none.sock'}"):
        with pytest.raises(Unavailable):
            Client(url).annotate(b"x")
        with pytest.raises(Unavailable):
            Client(url).health()


def test_a_proxy_in_the_environment_is_not_asked(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    assert Client(server.url).health() == HEALTH


def test_a_dead_or_late_answer_never_reaches_the_next_request(server):
    client = Client(server.url)
    client.annotate(b"x")

    server.manner = "hang up"
    with pytest.raises(Unavailable):
        client.annotate(b"x" * 2)
    server.manner = "wait"
    with pytest.raises(Unavailable, match="in time"):
        client.annotate(b"x" * 3, timeout=0.05)
    server.manner = ""
    server.released.set()

    assert [client.annotate(b"x" * size).width for size in (4, 5, 6)] == [4, 5, 6]


def test_reuses_its_connections(server):
    for size in range(1, 20):
        # A client costs nothing: what asks makes its own.
        assert Client(server.url).annotate(b"x" * size).width == size

    assert len(server.connections) == 1


def test_gives_every_thread_its_own_answer(server):
    client = Client(server.url)
    sizes = list(range(1, 120))

    with ThreadPoolExecutor(12) as threads:
        widths = list(threads.map(lambda size: client.annotate(b"x" * size).width, sizes))

    assert widths == sizes


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_its_own_connection(server):
    client = Client(server.url)
    client.annotate(b"x")
    read, write = os.pipe()

    child = os.fork()
    if child == 0:
        try:
            os.write(write, b"%d" % client.annotate(b"x" * 77).width)
        finally:
            os._exit(0)
    os.waitpid(child, 0)

    assert os.read(read, 10) == b"77"
    assert client.annotate(b"x" * 5).width == 5
    assert len(server.connections) == 2
    os.close(read)
    os.close(write)


def test_a_photo_is_sent_before_its_answer_is_there(server):
    server.manner = "wait"

    sent = Client(server.url).send_photo(b"photo", timeout=10)
    server.released.set()

    assert sent.read().width == 5


def test_a_photo_that_nobody_waits_for_takes_its_connection_along(server):
    server.manner = "wait"

    Client(server.url).send_photo(b"photo").drop()
    server.manner = ""
    server.released.set()

    assert Client(server.url).annotate(b"x" * 7).width == 7


def test_dropping_what_was_read_leaves_the_connection_to_the_next_photo(server):
    client = Client(server.url)
    first = client.send_photo(b"first")
    first.read()
    second = client.send_photo(b"the second")

    first.drop()

    assert second.read().width == len(b"the second")
    assert len(server.connections) == 1


def test_a_server_that_refuses_before_it_has_read_all_is_heard():
    """It closes its side, so that sending the rest fails."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(
            Client(f"http://127.0.0.1:{listener.getsockname()[1]}").annotate, b"x" * 2**24
        )
        connection, _address = listener.accept()
        with connection:
            connection.recv(2**16)
            connection.sendall(
                b"HTTP/1.1 503 Busy\r\nRetry-After: 4\r\nConnection: close\r\n"
                b"Content-Length: 0\r\n\r\n"
            )
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(2**20):
                pass

        with pytest.raises(Overloaded) as raised:
            asked.result(10)

    assert raised.value.retry_after == 4


def test_who_is_not_there_is_told_from_who_is_late(server):
    server.manner = "wait"

    with pytest.raises(Late):
        Client(server.url).annotate(b"x", timeout=0.05)
    with pytest.raises(NotReached):
        Client("unix:/nowhere.sock").annotate(b"x")


def test_a_connection_that_the_engine_has_closed_is_not_used_again(server):
    server.headers = {"Connection": "close"}
    client = Client(server.url)

    assert [client.annotate(b"x" * size).width for size in (3, 4)] == [3, 4]
    assert len(server.connections) == 2
