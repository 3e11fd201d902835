from collections.abc import Iterator

import pytest

from annotations.tests.conftest import fake_engine, media, member, page, run_jobs, tenant
from integrations.stores.tests.factories import connect
from integrations.woocommerce import simulator
from integrations.woocommerce.simulator import Simulator

__all__ = ["fake_engine", "media", "member", "page", "run_jobs", "tenant"]


@pytest.fixture
def shop(settings) -> Iterator[Simulator]:
    """A WooCommerce store on this machine, which the operator has allowed; it reaches nobody."""
    store = Simulator()
    store.send = lambda *_args, **_options: 200
    with simulator.run(store):
        settings.OUTBOUND_NETWORKS = ["127.0.0.1/32"]
        settings.OUTBOUND_PORTS = [80, 443, int(store.url.rpartition(":")[2])]
        yield store


@pytest.fixture
def store(shop, member):
    """Connected, without webhooks."""
    return connect(shop, by=member)
