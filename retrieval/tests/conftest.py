import pytest

from annotations.tests.conftest import (  # noqa: F401 - fixtures
    fake_engine,
    media,
    member,
    page,
    run_jobs,
    tenant,
)
from inference import client
from inference.contract import EngineHealth
from retrieval.tests.factories import NEWER


@pytest.fixture
def healthy(monkeypatch):
    """The engine says that it runs the newer model."""
    health = EngineHealth("ready", "cpu", NEWER, 0, 8, 0, 1.0)
    monkeypatch.setattr(client.Client, "health", lambda self, timeout=1.0: health)
