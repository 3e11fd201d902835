"""Open connections that the threads of a process share.

A thread takes one with its first query and puts it back when its request ends, or when it lends it
while it waits for somebody else. What psycopg_pool does beyond that has its price: it asks the
server at each turn whether it is there, and after an outage it gives out its dead connections one
after the other, with growing pauses. Here a look at the socket tells.
"""

import select
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import TransactionStatus

Connection = psycopg.Connection[Any]

# A server process grows with the plans and catalogues that it remembers.
LONGEST_LIFE_S = 600.0
# Who loses a connection without putting it back (a thread that died) does not tell.
LOOK_EVERY_S = 0.25


class NoneFree(psycopg.OperationalError):
    """All connections of the process were in use for too long."""


class Shelf:
    """At most `most` connections are open at once; `take` waits so long for one."""

    def __init__(self, *, most: int, wait_s: float) -> None:
        self._most = most
        self._wait_s = wait_s
        self._idle: list[Connection] = []
        self._born: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()
        self._being_made = 0
        self._changed = threading.Condition()

    def take(self, connect: Callable[[], Connection]) -> Connection:
        """The one that was put back last, as its server is the warmest; raises NoneFree."""
        end = monotonic() + self._wait_s
        with self._changed:
            while (kept := self._find_living()) is None and self._is_full():
                if monotonic() >= end:
                    raise NoneFree(f"All {self._most} connections to the database are in use.")
                self._changed.wait(LOOK_EVERY_S)
            if kept is not None:
                return kept
            self._being_made += 1
        made: Connection | None = None
        try:
            made = connect()
        finally:
            with self._changed:
                self._being_made -= 1
                if made is not None:
                    self._born[made] = monotonic()
                self._changed.notify()
        return made

    def put_back(self, connection: Connection) -> None:
        """Closes what nobody else could use: amid a transaction, broken, or old."""
        with self._changed:
            if self._is_young(connection) and _is_idle(connection):
                self._idle.append(connection)
            else:
                self._forget(connection)
            self._changed.notify()

    def throw_away(self, connection: Connection) -> None:
        with self._changed:
            self._forget(connection)
            self._changed.notify()

    def close(self) -> None:
        """Close what lies here; what is in use may still be put back."""
        with self._changed:
            while self._idle:
                self._forget(self._idle.pop())

    def _find_living(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if self._is_young(connection) and _is_idle(connection) and not _is_readable(connection):
                return connection
            self._forget(connection)
        return None

    def _is_young(self, connection: Connection) -> bool:
        return monotonic() - self._born.get(connection, 0.0) < LONGEST_LIFE_S

    def _is_full(self) -> bool:
        return len(self._born) + self._being_made >= self._most

    def _forget(self, connection: Connection) -> None:
        self._born.pop(connection, None)
        connection.close()


def _is_idle(connection: Connection) -> bool:
    return connection.pgconn.transaction_status == TransactionStatus.IDLE


def _is_readable(connection: Connection) -> bool:
    """Nobody has asked anything, so the server has ended, or is about to end, the connection."""
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))
