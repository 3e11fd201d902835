"""Requests to the engine over kept connections: HTTP/1.1 on its Unix socket or TCP.

The standard library's client, as a general one takes several times the processor time, which a
request's thread and the engine's networks both wait for.
"""

import atexit
import os
import select
import socket
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from time import monotonic
from urllib.parse import urlsplit

_CONNECT_TIMEOUT_S = 3.0
# Shorter than the engine keeps an idle connection, so that it is never the engine that closes one.
_KEEP_IDLE_S = 15.0

_idle: dict[str, list["_Connection"]] = defaultdict(list)


class NotReached(Exception):
    """Nobody listens at the address."""


class NotAnswered(Exception):
    """The connection broke before the answer was there."""


class Late(NotAnswered):
    """The answer is not there in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    retry_after: str
    body: bytes


class Sent:
    """A request that the engine has, or will not take. Its connection is kept for the next one
    where its answer was read to the end, and closed otherwise."""

    def __init__(self, connection: "_Connection", url: str, timeout_s: float) -> None:
        self._connection, self._url = connection, url
        self._until = monotonic() + timeout_s
        self._is_read = False

    def read(self) -> Answer:
        """Once. Raises Late and NotAnswered."""
        try:
            self._connection.wait_at_most(self._until - monotonic())
            response = self._connection.getresponse()
            answer = Answer(
                response.status, response.headers.get("Retry-After", ""), response.read()
            )
        except TimeoutError as error:
            self.drop()
            raise Late("The engine did not answer in time.") from error
        except (OSError, HTTPException) as error:
            self.drop()
            raise NotAnswered(f"The engine cannot be reached: {error}") from error
        except BaseException:
            self.drop()
            raise
        self._is_read = True
        if not response.will_close:
            self._connection.idle_since = monotonic()
            _idle[self._url].append(self._connection)
        return answer

    def drop(self) -> None:
        """Nobody reads the answer: the engine takes the photo out of its queue. Once it was read
        the connection is the next one's."""
        if not self._is_read:
            self._connection.close()


def send(url: str, method: str, target: str, body: bytes | None, *, timeout_s: float) -> Sent:
    """To `unix:/path/of.sock` or `http://host:port`. Raises NotReached, Late and NotAnswered."""
    connection = _take(url)
    sent = Sent(connection, url, timeout_s)
    try:
        if connection.sock is None:
            connection.timeout = min(timeout_s, _CONNECT_TIMEOUT_S)
            try:
                connection.connect()
            except OSError as error:
                raise NotReached(f"The engine cannot be reached: {error}") from error
        connection.wait_at_most(timeout_s)
        # Who does not take the photo may answer, and close, before it has read all of it.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, target, body)
    except TimeoutError as error:
        sent.drop()
        raise Late("The engine did not answer in time.") from error
    except OSError as error:
        sent.drop()
        raise NotAnswered(f"The engine cannot be reached: {error}") from error
    except BaseException:
        sent.drop()
        raise
    return sent


class _Connection(HTTPConnection):
    idle_since = 0.0

    def __init__(self, url: str) -> None:
        path = url.removeprefix("unix:")
        self._path = path if path != url else ""
        super().__init__("engine" if self._path else urlsplit(url).netloc)

    def __del__(self) -> None:
        """Of a request whose answer was never read, as whoever sent it failed."""
        self.close()

    def connect(self) -> None:
        if not self._path:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def wait_at_most(self, seconds: float) -> None:
        # Nothing is waited for at 0, and not at all below.
        self.sock.settimeout(max(seconds, 0.001))

    @property
    def is_usable(self) -> bool:
        """Nobody has asked anything: what can be read is the end of the connection."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return monotonic() - self.idle_since < _KEEP_IDLE_S and not poll.poll(0)


def _take(url: str) -> _Connection:
    """The one that was used last; several threads may take from the list at once."""
    with suppress(IndexError):
        while True:
            connection = _idle[url].pop()
            if connection.is_usable:
                return connection
            connection.close()
    return _Connection(url)


def _close_idle() -> None:
    for connections in _idle.values():
        while connections:
            connections.pop().close()


atexit.register(_close_idle)
# A forked child would read its parent's answers; what it closes stays open there.
os.register_at_fork(after_in_child=_close_idle)
