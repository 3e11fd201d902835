"""Where a Unix socket can live: its whole path has to fit into 107 bytes."""

import hashlib
import os
from pathlib import Path

LONGEST_PATH = 107


def place(path: Path) -> Path:
    """`path` itself, or one of the same name in a short folder of this path's own under /tmp.

    Who makes that folder makes it 0700 and checks whose it is.
    """
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    return Path("/tmp") / f"kalas-{os.geteuid()}-{digest(path.parent)}" / path.name  # noqa: S108


def digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
