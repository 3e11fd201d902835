"""Whether waiting photos move, and in words why they don't."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings
from django.core.cache import caches
from django.utils.translation import gettext as _
from procrastinate.contrib.django.models import ProcrastinateWorker

from inference import client
from inference.contract import EngineHealth, ModelName, OtherModel
from kalas.lib.shared_connections.base import lend_connection

# A page with many waiting cards, or many pages at once, ask the engine only so often.
REMEMBER_S = 2
HEALTH_TIMEOUT_S = 1.0
WORKER_SILENCE = timedelta(seconds=15)
_KEY = "annotations.engine_health"

State = Literal["ready", "starting", "draining", "away", "no-jobs"]


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What stands between a waiting photo and its result; `health` is None for an engine away."""

    health: EngineHealth | None
    jobs_running: bool

    @property
    def state(self) -> State:
        if not self.jobs_running:
            return "no-jobs"
        return self.health.state if self.health else "away"

    @property
    def is_working(self) -> bool:
        return self.state == "ready"

    @property
    def words(self) -> str:
        """What is going on, for a person who waits."""
        return {
            "ready": _("The engine is working."),
            "starting": _("The engine is loading its model."),
            "draining": _("The engine is restarting."),
            "away": _(
                "The engine does not answer. The photos are kept and annotated as soon as it is"
                " back."
            ),
            "no-jobs": _(
                "No jobs process is running. The photos are kept and annotated as soon as one is."
            ),
        }[self.state]


def read_status(*, now: datetime) -> EngineStatus:
    """One query, and at most one question to the engine in two seconds."""
    workers = ProcrastinateWorker.objects.filter(last_heartbeat__gt=now - WORKER_SILENCE)
    return EngineStatus(health=_read_health(), jobs_running=workers.exists())


def read_model(*, family: str = "") -> ModelName | None:
    """Which one annotates at present for shops of this family; None while the engine is away, or
    has no such family any more. Asks as `read_status` does."""
    health = _read_health()
    if health is None or not family:
        return health.model if health else None
    found = [other for other in health.others if other.choice == family]
    return ModelName(found[0].name, found[0].version, "kalas-1") if found else None


def find_others(kind: str) -> list[OtherModel]:
    """What the engine answers by when it is asked for; none while it is away."""
    health = _read_health()
    return [other for other in health.others if other.kind == kind] if health else []


def _read_health() -> EngineHealth | None:
    cache = caches["local"]
    health: EngineHealth | Literal["unknown"] | None = cache.get(_KEY, "unknown")
    if health == "unknown":
        health = _ask_health()
        cache.set(_KEY, health, REMEMBER_S)
    return health


def _ask_health() -> EngineHealth | None:
    lend_connection()
    try:
        return client.Client(settings.INFERENCE_URL).health(timeout=HEALTH_TIMEOUT_S)
    except (client.Unavailable, client.Overloaded):
        return None
