"""The second wall around a shop's rows: PostgreSQL's row-level security.

Tables with `policy_sql` show only the rows of the shop that `only_rows_of` names, whatever a
query forgets. Work that is nobody's in particular (jobs, commands) sees all of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection, transaction

_READ = "SELECT coalesce(current_setting('kalas.tenant', true), '')"
_WRITE = "SELECT set_config('kalas.tenant', %s, true)"


@contextmanager
def only_rows_of(tenant_id: UUID) -> Iterator[None]:
    """One transaction in which the database shows and takes this shop's rows only."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_READ)
            before = cursor.fetchone()[0]
            cursor.execute(_WRITE, [str(tenant_id)])
        yield
        # After an exception the rollback restores it.
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, [before])


def policy_sql(table: str) -> tuple[str, str]:
    """For a migration: what adds the policy to a table with `tenant_id`, and what removes it."""
    mine = "coalesce(current_setting('kalas.tenant', true), '') IN ('', tenant_id::text)"
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY rows_of_one_shop ON {table} USING ({mine}) WITH CHECK ({mine});",
        f"DROP POLICY rows_of_one_shop ON {table};ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;",
    )
