"""Requests that PostgreSQL ends because they and another transaction wait for each other."""

import json
from collections.abc import Callable, Iterator
from threading import Event, Thread

import psycopg
import pytest
from django.db import connection
from django.test import Client
from procrastinate.contrib.django import app

from accounts.models import IdempotentRequest, Scope
from accounts.tests.factories import make_key, make_tenant
from retrieval.api import products as view
from retrieval.importing.writing import apply_rows
from retrieval.models import Product
from retrieval.tests.factories import make_product

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/products/"
LOCK = "SELECT 1 FROM retrieval_product WHERE external_id = '{}' FOR UPDATE"
# PostgreSQL looks once whether a wait can ever end, a second after its begin: of two that wait for
# each other the one is ended that began later than a second after the other.
HAS_LOOKED = (
    "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
    " AND clock_timestamp() - query_start > 2 * current_setting('deadlock_timeout')::interval"
)


@pytest.fixture
def api():
    tenant = make_tenant()
    for external_id in ("A", "B"):
        make_product(tenant=tenant, external_id=external_id)
    token = make_key(tenant=tenant, scopes=[Scope.CATALOGUE]).token
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})


def ask(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def ask_as_the_queue(sql: str) -> None:
    """Which hides the database's errors behind one of its own."""
    app.connector.get_sync_connector().execute_query(sql)


def send(api: Client, **headers: str):
    body = json.dumps({"external_id": "C", "title": "Shirt"})
    return api.post(PATH, body, content_type="application/json", headers=headers)


class Rival:
    """Holds B and waits for A, until it is its turn."""

    def __init__(self) -> None:
        keys = ("host", "port", "user", "password", "dbname")
        params = connection.get_connection_params()
        self.connection = psycopg.connect(**{key: params[key] for key in keys if key in params})
        self.connection.execute(LOCK.format("B"))
        self.may_wait = Event()
        self.thread = Thread(target=self._wait)
        self.thread.start()

    def _wait(self) -> None:
        self.may_wait.wait(20)
        with self.connection:
            self.connection.execute(LOCK.format("A"))

    def get_in_the_way(self) -> None:
        self.may_wait.set()
        with connection.cursor() as cursor:
            while cursor.execute(HAS_LOOKED, [self.connection.info.backend_pid]).rowcount < 1:
                cursor.execute("SELECT pg_sleep(0.05), pg_stat_clear_snapshot()")


@pytest.fixture
def tries(monkeypatch) -> Iterator[Callable[[Callable[[str], None]], list[str]]]:
    """Lets the first try meet the rival; how it asks for B is given."""
    rivals: list[Rival] = []

    def begin(ask_for_b: Callable[[str], None]) -> list[str]:
        made, write = [], apply_rows
        rivals.append(rival := Rival())

        def write_in_the_way(**asked):
            result = write(**asked)
            made.append("try")
            ask(LOCK.format("A"))
            if len(made) == 1:
                rival.get_in_the_way()
            ask_for_b(LOCK.format("B"))
            return result

        monkeypatch.setattr(view, "apply_rows", write_in_the_way)
        return made

    yield begin
    for rival in rivals:
        rival.may_wait.set()
        rival.thread.join(20)


@pytest.mark.parametrize("ask_for_b", [ask, ask_as_the_queue])
def test_a_request_with_a_key_is_tried_once_more(api, tries, ask_for_b):
    made = tries(ask_for_b)

    answer = send(api, **{"Idempotency-Key": "once"})
    again = send(api, **{"Idempotency-Key": "once"})

    assert answer.status_code == 201, answer.content
    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert len(made) == 2
    assert Product.objects.filter(external_id="C").count() == 1


@pytest.mark.parametrize("ask_for_b", [ask, ask_as_the_queue])
def test_a_request_without_a_key_is_to_be_sent_again(api, tries, ask_for_b):
    made = tries(ask_for_b)

    answer = send(api)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["type"].endswith("/unavailable/")
    assert len(made) == 1
    assert not Product.objects.filter(external_id="C").exists()

    assert send(api).status_code == 201


def test_a_request_is_not_tried_three_times(api, monkeypatch):
    made = []

    def fail(**_):
        made.append("try")
        raise psycopg.errors.SerializationFailure("could not serialize access")

    monkeypatch.setattr(view, "apply_rows", fail)

    answer = send(api, **{"Idempotency-Key": "once"})

    assert (answer.status_code, len(made)) == (503, 2)
    assert not IdempotentRequest.objects.exists()
