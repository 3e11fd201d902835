"""New rows of a table by one statement that is worded once.

Django's `save` and `bulk_create` word their statement anew each time, which for the few rows of
one photo takes longer than PostgreSQL takes to store them.
"""

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from numbers import Integral, Real
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import AutoField, Model
from django.db.models.fields.files import FieldFile


def insert_rows(rows: Sequence[Model]) -> None:
    """Store new rows of one model in their order; ids that the database gives are set.

    Sends no signals and calls no `pre_save`: what fields would fill in by then must be there.
    """
    if not rows:
        return
    model = type(rows[0])
    names = _list_names(model)
    values = [{name: getattr(row, name) for name in names} for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(_word(model), [json.dumps(values, default=_say)])
        ids = cursor.fetchall() if _is_given(model._meta.pk) else ()
    for row, (id_,) in zip(rows, ids, strict=bool(ids)):
        row.pk = id_
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


@cache
def _list_names(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields if not _is_given(field)]


@cache
def _word(model: type[Model]) -> str:
    quote = connection.ops.quote_name
    fields = [field for field in model._meta.concrete_fields if not _is_given(field)]
    columns = ", ".join(quote(field.column or "") for field in fields)
    typed = ", ".join(f"{quote(field.attname)} {field.rel_db_type(connection)}" for field in fields)
    values = ", ".join(f"new.{quote(field.attname)}" for field in fields)
    key = model._meta.pk
    given = f"RETURNING {quote(key.column or '')}" if _is_given(key) else ""
    return (
        f"INSERT INTO {quote(model._meta.db_table)} ({columns})"  # noqa: S608 - our own names
        f" SELECT {values} FROM json_to_recordset(%s::json) AS new ({typed}) {given}"
    )


def _say(value: object) -> str | float:
    """What JSON has no word for; raises TypeError for what PostgreSQL would not read."""
    if isinstance(value, UUID | date | Decimal | FieldFile):
        return str(value)
    if isinstance(value, Real):  # numpy's
        return int(value) if isinstance(value, Integral) else float(value)
    raise TypeError(f"{type(value).__name__} cannot be stored by insert_rows.")


def _is_given(field: object) -> bool:
    """By the database."""
    return isinstance(field, AutoField)
