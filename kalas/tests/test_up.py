"""`manage.py up` without the engine, whose own tests are the slow ones."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil
import pytest
from django.conf import settings
from django.core.management.base import CommandError

from kalas.lib import embedded_postgres
from kalas.management.commands import up

pytestmark = pytest.mark.faults
WAIT_S = 120


class Up:
    def __init__(self, var, port):
        self.var = var
        self.port = port
        self.log = (var / "up.log").open("w+")
        self.process = subprocess.Popen(
            command(port),
            env=environment(var),
            cwd=settings.BASE_DIR,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def wait_for(self, condition):
        deadline = time.monotonic() + WAIT_S
        while not (found := condition()):
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.1)
        return found

    def output(self):
        return (self.var / "up.log").read_text()

    def parts(self):
        """Database and jobs as the web process sees them; None while that doesn't answer."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/readyz", trust_env=False).json()
        except (httpx.HTTPError, ValueError):
            return None
        return answer["database"], answer["jobs"]

    def is_whole(self):
        return self.parts() == ("ok", "ok")

    def child(self, part):
        for child in psutil.Process(self.process.pid).children(recursive=True):
            if part in " ".join(child.cmdline()):
                return child
        raise LookupError(part)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        self.log.close()


def command(port):
    return [sys.executable, "manage.py", "up", "--port", str(port)]


def environment(var):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KALAS_")}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "kalas.settings",
        "KALAS_VAR": str(var),
        "INFERENCE_URL": f"unix:{var / 'nobody.sock'}",
        "LOAD_DEMO": "False",
    }


def run_up(var, port, **extra):
    return subprocess.run(
        command(port),
        env={**environment(var), **extra},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def var():
    with tempfile.TemporaryDirectory(prefix="kalas-test-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)
        embedded_postgres.stop(Path(name) / "postgres")


@pytest.fixture
def house(var):
    house = Up(var, free_port())
    house.wait_for(lambda: "Ctrl-C" in house.output())
    yield house
    house.close()


def test_mends_itself_refuses_a_second_start_and_leaves_nothing_running(house, var):
    assert house.is_whole()
    assert listens_on_this_machine_only(house)

    second = run_up(var, free_port())
    assert second.returncode == 1
    assert f"already running here: http://localhost:{house.port}/" in second.stderr
    assert second.stderr.strip().count("\n") == 0

    for part in ("postgres", "run_jobs", "daphne"):
        killed = house.child(part)
        killed.kill()
        house.wait_for(lambda killed=killed: not killed.is_running() and house.is_whole())

    children = psutil.Process(house.process.pid).children(recursive=True)
    house.process.send_signal(signal.SIGTERM)
    assert house.process.wait(60) == 0
    assert not [child for child in children if child.is_running()]
    assert "everything is kept" in house.output().splitlines()[-1]


def listens_on_this_machine_only(house):
    children = psutil.Process(house.process.pid).children(recursive=True)
    addresses = {
        connection.laddr.ip
        for child in children
        for connection in child.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    return addresses == {"127.0.0.1"}


def test_names_a_taken_port(var):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = run_up(var, port)

    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr
    assert done.stderr.strip().count("\n") == 0


@pytest.mark.parametrize("port", ["0", "65536", "web", "-1", ""])
def test_refuses_what_is_no_port(port):
    with pytest.raises(CommandError, match="is no port"):
        up._parse_port(port)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a tiny disk")
def test_names_a_full_disk(var):
    disk = var / "disk"
    disk.mkdir(mode=0o711)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=711", "tmpfs", disk],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        done = run_up(disk, free_port())
    finally:
        subprocess.run(["umount", disk], check=True)

    assert done.returncode == 1
    assert "The disk is full: 8 MB are free" in done.stderr
    assert done.stderr.strip().count("\n") == 0
