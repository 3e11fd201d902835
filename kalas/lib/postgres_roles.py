"""The two roles of the embedded database, so that row-level security can bite."""

from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from kalas.lib.embedded_postgres import DATABASE, connect

OWNER_ROLE = "kalas_owner"
APP_ROLE = "kalas_app"


def ensure_roles(folder: Path, *, database: str = DATABASE) -> None:
    """Make the two roles and the database, or bring them back to what they should be.

    kalas_owner owns the database and what the migrations make; kalas_app may read and
    write rows, owns nothing and cannot bypass row-level security.
    """
    with connect(folder) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('kalas.ensure_roles'))")
        for role in (OWNER_ROLE, APP_ROLE):
            _ensure_role(connection, role)
        _ensure_database(connection, database)
    with connect(folder, database=database) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        grant_to_app(connection, database=database, owner=OWNER_ROLE, app=APP_ROLE)


def grant_to_app(
    connection: "psycopg.Connection[Any]", *, database: str, owner: str, app: str
) -> None:
    """Let `app` read and write the rows of every table that `owner` makes, now and later."""
    names = {
        "database": sql.Identifier(database),
        "owner": sql.Identifier(owner),
        "app": sql.Identifier(app),
    }
    for statement in (
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {database} TO {owner}, {app}",
        "GRANT USAGE ON SCHEMA public TO {app}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public"
        " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public"
        " GRANT USAGE, SELECT ON SEQUENCES TO {app}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app}",
    ):
        connection.execute(sql.SQL(statement).format(**names))


def _ensure_role(connection: "psycopg.Connection[Any]", role: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = sql.SQL("ALTER" if known else "CREATE")
    connection.execute(
        sql.SQL(
            "{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"
        ).format(verb, sql.Identifier(role))
    )


def _ensure_database(connection: "psycopg.Connection[Any]", database: str) -> None:
    names = sql.Identifier(database), sql.Identifier(OWNER_ROLE)
    known = connection.execute(
        "SELECT 1 FROM pg_database WHERE datname = %s", [database]
    ).fetchone()
    if known:
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(*names))
    else:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
