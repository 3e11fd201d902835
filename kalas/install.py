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


def main(name: str) -> None:
    """Install the requirements of this file, unless nothing has changed since the last time."""
    check_python()
    if python().exists() and installed(name) == fingerprint(name):
        check_disk(ROOT, RUN_MB)
        return
    check_disk(ROOT, RUN_MB if installed("requirements.txt") else INSTALL_MB)
    make_environment()
    say("Installing the packages (at the first start only; some minutes) …")
    install(ROOT / name)
    for done in (name, *included(name)):
        stamp(done).write_text(fingerprint(done))


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


def included(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line[3:].strip() for line in lines if line.startswith("-r ")]


def fingerprint(name: str) -> str:
    """Of the requirements, of what these include, and of this Python."""
    digest = hashlib.sha256(sys.version.encode())
    for file in (name, *included(name)):
        digest.update((ROOT / file).read_bytes())
    return digest.hexdigest()


def stamp(name: str) -> Path:
    return ENVIRONMENT / f"{name}.sha256"


def installed(name: str) -> str:
    try:
        return stamp(name).read_text()
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


def install(file: Path) -> None:
    done = subprocess.run(
        [
            *(str(python()), "-m", "pip", "install", "--quiet", "--no-input"),
            *("--disable-pip-version-check", "--progress-bar", "off", "--retries", "2"),
            *("-r", str(file)),
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
        main(sys.argv[1])
    except InstallError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"The installation failed: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
