"""In a process of its own, as connections belong to the process."""

import json
import os
import subprocess
import sys
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.db.backends.postgresql.base import DatabaseWrapper as BaseWrapper

from kalas.lib.shared_connections.base import DatabaseWrapper, close_shelf

pytestmark = pytest.mark.django_db(transaction=True)

PROGRAM = """
import json, sys, threading, uuid
import django
django.setup()
from django.db import OperationalError, connection
from kalas.lib.shared_connections.base import close_shelf, lend_connection
from kalas.lib.tenant_rows import only_rows_of

def ask(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]

def in_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]

def request():
    try:
        return ask("SELECT pg_backend_pid()")
    finally:
        connection.close()

def wait_for_engine():
    with only_rows_of(uuid.UUID(int=1)):
        first = ask("SELECT current_setting('kalas.tenant')")
        lend_connection()
        others = [in_thread(shop) for _ in range(4)]
        last = ask("SELECT current_setting('kalas.tenant')")
    after = ask("SELECT current_setting('kalas.tenant')")
    connection.close()
    return [first, last, others, after, in_thread(shop)]

def shop():
    try:
        return ask("SELECT current_setting('kalas.tenant', true)") or ""
    finally:
        connection.close()

def too_many(depth=3):
    try:
        ask("SELECT 1")
        return in_thread(lambda: too_many(depth - 1)) if depth else "all got one"
    except OperationalError as error:
        return type(error.__cause__).__name__
    finally:
        connection.close()

def outage():
    # All that lie idle end, and nobody notices.
    in_thread(request)
    def end_others():
        try:
            ask(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE application_name = current_setting('application_name')"
                " AND pid <> pg_backend_pid()"
            )
            ask("SELECT pg_sleep(0.5)::text")
        finally:
            connection.close()
    in_thread(end_others)
    return in_thread(lambda: [shop(), in_thread(lambda: [ask("SELECT ''"), in_thread(shop)][1])])

json.dump(
    {
        "pids": [in_thread(request) for _ in range(10)],
        "walls": in_thread(wait_for_engine),
        "too_many": in_thread(too_many),
        "after_outage": outage(),
    },
    sys.stdout,
)
close_shelf()
"""


def test_threads_share_few_connections_and_no_shop():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DATABASE_POOL_SIZE": "2",
            "PGAPPNAME": "shared connections",
            "DJANGO_SETTINGS_MODULE": "kalas.tests.settings",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert len(set(answer["pids"])) <= 2
    tenant = "00000000-0000-0000-0000-000000000001"
    assert answer["walls"] == [tenant, tenant, ["", "", "", ""], "", ""]
    assert answer["too_many"] == "NoneFree"
    assert answer["after_outage"] == ["", ""]


def test_one_that_could_not_be_prepared_is_kept_by_nobody(monkeypatch):
    options = {**connection.settings_dict["OPTIONS"], "shared": {"most": 1, "wait_s": 0}}
    wrapper = DatabaseWrapper({**connection.settings_dict, "OPTIONS": options})
    made = [Mock(name="raw"), Mock(name="raw")]
    monkeypatch.setattr(BaseWrapper, "get_new_connection", Mock(side_effect=made))
    monkeypatch.setattr(wrapper, "set_autocommit", Mock(side_effect=OperationalError))

    for raw in made:  # the second one finds the place of the first free
        with pytest.raises(OperationalError):
            wrapper.connect()

        assert wrapper.connection is None
        raw.close.assert_called_once()
    close_shelf()
