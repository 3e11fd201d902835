from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connections

from kalas import backup, database_server
from kalas.lib.postgres_install import EmbeddedPostgresError


class Command(BaseCommand):
    help = "Writes the database and all photos into one file; the house may go on running."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            with database_server.running():
                manifest = backup.write(
                    path=path,
                    database=connections["owner"],
                    storage=default_storage,
                    now=datetime.now(UTC),
                )
        except (backup.BackupError, EmbeddedPostgresError, OperationalError) as error:
            raise CommandError(str(error).strip()) from error
        except OSError as error:
            raise CommandError(f"The backup cannot be written: {error}") from error
        self.stdout.write(
            f"{path}: {path.stat().st_size / 1e6:.1f} MB, {manifest.media_files} photos and "
            "thumbnails"
        )
