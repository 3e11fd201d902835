"""The network under `safe_http`: connects only to addresses that were checked a moment before.

A name is looked up once per connection; all of its addresses are checked, and the socket goes to
one of them by number. Nothing looks the name up again, so its owner can't change the answer
between check and use. One deadline covers the look-up, the handshake and every byte.
"""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from kalas.lib import public_addresses
from kalas.lib.public_addresses import Address, Network
from kalas.lib.request_failures import RequestFailed

# For one address of several, so that a dead one leaves time for the next.
LONGEST_CONNECT_S = 5.0
# Small, so that a receiver who takes bytes slowly is noticed between two pieces.
PIECE = 16 * 1024
# The system's resolver can't be stopped: names that hang may only hold so many threads.
_look_ups = threading.BoundedSemaphore(32)


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, more than 0; raises RequestFailed when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise RequestFailed("timeout")
        return left


class PinnedBackend(httpcore.NetworkBackend):
    def __init__(self, *, allowed: tuple[Network, ...], deadline: Deadline) -> None:
        self._allowed = allowed
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = look_up(host, port, deadline=self._deadline)
        if not all(public_addresses.is_allowed(each, self._allowed) for each in addresses):
            raise RequestFailed("private-address")
        return _Stream(self._connect(addresses, port), self._deadline)

    def _connect(self, addresses: list[Address], port: int) -> socket.socket:
        for address in addresses:
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(min(self._deadline.left(), LONGEST_CONNECT_S))
                connection.connect((str(address), port))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                connection.close()
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        self._deadline.left()
        raise RequestFailed("unreachable")


class _Stream(httpcore.NetworkStream):
    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket = connection
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._socket.settimeout(self._deadline.left())
        try:
            return self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise RequestFailed("timeout") from error
        except OSError as error:
            raise httpcore.ReadError from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        while view:
            self._socket.settimeout(self._deadline.left())
            try:
                view = view[self._socket.send(view[:PIECE]) :]
            except TimeoutError as error:
                raise RequestFailed("timeout") from error
            except OSError as error:
                raise httpcore.WriteError from error

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            self._socket.settimeout(self._deadline.left())
            secured = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except TimeoutError as error:
            self.close()
            raise RequestFailed("timeout") from error
        except (OSError, ValueError) as error:
            self.close()
            raise RequestFailed("tls") from error
        except RequestFailed:
            self.close()
            raise
        return _Stream(secured, self._deadline)

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        return self._socket if info == "socket" else None


def look_up(host: str, port: int, *, deadline: Deadline) -> list[Address]:
    """All addresses of a name, or the one that a number in any notation means.

    Raises RequestFailed.
    """
    if not _look_ups.acquire(timeout=deadline.left()):
        raise RequestFailed("timeout")
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()
    threading.Thread(target=_ask_system, args=(host, port, answers), daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty as error:
        raise RequestFailed("timeout") from error
    if isinstance(answer, Exception) or not answer:
        raise RequestFailed("unresolvable")
    try:
        return [public_addresses.parse_address(each) for each in dict.fromkeys(answer)]
    except ValueError as error:
        raise RequestFailed("private-address") from error


def _ask_system(host: str, port: int, answers: "queue.SimpleQueue[list[str] | Exception]") -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answers.put([_spell(sockaddr) for *_rest, sockaddr in found])
    except (OSError, UnicodeError, ValueError) as error:
        answers.put(error)
    finally:
        _look_ups.release()


def _spell(sockaddr: tuple[Any, ...]) -> str:
    """With the network interface where there is one."""
    scope = sockaddr[3] if len(sockaddr) == 4 else 0
    return f"{sockaddr[0]}%{scope}" if scope and "%" not in sockaddr[0] else str(sockaddr[0])
