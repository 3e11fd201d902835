"""Collects and compresses the static files, when any of them has changed."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command


def build(*, stamp: Path) -> bool:
    """Return whether there was anything to do."""
    wanted = _fingerprint()
    if stamp.exists() and stamp.read_text() == wanted and any(Path(settings.STATIC_ROOT).glob("*")):
        return False
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted)
    return True


def _fingerprint() -> str:
    """Of the names, sizes and times of all static files and of how they are stored."""
    digest = hashlib.sha256(repr(settings.STORAGES["staticfiles"]).encode())
    digest.update(str(settings.STATIC_ROOT).encode())
    for finder in finders.get_finders():
        for path, storage in finder.list([]):
            status = Path(storage.path(path)).stat()
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
