"""What the house on one machine consists of, and how it starts."""

import os
import signal
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial

import httpx
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from annotations import demo
from annotations.models import DemoShop
from kalas import health, static_build
from kalas.lib import embedded_postgres
from kalas.lib.supervisor import Program, Supervisor
from retrieval import demo as demo_products
from retrieval import demo_widget

HOST = "127.0.0.1"
NAME = "localhost"
"""What people and links say: browsers refuse passkeys on addresses that are numbers."""
READY_TIMEOUT_S = 180
# What a page sends over its socket is tiny; a larger message is somebody trying something.
SOCKET_MESSAGE_MAX_BYTES = 16 * 1024
# By default glibc keeps what photos took, in an arena of each thread: after 20 uploads of 24 MB at
# once the web process held 1.1 GB for good, and 150 MB with these.
# Pillow's blocks of 1 MB would go back to the kernel with each picture: it keeps up to 16 of them,
# or the kernel's empty pages take a third of the time that checking a photo takes.
LEAN_MEMORY = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(1024**2),
    "PILLOW_BLOCKS_MAX": "16",
}


def start(house: Supervisor, *, port: int) -> None:
    """Start everything and return when it is ready; raises NotReadyError."""
    # The engine takes longest, so it goes first; it needs nobody else.
    if "INFERENCE_URL" not in os.environ:
        house.start(_engine())
    if settings.EMBEDDED_POSTGRES:
        embedded_postgres.stop(settings.VAR / "postgres")  # one that a command left running
        house.start(_postgres())
        house.wait_until_ready("postgres", timeout_s=READY_TIMEOUT_S)
    call_command("setup_database")
    house.start(_jobs(port))
    static_build.build()
    house.start(_web(port))
    if settings.LOAD_DEMO:
        demo.load_demo(now=datetime.now(UTC))
        demo_products.add_demo_products(now=datetime.now(UTC))
        address = _tell_address(port)["PUBLIC_URL"]
        demo_widget.ensure_key(address=address, now=datetime.now(UTC))
    if settings.DEMO_STORE_PORT:
        house.start(_store(port))
    connections.close_all()
    house.wait_until_ready(timeout_s=READY_TIMEOUT_S)


def describe(*, port: int) -> Iterable[str]:
    """What a person wants to read when everything runs."""
    yield f"Kalas is at http://{NAME}:{port}/ (this machine only); Ctrl-C stops it."
    if DemoShop.objects.filter(removed_at=None).exists():
        yield f"Demo log-in: {demo.EMAIL}  password: {demo.read_password()}"
    if settings.DEMO_STORE_PORT:
        yield f"A simulated store, connected to it: http://{NAME}:{settings.DEMO_STORE_PORT}/"
    connections.close_all()


def _postgres() -> Program:
    folder = settings.VAR / "postgres"
    command = embedded_postgres.server_command(folder)
    return Program(
        name="postgres",
        arguments=command.arguments,
        user=command.user,
        cwd=command.cwd,
        prepare=partial(embedded_postgres.prepare, folder),
        is_ready=partial(embedded_postgres.is_ready, folder),
        stop_signal=signal.SIGINT,
        orphan_signal=signal.SIGINT,
        grace_s=30,
    )


def _engine() -> Program:
    return _python("engine", "manage.py", "run_inference", is_ready=_is_engine_ready)


def _jobs(port: int) -> Program:
    return _python(
        *("jobs", "manage.py", "run_jobs"),
        is_ready=_is_worker_ready,
        environment={**LEAN_MEMORY, **_tell_address(port)},
        grace_s=25,
    )


def _store(port: int) -> Program:
    return _python(
        *("store", "manage.py", "demo_store"),
        is_ready=partial(_answers_ok, f"http://{HOST}:{settings.DEMO_STORE_PORT}/"),
        environment=_tell_address(port),
    )


def _web(port: int) -> Program:
    return _python(
        "web",
        *("-m", "daphne", "--bind", HOST, "--port", str(port), "--verbosity", "0"),
        *("--websocket-max-message-size", str(SOCKET_MESSAGE_MAX_BYTES)),
        *("--websocket-max-frame-size", str(SOCKET_MESSAGE_MAX_BYTES)),
        *("--no-server-name", "kalas.asgi:application"),
        is_ready=partial(_answers_ok, f"http://{HOST}:{port}/healthz"),
        environment={
            **LEAN_MEMORY,
            **_tell_address(port),
            "DATABASE_POOL_SIZE": os.environ.get("DATABASE_POOL_SIZE", "20"),
        },
    )


def _tell_address(port: int) -> dict[str, str]:
    """Where links in mails lead, and where stores send."""
    return {"PUBLIC_URL": os.environ.get("PUBLIC_URL", f"http://{NAME}:{port}")}


def _python(
    name: str,
    *arguments: str,
    is_ready: Callable[[], bool],
    environment: dict[str, str] | None = None,
    grace_s: float = 15,
) -> Program:
    return Program(
        name=name,
        arguments=[sys.executable, *arguments],
        cwd=settings.BASE_DIR,
        environment={"PYTHONUNBUFFERED": "1", **(environment or {})},
        is_ready=is_ready,
        grace_s=grace_s,
    )


def _is_engine_ready() -> bool:
    try:
        health.check_engine()
    except health.NotReady:
        return False
    return True


def _is_worker_ready() -> bool:
    try:
        health.check_jobs(now=datetime.now(UTC))
    except (health.NotReady, psycopg.OperationalError):
        return False
    return True


def _answers_ok(address: str) -> bool:
    try:
        return httpx.get(address, timeout=10, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
