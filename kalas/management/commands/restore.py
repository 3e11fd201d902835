from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connections

from kalas import backup, database_server
from kalas.lib.postgres_install import EmbeddedPostgresError


class Command(BaseCommand):
    help = "Brings back what `backup` wrote; nothing else of the house may run."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--replace", action="store_true", help="lose what is there now, if anything is"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with database_server.running():
                manifest = backup.restore(
                    path=options["file"],
                    database=connections["owner"],
                    storage=default_storage,
                    replace=options["replace"],
                )
                # The backup may be older than this release; and grants aren't part of it.
                call_command("setup_database")
        except (backup.BackupError, EmbeddedPostgresError, OperationalError) as error:
            raise CommandError(str(error).strip()) from error
        except OSError as error:
            raise CommandError(f"The backup cannot be restored: {error}") from error
        self.stdout.write(f"Restored what was backed up at {manifest.made_at}")
