from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connections

from kalas.lib import embedded_postgres, postgres_install, postgres_roles


class Command(BaseCommand):
    help = (
        "Brings the database up to date: starts the embedded server where it is used and not "
        "running, makes the roles, migrates, and lets the application's role at the rows."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if settings.EMBEDDED_POSTGRES:
                folder = settings.VAR / "postgres"
                embedded_postgres.start(folder)
                postgres_roles.ensure_roles(folder)
                call_command("migrate", verbosity=0)
            else:
                call_command("migrate", verbosity=0)
                _grant_to_app()
        except (postgres_install.EmbeddedPostgresError, OperationalError) as error:
            raise CommandError(str(error).strip()) from error


def _grant_to_app() -> None:
    owner, app = (connections[alias].settings_dict for alias in ("owner", "default"))
    if owner["USER"] == app["USER"]:
        return
    connections["owner"].ensure_connection()
    postgres_roles.grant_to_app(
        connections["owner"].connection,
        database=owner["NAME"],
        owner=owner["USER"],
        app=app["USER"],
    )
