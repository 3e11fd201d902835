import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from kalas.lib.tests.safe_http.servers import PUBLIC, Handler

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
