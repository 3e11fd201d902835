"""Whether this process lives, and whether the house it belongs to can do its work."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from inference import client, contract
from kalas import tasks

TIMEOUT_S = 2


class HealthMiddleware:
    """Answers before sessions are read: a browser's cookie must not need the database here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        match request.path_info:
            case "/healthz":
                return answer_alive(request)
            case "/readyz":
                return answer_ready(request)
            case _:
                return self.get_response(request)


class NotReady(Exception):
    """A part of the house doesn't do its work; the message says which and why."""


@require_safe
@never_cache
def answer_alive(request: HttpRequest) -> HttpResponse:
    return HttpResponse("alive\n", content_type="text/plain")


@require_safe
@never_cache
def answer_ready(request: HttpRequest) -> HttpResponse:
    parts = check_parts(now=datetime.now(UTC))
    is_ready = all(state == "ok" for state in parts.values())
    return JsonResponse({"ready": is_ready, **parts}, status=200 if is_ready else 503)


def check_parts(*, now: datetime) -> Mapping[str, str]:
    """Return "ok" or what is wrong for each part; takes a few seconds at most."""
    return {
        "database": _describe(check_database),
        "engine": _describe(check_engine),
        "jobs": _describe(lambda: check_jobs(now=now)),
    }


def check_database() -> None:
    """Raises NotReady."""
    with _connect() as connection:
        connection.execute("SELECT 1 FROM django_migrations LIMIT 1")
        # The second wall between shops: superusers and roles with BYPASSRLS walk through it.
        bound = connection.execute(
            "SELECT bool_and(row_security_active(oid)) FROM pg_class WHERE relrowsecurity"
        ).fetchone()
    if not (bound and bound[0]):
        raise NotReady("row-level security does not bind the application's role")


def check_engine() -> contract.EngineHealth:
    """Raises NotReady."""
    try:
        health = client.Client(settings.INFERENCE_URL).health(timeout=TIMEOUT_S)
    except (client.Unavailable, client.Overloaded) as error:
        raise NotReady("does not answer") from error
    if health.state != "ready":
        raise NotReady(f"is {health.state}")
    return health


def check_jobs(*, now: datetime) -> None:
    """Raises NotReady when no worker has sent a sign of life lately."""
    with _connect() as connection:
        row = connection.execute("SELECT max(last_heartbeat) FROM procrastinate_workers").fetchone()
    last: datetime | None = row[0] if row else None
    if last is None or now - last > timedelta(seconds=tasks.STALLED_AFTER_S):
        raise NotReady("no worker is running")


def _describe(check: Callable[[], object]) -> str:
    try:
        check()
    except NotReady as error:
        return str(error)
    except psycopg.Error:
        return "the database does not answer"
    return "ok"


def _connect() -> "psycopg.Connection[Any]":
    # Not Django's connection: that one waits as long as the kernel does.
    parameters = connections["default"].get_connection_params()
    for name in ("cursor_factory", "context"):
        parameters.pop(name, None)
    return psycopg.connect(
        **{
            **parameters,
            "connect_timeout": TIMEOUT_S,
            "options": f"-c statement_timeout={TIMEOUT_S}s",
            "autocommit": True,
        }
    )
