"""The test session's database: a real embedded PostgreSQL, migrated by the owner's role.

Tests run as the application's role, as the house does. `KALAS_TEST_VAR` names a data folder
to keep between sessions (quicker); without it each session has one under /tmp.
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.utils import translation
from psycopg import sql
from pytest_django.plugin import DjangoDbBlocker

from kalas.lib import embedded_postgres, postgres_roles
from kalas.tests import databases

UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    folder = settings.VAR / "postgres"
    embedded_postgres.start(folder, settings=UNSAFE_BUT_FAST)
    _make_empty_database()
    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0)
        connections.close_all()
        _keep_template()
        _let_app_truncate()

    yield

    with django_db_blocker.unblock():
        connections.close_all()
    embedded_postgres.stop(folder)
    if "KALAS_TEST_VAR_IS_TEMPORARY" in os.environ:
        shutil.rmtree(embedded_postgres.data_folder(folder), ignore_errors=True)


@pytest.fixture(autouse=True)
def _speak_english() -> Iterator[None]:
    """The language of a test's last request, or of its own words, ends with it."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _empty_queue(request: pytest.FixtureRequest) -> Iterator[None]:
    """Django empties its own tables after a transactional test; procrastinate's are unmanaged."""
    yield
    marker = request.node.get_closest_marker("django_db")
    is_transactional = marker is not None and marker.kwargs.get("transaction", False)
    if is_transactional or {"transactional_db", "live_server"} & set(request.fixturenames):
        with embedded_postgres.connect(
            settings.VAR / "postgres", database=settings.DATABASES["default"]["NAME"]
        ) as connection:
            connection.execute(
                "DELETE FROM procrastinate_periodic_defers; DELETE FROM procrastinate_events;"
                "DELETE FROM procrastinate_jobs; DELETE FROM procrastinate_workers"
            )


def _make_empty_database() -> None:
    folder, name = settings.VAR / "postgres", settings.DATABASES["default"]["NAME"]
    with embedded_postgres.connect(folder) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )
    postgres_roles.ensure_roles(folder, database=name)


def _keep_template() -> None:
    name = settings.DATABASES["default"]["NAME"]
    with embedded_postgres.connect(settings.VAR / "postgres") as connection:
        for statement in (
            "DROP DATABASE IF EXISTS {template} WITH (FORCE)",
            "CREATE DATABASE {template} TEMPLATE {name}",
        ):
            connection.execute(
                sql.SQL(statement).format(
                    template=sql.Identifier(databases.template_name()), name=sql.Identifier(name)
                )
            )


def _let_app_truncate() -> None:
    """Transactional tests empty the tables afterwards; outside of tests nobody truncates."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            f"GRANT TRUNCATE ON ALL TABLES IN SCHEMA public TO {postgres_roles.APP_ROLE}"
        )
    connections["owner"].close()
