"""The second wall around a shop's rows: PostgreSQL's row-level security.

Tables with a policy show and take only the rows of the shop that `only_rows_of` names, whatever a
query forgets. Work that is nobody's in particular (log-in, commands, sweeps) sees all of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from kalas.lib.shared_connections.base import lend_connection

_SETTING = "coalesce(current_setting('kalas.tenant', true), '')"
# As a CASE, of which PostgreSQL expects that it holds for half of the rows. Of a comparison with
# something it does not know it expects one in two hundred, and then it sorts all rows of a shop
# rather than to read the newest ones in the order of an index.
_IS_MINE = f"CASE WHEN {_SETTING} = '' THEN true ELSE {_SETTING} = tenant_id::text END"
_shop: ContextVar[str] = ContextVar("kalas.tenant", default="")
# What each connection was told last; None where that may be taken back.
_told: WeakKeyDictionary[Any, str | None] = WeakKeyDictionary()


@contextmanager
def only_rows_of(tenant_id: UUID) -> Iterator[None]:
    """Until its end the database shows and takes this shop's rows only, over whatever connections
    the thread makes meanwhile."""
    with _only(str(tenant_id)):
        yield


@contextmanager
def rows_of_all() -> Iterator[None]:
    """Until its end every shop's rows are there: to count over all, telling nothing of any."""
    with _only(""):
        yield


@contextmanager
def _only(shop: str) -> Iterator[None]:
    before = _shop.get()
    _shop.set(shop)
    try:
        _tell()
        yield
    finally:
        _shop.set(before)
        _tell_after()


def policy_sql(table: str) -> tuple[str, str]:
    """For a migration: what adds the policy to a table with `tenant_id`, and what removes it."""
    return _build(table, _IS_MINE)


def replan_sql(table: str) -> tuple[str, str]:
    """For a migration: gives the policy of an older table today's wording."""
    before = f"{_SETTING} IN ('', tenant_id::text)"
    return (
        f"ALTER POLICY rows_of_one_shop ON {table} USING ({_IS_MINE}) WITH CHECK ({_IS_MINE});",
        f"ALTER POLICY rows_of_one_shop ON {table} USING ({before}) WITH CHECK ({before});",
    )


def shared_sql(table: str) -> tuple[str, str]:
    """For a migration: rows of no shop are there for all shops to read; none of them writes one."""
    return (
        f"ALTER POLICY rows_of_one_shop ON {table}"
        f" USING (tenant_id IS NULL OR {_IS_MINE}) WITH CHECK ({_IS_MINE});",
        f"ALTER POLICY rows_of_one_shop ON {table} USING ({_IS_MINE}) WITH CHECK ({_IS_MINE});",
    )


def policy_sql_of_child(table: str, column: str, parent: str) -> tuple[str, str]:
    """As `policy_sql`, for a table whose rows belong to the shop of the parent's row."""
    return _build(
        table,
        f"{_SETTING} = '' OR EXISTS"
        f" (SELECT FROM {parent} AS parent WHERE parent.id = {table}.{column})",
    )


def force_sql(table: str) -> tuple[str, str]:
    """Policies hold for the owner too: an installation may have one role for everything."""
    return (
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;",
    )


def _build(table: str, mine: str) -> tuple[str, str]:
    force, _no_force = force_sql(table)
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;{force}"
        f"CREATE POLICY rows_of_one_shop ON {table} USING ({mine}) WITH CHECK ({mine});",
        f"DROP POLICY rows_of_one_shop ON {table};"
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;",
    )


@receiver(connection_created)
def _tell_new(connection: Any, **_: object) -> None:
    """One that threads share was told of another shop before."""
    if connection.alias == DEFAULT_DB_ALIAS:
        _tell()


def _tell() -> None:
    """Where there is no connection yet, the one to come is told."""
    raw, shop = connection.connection, _shop.get()
    if raw is None or _told.get(raw, "") == shop:
        return
    # Twice a request: without the cursor that Django wraps, a third of the cost.
    _told[raw] = None  # until it is sure what the connection has heard
    with connection.wrap_database_errors:
        raw.execute("SELECT set_config('kalas.tenant', %s, false)", [shop])
    # A rollback would take it back.
    _told[raw] = None if connection.in_atomic_block else shop


def _tell_after() -> None:
    # Of a connection that threads share the next one to take it tells, if it is another shop's.
    lend_connection()
    try:
        _tell()
    except DatabaseError:
        # In a transaction that failed, its rollback tells what held before; else it is lost.
        if not connection.in_atomic_block:
            connection.close()
