"""Makes the virtual environment: `python3 kalas/install.py requirements.txt`.

Does nothing when these requirements are installed already. Uses the standard library only and
must be readable for an old Python, which it refuses in one line.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
STAMP = ENVIRONMENT / "installed.sha256"
# What the packages take, of which torch is the most; and what running needs at the least.
INSTALL_MB = 8000
RUN_MB = 300
NO_NETWORK = (
    "name resolution",
    "Name or service not known",
    "nodename nor servname",
    "Failed to establish a new connection",
    "Network is unreachable",
    "NewConnectionError",
    "ConnectTimeoutError",
    "Max retries exceeded",
    "Cannot connect to proxy",
)


class InstallError(Exception):
    """One line for the person who started it."""


def main(requirements: list[str]) -> None:
    check_python()
    files = [ROOT / name for name in requirements]
    wanted = fingerprint(files)
    if installed() == wanted and python().exists():
        check_disk(ROOT, RUN_MB)
        return
    check_disk(ROOT, INSTALL_MB)
    make_environment()
    say("Installing the packages (at the first start only; some minutes) …")
    install(files)
    STAMP.write_text(wanted)


def check_python() -> None:
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise InstallError(
            "Kalas needs Python {}.{} or newer, this is {}.{}: "
            "install one and name it, as in `make up PYTHON=python3.12`.".format(
                *OLDEST_PYTHON, *sys.version_info[:2]
            )
        )


def check_disk(folder: Path, needed_mb: int) -> None:
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    if free_mb < needed_mb:
        raise InstallError(
            f"The disk is full: {free_mb} MB are free at {folder}, {needed_mb} MB are needed."
        )


def fingerprint(files: list[Path]) -> str:
    """Of the requirements, of what these include, and of this Python."""
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("-r "):
                digest.update((ROOT / line[3:].strip()).read_bytes())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def installed() -> str:
    try:
        return STAMP.read_text()
    except FileNotFoundError:
        return ""


def python() -> Path:
    return ENVIRONMENT / "bin" / "python"


def is_usable() -> bool:
    """False for an environment that was interrupted or whose Python has gone."""
    command = [str(python()), "-m", "pip", "--version"]
    return (
        python().exists()
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


def make_environment() -> None:
    if is_usable():
        return
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        output = made.stdout + made.stderr
        if "ensurepip" in output or "No module named venv" in output:
            name = "python{}.{}-venv".format(*sys.version_info[:2])
            raise InstallError(
                f"This Python cannot make virtual environments: install {name} "
                f"(`sudo apt install {name}` on Debian and Ubuntu)."
            )
        raise InstallError(f"The virtual environment cannot be made: {explain(output)}")


def install(files: list[Path]) -> None:
    options = [word for file in files for word in ("-r", str(file))]
    done = subprocess.run(
        [
            *(str(python()), "-m", "pip", "install", "--quiet", "--no-input"),
            *("--disable-pip-version-check", "--progress-bar", "off", "--retries", "2"),
            *options,
        ],
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise InstallError(explain(done.stdout + done.stderr))


def explain(output: str) -> str:
    if "No space left on device" in output:
        return f"The disk is full: the packages need about {INSTALL_MB} MB at {ROOT}."
    if any(sign in output for sign in NO_NETWORK):
        return "The packages cannot be fetched: no way to the package index. Is the network up?"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["no reason given"])[-1]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InstallError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"The installation failed: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
