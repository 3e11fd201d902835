"""Many rows of a table changed in one statement, each to values of its own.

Django's `bulk_update` words a CASE with a branch for each row and column, which takes longer than
the changes themselves.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Model


def update_each(
    model: type[Model],
    rows: Sequence[Mapping[str, Any]],
    *,
    only_in_state: str = "",
    may_forget: bool = False,
) -> set[UUID]:
    """Set each row's columns by its `id`; return which rows there were.

    All `rows` name the same columns, as `attname`. They are locked in the order of their ids.
    `only_in_state` leaves the others as they are: a compare-and-swap. With `may_forget` the running
    transaction's commit does not wait for the disk.
    """
    if not rows:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            _word(model, tuple(rows[0]), has_state=bool(only_in_state), may_forget=may_forget),
            {
                "ids": [row["id"] for row in rows],
                "rows": json.dumps(rows, default=str),
                "state": only_in_state,
            },
        )
        return {id_ for (id_,) in cursor.fetchall()}


@cache
def _word(model: type[Model], names: tuple[str, ...], *, has_state: bool, may_forget: bool) -> str:
    quote = connection.ops.quote_name
    fields = {field.attname: field for field in model._meta.concrete_fields}
    columns = {name: quote(fields[name].column or name) for name in names}
    types = {name: fields[name].rel_db_type(connection) for name in names}
    typed = ", ".join(f"{quote(name)} {types[name]}" for name in names)
    values = ", ".join(f"{columns[name]} = new.{quote(name)}" for name in names if name != "id")
    table = quote(model._meta.db_table)
    # Values and lengths that PostgreSQL does not see: else it would plan anew each time by them.
    condition = "AND row.state = (SELECT %(state)s::text)" if has_state else ""
    quickly = "(SELECT set_config('synchronous_commit', 'off', true)) AS quickly"
    return f"""
        WITH held AS (
            SELECT row.id FROM {table} AS row{f", {quickly}" if may_forget else ""}
            WHERE row.id = ANY(ARRAY(SELECT unnest(%(ids)s::uuid[]))) {condition}
            ORDER BY row.id FOR NO KEY UPDATE OF row
        )
        UPDATE {table} AS row SET {values}
        FROM held JOIN json_to_recordset(%(rows)s::json) AS new ({typed}) USING (id)
        WHERE row.id = held.id
        RETURNING row.id
    """  # noqa: S608 - names of our own models
