"""The address that the engine listens on: a Unix socket that only its user may open, or TCP."""

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

_BACKLOG = 512


class AddressUnusable(Exception):
    """Nobody can listen there; the message says why in one line."""


@contextmanager
def listen(url: str) -> Iterator[socket.socket]:
    """A listening socket at `unix:/path` or `http://host:port`. Raises AddressUnusable."""
    if url.startswith("unix:"):
        with _listen_on_path(Path(url.removeprefix("unix:"))) as listener:
            yield listener
    else:
        with _listen_on_port(url) as listener:
            yield listener


@contextmanager
def _listen_on_path(path: Path) -> Iterator[socket.socket]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AddressUnusable(f"Cannot listen on {path}: {error.strerror}.") from error
    try:
        _lock(lock, path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            _bind(listener, path)
            try:
                yield listener
            finally:
                path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _lock(lock: int, path: Path) -> None:
    """The kernel drops the lock with its process, however that dies; a socket file stays behind."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise AddressUnusable(f"Another engine is alive on {path}.") from error


def _bind(listener: socket.socket, path: Path) -> None:
    try:
        if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
            raise AddressUnusable(f"Cannot listen on {path}: a file is in the way.")
        path.unlink(missing_ok=True)
        # The mode is right from the first moment on: no other user can slip in before a chmod.
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(_BACKLOG)
    except OSError as error:
        # Also "AF_UNIX path too long": a socket's path has at most 107 bytes.
        raise AddressUnusable(f"Cannot listen on {path}: {error.strerror or error}.") from error


@contextmanager
def _listen_on_port(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme != "http" or not host or port is None:
        raise AddressUnusable(f"{url} is neither unix:/path nor http://host:port.")
    try:
        listener = socket.create_server((host, port), backlog=_BACKLOG)
    except OSError as error:
        raise AddressUnusable(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
    with listener:
        yield listener
