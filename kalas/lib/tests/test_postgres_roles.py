import psycopg
import pytest
from django.conf import settings
from django.db import ProgrammingError, connection, connections

from kalas.lib import embedded_postgres, postgres_roles

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def fetch(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def test_the_application_is_no_superuser_and_bypasses_nothing():
    assert fetch(
        "SELECT current_user, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole"
        " FROM pg_roles WHERE rolname = current_user"
    ) == [(postgres_roles.APP_ROLE, False, False, False, False)]
    assert fetch("SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole") == [
        (0,)
    ]


def test_the_application_owns_nothing():
    assert fetch(
        "SELECT (SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole)"
        " + (SELECT count(*) FROM pg_proc WHERE proowner = current_user::regrole)"
        " + (SELECT count(*) FROM pg_database WHERE datdba = current_user::regrole)"
        " + (SELECT count(*) FROM pg_namespace WHERE nspowner = current_user::regrole)"
    ) == [(0,)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "DROP TABLE accounts_user",
        "ALTER TABLE accounts_user DISABLE ROW LEVEL SECURITY",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SET ROLE kalas_owner",
        "SET SESSION AUTHORIZATION postgres",
        "COPY accounts_user TO PROGRAM 'cat'",
    ],
)
def test_the_application_cannot(statement):
    with pytest.raises(ProgrammingError), connection.cursor() as cursor:
        cursor.execute(statement)


def test_row_level_security_binds_the_application():
    with connections["owner"].cursor() as cursor:
        cursor.execute("CREATE TABLE guarded (shop int)")
        cursor.execute("INSERT INTO guarded VALUES (1), (2)")
        cursor.execute("ALTER TABLE guarded ENABLE ROW LEVEL SECURITY")
        cursor.execute("CREATE POLICY own ON guarded USING (shop = 1)")
        # The test's transaction isn't committed, so the role is taken inside of it.
        with embedded_postgres.connect(
            settings.VAR / "postgres", database=settings.DATABASES["default"]["NAME"]
        ) as superuser:
            superuser.execute("GRANT kalas_app TO kalas_owner WITH SET TRUE")
        cursor.execute("SET ROLE kalas_app")
        cursor.execute("SELECT shop FROM guarded")
        seen = cursor.fetchall()
        cursor.execute("RESET ROLE")
    with embedded_postgres.connect(settings.VAR / "postgres") as superuser:
        superuser.execute("REVOKE kalas_app FROM kalas_owner")

    assert seen == [(1,)]


def test_every_table_of_the_owner_is_open_to_the_application():
    closed = fetch(
        "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = 'public' AND relkind IN ('r', 'p')"
        " AND NOT has_table_privilege(current_user, pg_class.oid, 'SELECT, INSERT')"
    )

    assert closed == []


def test_making_the_roles_again_takes_back_what_somebody_added():
    folder = settings.VAR / "postgres"
    with embedded_postgres.connect(folder) as superuser:
        superuser.execute("ALTER ROLE kalas_app BYPASSRLS CREATEDB")

    postgres_roles.ensure_roles(folder, database=settings.DATABASES["default"]["NAME"])

    assert fetch("SELECT rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname = current_user") == [
        (False, False)
    ]


def test_strangers_may_not_connect():
    with embedded_postgres.connect(settings.VAR / "postgres") as superuser:
        superuser.execute("CREATE ROLE stranger LOGIN")
        try:
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(
                    host=str(embedded_postgres.socket_folder(settings.VAR / "postgres")),
                    user="stranger",
                    dbname=settings.DATABASES["default"]["NAME"],
                )
        finally:
            superuser.execute("DROP ROLE stranger")
