import uuid

import pytest
from django.db import connection
from django.test import RequestFactory

from kalas.lib import streams

SHOP = uuid.UUID(int=7)
pytestmark = pytest.mark.django_db


def ask_shop() -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('kalas.tenant', true), '')")
        return str(cursor.fetchone()[0]).encode()


def stream(pieces):
    return streams.stream(
        RequestFactory().get("/"),
        pieces,
        tenant_id=SHOP,
        name="rows",
        ending="csv",
        content_type="text/csv",
    )


def test_pieces_are_read_behind_the_shops_wall_when_the_view_is_long_gone():
    response = stream(ask_shop() for _ in range(2))

    assert b"".join(response) == 2 * str(SHOP).encode()
    assert ask_shop() == b""


def test_small_pieces_are_sent_together_and_none_is_lost():
    pieces = [b"x" * 1000] * 200

    sent = list(stream(iter(pieces)))

    assert b"".join(sent) == b"".join(pieces)
    assert len(sent) == 4
