import errno
import fcntl
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import OperationalError

from kalas import house
from kalas.lib.postgres_install import EmbeddedPostgresError
from kalas.lib.supervisor import NotReadyError, Supervisor

NEEDED_MB = 300
COLOURS = {"postgres": 34, "engine": 35, "jobs": 33, "web": 32, "store": 31, "kalas": 36}


class Command(BaseCommand):
    help = "Runs the whole house on this machine, for this machine only, until Ctrl-C."
    requires_system_checks: tuple[str, ...] = ()  # each process it starts makes its own

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", default=os.environ.get("PORT", "8000"))

    def handle(self, *args: Any, **options: Any) -> None:
        port = _parse_port(options["port"])
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        try:
            _check_disk(settings.VAR)
            with _only_one(settings.VAR / "run" / "up.lock", port=port):
                _check_port(port)
                _run(_Output(self.stdout), port=port)
        except (EmbeddedPostgresError, NotReadyError, OperationalError) as error:
            raise CommandError(str(error).strip()) from error
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise CommandError(f"The disk is full: {settings.VAR} takes no more.") from error


class _Output:
    """Writes whole lines, each with the name of who said it."""

    def __init__(self, stream: OutputWrapper) -> None:
        self.stream = stream
        self.lock = Lock()
        self.in_colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def write(self, name: str, line: str) -> None:
        label = f"{name:<8} │ "
        if self.in_colour:
            label = f"\x1b[{COLOURS.get(name, 36)}m{label}\x1b[0m"
        # Whoever read this may be gone; that is no reason to stop the house.
        with self.lock, suppress(BrokenPipeError, ValueError):
            self.stream.write(label + line)
            self.stream.flush()


def _run(output: _Output, *, port: int) -> None:
    started_at = time.monotonic()
    supervisor = Supervisor(output=output.write)
    output.write("kalas", "starting …")
    try:
        house.start(supervisor, port=port)
        output.write("kalas", f"ready after {time.monotonic() - started_at:.1f} s")
        for line in house.describe(port=port):
            output.write("kalas", line)
        supervisor.watch()
    except KeyboardInterrupt:
        output.write("kalas", "stopping …")
    finally:
        supervisor.stop()
    output.write("kalas", "stopped; everything is kept")


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _parse_port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise CommandError(f"PORT={text} is no port: choose a number from 1024 to 65535.")
    return int(text)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((house.HOST, port))
        except PermissionError as error:
            raise CommandError(f"Port {port} needs root: choose one from 1024 on.") from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise CommandError(
                f"Port {port} is taken by another program: choose one, as in "
                f"`make up PORT={port + 1 if port < 65535 else 8000}`."
            ) from error


def _check_disk(folder: Path) -> None:
    while not folder.exists():
        folder = folder.parent
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    if free_mb < NEEDED_MB:
        raise CommandError(
            f"The disk is full: {free_mb} MB are free at {folder}, {NEEDED_MB} MB are needed."
        )


@contextmanager
def _only_one(path: Path, *, port: int) -> Iterator[None]:
    """Hold the lock of this installation; it says who holds it to whoever comes second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise CommandError(f"Kalas is already running here: {file.read().strip()}") from error
        file.truncate(0)
        file.write(f"http://{house.NAME}:{port}/ (process {os.getpid()})\n")
        file.flush()
        yield
        file.truncate(0)
