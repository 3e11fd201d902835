import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.cache import caches
from django.core.files.storage import default_storage
from django.db import connections
from django.db.models import Q
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.tests.factories import make_member
from annotations.tests.factories import make_result

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    """An own empty storage for each test, and no engine unless it asks for one."""
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "media")},
        },
    }
    settings.INFERENCE_URL = NOBODY
    caches["local"].clear()
    return tmp_path / "media"


@pytest.fixture
def member(db):
    return make_member()


@pytest.fixture
def tenant(member):
    return member.tenant


@pytest.fixture
def page(client, member):
    """The test client of somebody who is logged in."""
    client.force_login(member.user)
    # The session is noted as active once a minute, which tests that count queries don't mean.
    client.get("/shops/profile/")
    return client


@pytest.fixture
def stored_files() -> Callable[[], list[str]]:
    return lambda: sorted(_walk(""))


def _walk(folder: str) -> Iterator[str]:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (f"{folder}/{name}" for name in files)
    for inner in folders:
        yield from _walk(f"{folder}/{inner}" if folder else inner)


Answer = tuple[int, object, dict[str, str]]


class FakeEngine(ThreadingHTTPServer):
    """The engine's HTTP contract, with an answer that a test chooses: (status, JSON, headers)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[str] = []
        self.answer: Answer | Callable[[bytes], Answer] = (200, make_result().to_json(), {})
        """Or what makes it of the request's body."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeEngine

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(self.path)
        answer = self.server.answer
        status, body, headers = answer(asked) if callable(answer) else answer
        if status == 0:  # the engine dies while it has the photo
            self.close_connection = True
            return
        payload = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(payload)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def fake_engine(settings) -> Iterator[FakeEngine]:
    engine = FakeEngine()
    threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.01}).start()
    settings.INFERENCE_URL = engine.url
    yield engine
    engine.shutdown()
    engine.server_close()


@pytest.fixture
def run_jobs(monkeypatch) -> Callable[..., None]:
    """What the jobs process does, until its queue is empty."""
    # Else each of the worker's threads keeps a connection beyond the test.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)

    def run(**options: int) -> None:
        asyncio.run(_run_jobs(**options))
        # A worker that does not wait leaves what waits for the lock of its last job.
        while _is_anything_due():
            asyncio.run(_run_jobs(**options))

    return run


def _is_anything_due() -> bool:
    jobs = ProcrastinateJob.objects.all()
    is_due = Q(scheduled_at=None) | Q(scheduled_at__lte=timezone.now())
    return jobs.filter(is_due, status="todo").exists() and not jobs.filter(status="doing").exists()


async def _run_jobs(concurrency: int = 4) -> None:
    jobs_app = app.with_connector(app.connector.get_worker_connector())  # type: ignore[attr-defined]
    async with jobs_app.open_async():
        await jobs_app.run_worker_async(
            wait=False,
            concurrency=concurrency,
            delete_jobs="successful",
            install_signal_handlers=False,
        )
