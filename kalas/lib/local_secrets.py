"""Secrets that an installation makes for itself, in one JSON file that only its user may read."""

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def read_or_make(*, path: Path, name: str) -> str:
    """Return the secret of this name; make it first where it is missing.

    Several processes may ask at once: all of them get the same answer.
    """
    if value := _read(path).get(name):
        return value
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock(path):
        stored = _read(path)
        if name not in stored:
            stored[name] = secrets.token_urlsafe(12 if name.endswith("password") else 48)
            _replace(path, stored)
        return stored[name]


def _read(path: Path) -> dict[str, str]:
    try:
        stored: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return stored


def _replace(path: Path, stored: dict[str, str]) -> None:
    # mkstemp makes the file 0600 from the start, so nobody else ever gets to read it.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(stored, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.with_name(f".{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
