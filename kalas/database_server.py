"""The embedded server for a command that needs the database and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections

from kalas.lib import embedded_postgres, postgres_roles


@contextmanager
def running() -> Iterator[None]:
    """Start the embedded server where it is used and not running, and stop it afterwards.

    Raises EmbeddedPostgresError.
    """
    folder = settings.VAR / "postgres"
    if not settings.EMBEDDED_POSTGRES or embedded_postgres.is_ready(folder):
        yield
        return
    embedded_postgres.start(folder)
    try:
        postgres_roles.ensure_roles(folder)
        yield
    finally:
        connections.close_all()
        embedded_postgres.stop(folder)
