from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from accounts.tests.factories import make_user
from inference import client
from inference.contract import EngineHealth
from kalas import health, tasks
from kalas.lib import embedded_postgres

pytestmark = pytest.mark.django_db(transaction=True)
HEALTH = EngineHealth(
    state="ready", device="cpu", model=None, waiting=0, capacity=8, done=0, uptime_s=1.0
)


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.setattr(client.Client, "health", lambda self, timeout: HEALTH)


@pytest.fixture
def worker():
    add_worker(silent_for=timedelta())


def add_worker(*, silent_for):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - %s)", [silent_for]
        )


def test_a_living_process_says_so_without_a_database(client, monkeypatch):
    monkeypatch.setattr(health, "_connect", refuse)

    assert client.get("/healthz").content == b"alive\n"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_answers_a_browser_with_a_session_without_reading_it(
    client, engine, worker, path, django_assert_num_queries
):
    client.force_login(make_user())

    with django_assert_num_queries(0):
        assert client.get(path).status_code == 200


def test_is_ready_when_all_parts_are(client, engine, worker):
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"ready": True, "database": "ok", "engine": "ok", "jobs": "ok"}
    assert "no-store" in response["Cache-Control"]


def test_names_a_worker_that_is_silent(client, engine):
    add_worker(silent_for=timedelta(seconds=tasks.STALLED_AFTER_S + 1))

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["jobs"] == "no worker is running"
    assert response.json()["database"] == "ok"


def test_names_an_engine_that_does_not_answer(client, worker, settings, tmp_path):
    settings.INFERENCE_URL = f"unix:{tmp_path / 'nobody.sock'}"

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["engine"] == "does not answer"


def test_names_a_role_that_walks_through_row_level_security(client, engine, worker, monkeypatch):
    def connect_as_superuser():
        name = settings.DATABASES["default"]["NAME"]
        return embedded_postgres.connect(settings.VAR / "postgres", database=name)

    monkeypatch.setattr(health, "_connect", connect_as_superuser)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert "row-level security does not bind" in response.json()["database"]


def test_names_a_database_that_does_not_answer(client, engine, monkeypatch):
    monkeypatch.setattr(health, "_connect", refuse)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["database"] == "the database does not answer"


def refuse():
    raise psycopg.OperationalError("no server")


def test_does_not_wait_for_a_slow_database(monkeypatch):
    monkeypatch.setattr(health, "TIMEOUT_S", 1)

    with health._connect() as slow, pytest.raises(psycopg.errors.QueryCanceled):
        slow.execute("SELECT pg_sleep(60)")


def test_is_read_only(client):
    assert client.post("/readyz").status_code == 405


def test_tells_no_more_than_it_must(client, engine, worker):
    health_parts = health.check_parts(now=datetime.now(UTC))

    assert set(health_parts) == {"database", "engine", "jobs"}
