"""The name under which Django looks for a backend: `ENGINE` is the folder."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.backends.postgresql import base
from psycopg import IsolationLevel

from kalas.lib.shared_connections.shelf import Shelf

OPTION = "shared"
KEPT = "is_kept"

_shelves: dict[str, Shelf] = {}
_making = threading.Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    """`OPTIONS["shared"]` is how many connections the process may have, and how many seconds a
    thread waits for one."""

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        params.pop(OPTION)
        return params

    def connect(self) -> None:
        """Keeps none whose preparation failed: it may still show the rows of another shop."""
        try:
            super().connect()
        except BaseException:
            given, self.connection = self.connection, None
            if given is not None:
                self._shelf.throw_away(given)
            raise

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        make = super().get_new_connection
        # As the method that is not called for one that is there sets it.
        self.isolation_level = IsolationLevel.READ_COMMITTED
        return self._shelf.take(lambda: make(conn_params))

    def _close(self) -> None:
        if self.connection is not None:
            given, self.connection = self.connection, None
            with self.wrap_database_errors:
                self._shelf.put_back(given)

    @property
    def _shelf(self) -> Shelf:
        with _making:
            if self.alias not in _shelves:
                _shelves[self.alias] = Shelf(**self.settings_dict["OPTIONS"][OPTION])
            return _shelves[self.alias]


def close_shelf(alias: str = DEFAULT_DB_ALIAS) -> None:
    if alias in _shelves:
        _shelves[alias].close()


def lend_connection() -> None:
    """Before waiting for something slow: where threads share connections, give this one's to
    whoever needs one meanwhile. The next query takes another."""
    is_shared = OPTION in connection.settings_dict["OPTIONS"]
    if is_shared and not connection.in_atomic_block and not getattr(connection, KEPT, False):
        connection.close()


@contextmanager
def keep_connection() -> Iterator[None]:
    """Not lent until the end of the block: a lock of its session goes with it."""
    setattr(connection, KEPT, True)
    try:
        yield
    finally:
        setattr(connection, KEPT, False)
