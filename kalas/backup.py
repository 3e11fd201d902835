"""One tar with a dump of the database and all media, and its way back.

The dump comes first, so that every photo it names was stored before it; the manifest comes
last, so that a backup without one is known to be cut off.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from django.core.files import File
from django.core.files.storage import Storage
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from psycopg.conninfo import make_conninfo

from kalas.lib import postgres_install

FORMAT = 1
DUMP, MANIFEST, MEDIA = "database.dump", "manifest.json", "media"
COPY_BYTES = 1024 * 1024


class BackupError(Exception):
    """The message is one line for the person who asked."""


@dataclass(frozen=True, slots=True)
class Manifest:
    format: int
    made_at: str
    dump_sha256: str
    migrations: list[str]
    media_files: int


def write(
    *, path: Path, database: BaseDatabaseWrapper, storage: Storage, now: datetime
) -> Manifest:
    """Write the backup at once and whole, or not at all; raises BackupError.

    `database` is the owner's connection: the application's role may not see every row.
    """
    if path.exists():
        raise BackupError(f"{path} exists already: choose another name.")
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            manifest = _write_tar(file, database=database, storage=storage, now=now)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename this refuses when somebody made the file in the meantime.
        os.link(draft, path)
    except FileExistsError as error:
        raise BackupError(f"{path} exists already: choose another name.") from error
    finally:
        Path(draft).unlink(missing_ok=True)
    return manifest


def restore(
    *, path: Path, database: BaseDatabaseWrapper, storage: Storage, replace: bool
) -> Manifest:
    """Bring the database and the media back to what they were; raises BackupError.

    Photos are added first, then the database changes in one transaction, then photos that
    the backup doesn't know are removed: interrupted anywhere, it can simply be run again.
    """
    with _open_tar(path) as tar:
        manifest = _read_manifest(tar, path=path)
        _check_migrations(manifest, database)
        _check_alone(database)
        if not replace and (_holds_rows(database) or any(walk(storage))):
            raise BackupError("There are data already: add --replace to lose them.")
        with tempfile.TemporaryDirectory() as folder:
            dump = Path(folder) / DUMP
            _extract_dump(tar, manifest=manifest, target=dump)
            names = _restore_media(tar, storage)
            _restore_database(dump, database)
    for name in set(walk(storage)) - names:
        storage.delete(name)
    return manifest


def walk(storage: Storage, folder: str = "") -> Iterator[str]:
    """The names of all files of a storage."""
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in sorted(files):
        yield f"{folder}/{name}" if folder else name
    for name in sorted(folders):
        yield from walk(storage, f"{folder}/{name}" if folder else name)


def _write_tar(
    file: IO[bytes], *, database: BaseDatabaseWrapper, storage: Storage, now: datetime
) -> Manifest:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        with tempfile.NamedTemporaryFile(suffix=".dump") as dump:
            _dump_database(Path(dump.name), database)
            tar.add(dump.name, DUMP)
            digest = _sha256(dump)
        media_files = 0
        for name in walk(storage):
            media_files += _add_media(tar, storage, name)
        manifest = Manifest(
            format=FORMAT,
            made_at=now.isoformat(),
            dump_sha256=digest,
            migrations=_applied_migrations(database),
            media_files=media_files,
        )
        content = json.dumps(asdict(manifest), indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return manifest


def _add_media(tar: tarfile.TarFile, storage: Storage, name: str) -> int:
    info = tarfile.TarInfo(f"{MEDIA}/{name}")
    try:
        with storage.open(name) as content:
            info.size = content.size
            tar.addfile(info, content)
    except FileNotFoundError:  # deleted since it was listed
        return 0
    return 1


def _open_tar(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path, mode="r:")
    except FileNotFoundError as error:
        raise BackupError(f"{path} does not exist.") from error
    except tarfile.TarError as error:
        raise BackupError(f"{path} is no backup of Kalas.") from error


def _read_manifest(tar: tarfile.TarFile, *, path: Path) -> Manifest:
    try:
        content = tar.extractfile(MANIFEST)
        manifest = Manifest(**json.load(content)) if content else None
    except tarfile.ReadError as error:
        raise BackupError(f"{path} is cut off.") from error
    except (KeyError, ValueError, TypeError) as error:
        raise BackupError(f"{path} is no backup of Kalas, or cut off.") from error
    if manifest is None or manifest.format != FORMAT:
        raise BackupError(f"{path} has a format that this release does not read.")
    return manifest


def _extract_dump(tar: tarfile.TarFile, *, manifest: Manifest, target: Path) -> None:
    with target.open("w+b") as file:
        shutil.copyfileobj(_member(tar, DUMP), file, COPY_BYTES)
        if _sha256(file) != manifest.dump_sha256:
            raise BackupError("The backup is damaged: its dump is not what was written.")


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        content = tar.extractfile(name)
    except (KeyError, tarfile.ReadError) as error:
        raise BackupError(f"The backup is damaged: {name} is missing.") from error
    if content is None:
        raise BackupError(f"The backup is damaged: {name} is no file.")
    return content


def _restore_media(tar: tarfile.TarFile, storage: Storage) -> set[str]:
    names = set()
    for info in tar:
        path = PurePosixPath(info.name)
        if path.parts[0] != MEDIA:
            continue
        if not info.isreg() or ".." in path.parts:
            raise BackupError(f"The backup is damaged: {info.name} is no file.")
        name = str(PurePosixPath(*path.parts[1:]))
        names.add(name)
        if storage.exists(name):
            if storage.size(name) == info.size:  # a stored photo never changes
                continue
            storage.delete(name)
        storage.save(name, File(_member(tar, info.name)))
    return names


def _dump_database(target: Path, database: BaseDatabaseWrapper) -> None:
    _run_program(
        "pg_dump",
        *("--format=custom", "--no-owner", "--no-privileges", "--schema=public"),
        # Policies hold for the owner too; who names no shop sees all rows.
        *("--enable-row-security", "--exclude-extension=*", f"--file={target}"),
        database=database,
    )


def _restore_database(dump: Path, database: BaseDatabaseWrapper) -> None:
    script = dump.with_suffix(".sql")
    # pg_restore can't empty the database in its own transaction, psql can.
    _run_program(
        "pg_restore",
        *("--no-owner", "--no-privileges", "--schema=public", f"--file={script}", str(dump)),
        database=None,
    )
    _run_program(
        "psql",
        *("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"),
        *("--command=SET client_min_messages = warning", "--command=DROP OWNED BY CURRENT_USER"),
        *(f"--file={script}", "--output=/dev/null"),
        database=database,
    )


def _run_program(name: str, *arguments: str, database: BaseDatabaseWrapper | None) -> None:
    address, environment = _address(database) if database else ([], {})
    done = subprocess.run(
        [str(postgres_install.program(name)), *arguments, *address],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines() or ["no reason given"]
        raise BackupError(f"{name} failed: {reason[0]}")


def _address(database: BaseDatabaseWrapper) -> tuple[list[str], Mapping[str, str]]:
    parameters = {
        name: str(value)
        for name, value in database.get_connection_params().items()
        if isinstance(value, str | int) and name != "client_encoding"
    }
    # Not among the arguments, which every user of the machine can read.
    password = parameters.pop("password", "")
    return [f"--dbname={make_conninfo(**parameters)}"], {"PGPASSWORD": password} if password else {}


def _check_migrations(manifest: Manifest, database: BaseDatabaseWrapper) -> None:
    loader = MigrationLoader(database, ignore_no_migrations=True)
    known = {".".join(key) for key in loader.disk_migrations}
    if unknown := sorted(set(manifest.migrations) - known):
        raise BackupError(f"The backup was made by a newer release of Kalas ({unknown[0]}).")


def _check_alone(database: BaseDatabaseWrapper) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            # Of other roles' connections little more is shown than who they are; the server's
            # own helpers (autovacuum) are nobody.
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND usesysid IS NOT NULL AND pid <> pg_backend_pid()"
        )
        others: int = cursor.fetchone()[0]
    if others:
        raise BackupError("The house is running: stop it first, then restore.")


def _holds_rows(database: BaseDatabaseWrapper) -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('accounts_user') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute("SELECT EXISTS (SELECT FROM accounts_user)")
        return bool(cursor.fetchone()[0])


def _applied_migrations(database: BaseDatabaseWrapper) -> list[str]:
    loader = MigrationLoader(database, ignore_no_migrations=True)
    return sorted(".".join(key) for key in loader.applied_migrations)


def _sha256(file: Any) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
