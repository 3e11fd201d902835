from collections.abc import Iterator

import pytest

from annotations.tests.conftest import fake_engine, media, member, page, run_jobs, tenant
from integrations.tests.factories import Receiver, make_endpoint, run_receiver

__all__ = ["fake_engine", "media", "member", "page", "run_jobs", "tenant"]


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    """On this machine, which the operator has allowed."""
    with run_receiver() as running:
        settings.OUTBOUND_NETWORKS = ["127.0.0.1/32"]
        settings.OUTBOUND_PORTS = [80, 443, running.port]
        yield running


@pytest.fixture
def endpoint(member, receiver):
    return make_endpoint(by=member, url=receiver.url)[0]
