import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from kalas import install
from kalas.install import InstallError

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 10**12))
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\n")
    return tmp_path


@pytest.fixture
def no_environment(root, monkeypatch):
    """For what isn't about the environment itself, whose making takes seconds."""

    def pretend():
        install.python().parent.mkdir(parents=True, exist_ok=True)
        install.python().touch()

    monkeypatch.setattr(install, "make_environment", pretend)


def test_installs_once_and_again_when_the_requirements_changed(root, no_environment, monkeypatch):
    calls: list[Path] = []
    monkeypatch.setattr(install, "install", calls.append)

    install.main("requirements-dev.txt")
    install.main("requirements-dev.txt")
    install.main("requirements.txt")  # which the others include
    assert len(calls) == 1

    (root / "requirements.txt").write_text("# changed\n")
    install.main("requirements-dev.txt")
    assert len(calls) == 2


def test_an_interrupted_installation_starts_again(root, no_environment, monkeypatch):
    monkeypatch.setattr(install, "install", interrupt)
    with pytest.raises(KeyboardInterrupt):
        install.main("requirements.txt")
    calls: list[Path] = []
    monkeypatch.setattr(install, "install", calls.append)

    install.main("requirements.txt")

    assert len(calls) == 1


def interrupt(file):
    raise KeyboardInterrupt


def test_makes_an_environment_that_works(root):
    install.main("requirements.txt")

    done = subprocess.run([install.python(), "-m", "pip", "--version"], check=False)
    assert done.returncode == 0


def test_refuses_an_old_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))

    with pytest.raises(InstallError, match=r"3\.11 or newer, this is 3\.9"):
        install.check_python()


def test_refuses_a_full_disk(root, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 50_000_000))

    with pytest.raises(InstallError, match="50 MB are free"):
        install.main("requirements.txt")


def test_names_the_missing_network(root, monkeypatch):
    monkeypatch.setattr(install, "python", lambda: Path(sys.executable))
    # Port 9 of this machine is the nearest place where no package index answers.
    (root / "requirements.txt").write_text(
        "--index-url http://127.0.0.1:9/simple\nno-such-package==1.0\n"
    )

    with pytest.raises(InstallError, match="Is the network up"):
        install.install(root / "requirements.txt")


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("ERROR: Could not install\nOSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: x\nERROR: No matching distribution found for a==1\n\n", "No matching"),
        ("", "no reason given"),
    ],
)
def test_explains_a_failure_in_one_line(output, line):
    said = install.explain(output)

    assert line in said
    assert "\n" not in said


def test_says_which_package_brings_virtual_environments(root, monkeypatch):
    def fail(command, **options):
        return subprocess.CompletedProcess(command, 1, "", "No module named ensurepip")

    monkeypatch.setattr(subprocess, "run", fail)

    with pytest.raises(InstallError, match="apt install python3"):
        install.make_environment()


def test_runs_as_a_script_and_ends_with_one_line(root):
    script = root / "kalas" / "install.py"
    script.parent.mkdir()
    shutil.copy(install.__file__, script)

    done = subprocess.run(
        [sys.executable, script, "no-such-file.txt"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
