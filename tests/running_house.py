"""The whole house as a person starts it (`manage.py up`), in a data folder of its own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from kalas.lib import embedded_postgres

ROOT = Path(__file__).resolve().parent.parent
START_S = 180
DEMO_EMAIL = "demo@kalas.example"


@dataclass
class House:
    url: str
    var: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def wait_until(self, holds: Callable[[], Any], *, timeout_s: float, what: str) -> None:
        """Poll a condition of other processes; fails with the house's last lines."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert self.process.poll() is None, f"the house ended: {self.last_lines()}"
            assert time.monotonic() < deadline, (
                f"not within {timeout_s} s: {what}\n{self.last_lines()}"
            )
            time.sleep(0.1)

    def last_lines(self) -> str:
        return "\n".join((self.var / "house.log").read_text().splitlines()[-40:])

    def has_started(self) -> bool:
        """Whether it says so: the pages answer earlier, while the demo shop is still filled."""
        return "ready after" in (self.var / "house.log").read_text()

    def is_ready(self) -> bool:
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False)
            return answer.status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def find(self, part: str) -> Any:
        """The process (psutil's) whose command line has `part`; raises LookupError."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if part in " ".join(child.cmdline()):
                    return child
            except psutil.NoSuchProcess:
                continue
        raise LookupError(part)

    def kill(self, part: str) -> int:
        """kill -9 of one process of the house; return its number."""
        process = self.find(part)
        process.send_signal(signal.SIGKILL)
        return int(process.pid)

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with embedded_postgres.connect(self.var / "postgres", database="kalas") as connection:
            return connection.execute(sql, parameters or None).fetchall()

    def count(self, sql: str, *parameters: object) -> int:
        """A single number, or -1 while the database is away."""
        try:
            return int(self.query(sql, *parameters)[0][0])
        except psycopg.OperationalError:
            return -1

    def demo_password(self) -> str:
        return str(json.loads((self.var / "secrets.json").read_text())["demo_password"])

    def newest_mail(self, *, to: str) -> str:
        """Raises LookupError."""
        for path in sorted((self.var / "mail").glob("*"), key=os.path.getmtime, reverse=True):
            text = path.read_text()
            if re.search(rf"^To: .*{re.escape(to)}", text, re.MULTILINE):
                return text
        raise LookupError(to)


def make_data_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="kalas-house-", dir="/tmp"))
    folder.chmod(0o711)  # the database's user passes through
    (folder / "mail").mkdir()
    return folder


@contextmanager
def run_house(*, demo: bool, var: Path | None = None) -> Iterator[House]:
    """Start a house and stop it afterwards, as Ctrl-C does; its folder goes unless it was given."""
    temporary = var is None
    var = var or make_data_folder()
    port = find_free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("KALAS_", "DJANGO_"))},
        "KALAS_VAR": str(var),
        "PORT": str(port),
        "EMAIL_URL": f"filemail:///{var / 'mail'}",
        "LOAD_DEMO": str(demo),
        "NO_COLOR": "1",
    }
    with (var / "house.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    house = House(url=f"http://127.0.0.1:{port}", var=var, process=process)
    try:
        house.wait_until(house.has_started, timeout_s=START_S, what="the house is ready")
        yield house
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if temporary:
            shutil.rmtree(var, ignore_errors=True)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def log_in(house: House, *, email: str, password: str) -> Iterator[httpx.Client]:
    """A browser's session without the browser."""
    with httpx.Client(
        base_url=house.url, timeout=60, trust_env=False, follow_redirects=True
    ) as session:
        session.get("/accounts/login/")
        answer = session.post(
            "/accounts/login/",
            data={
                "login": email,
                "password": password,
                "csrfmiddlewaretoken": session.cookies["csrftoken"],
            },
            headers={"Referer": f"{house.url}/accounts/login/"},
        )
        assert "sessionid" in session.cookies, answer.text[:500]
        session.headers["X-CSRFToken"] = session.cookies["csrftoken"]
        yield session
