"""One product of a store is in one pair of hands at a time: its reader's or its writer's.

They ask the store for seconds, and what they note afterwards goes by what they knew before. No row
is locked meanwhile, as what the store tells is noted there; the database forgets who is killed.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import Error, connection

from kalas.lib.shared_connections.base import keep_connection


@contextmanager
def hold(row_id: int) -> Iterator[bool]:
    """Whether the product is ours until the end of the block."""
    name = [f"stores.product.{row_id}"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", name)
        (is_ours,) = cursor.fetchone()
    try:
        with keep_connection():
            yield is_ours
    finally:
        # Where the database was away it let go by itself.
        if is_ours:
            with suppress(Error), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", name)
