"""A house and a simulated store that know each other, for the benchmarks of stores."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from inference import taxonomy
from integrations.woocommerce import simulator
from integrations.woocommerce.simulator import Simulator
from tests.running_house import DEMO_EMAIL, House, find_free_port, log_in, run_house

DEMO_PHOTOS = Path(__file__).resolve().parent.parent / "annotations" / "demo_photos"


@contextmanager
def run_store_house() -> Iterator[tuple[House, Simulator]]:
    """An empty demo shop, and a store beside it that delivers by itself."""
    port = find_free_port()
    os.environ["OUTBOUND_NETWORKS"] = "127.0.0.1/32"
    os.environ["OUTBOUND_PORTS"] = f"80,443,{port}"
    with simulator.run(port=port, delivers=True) as store, run_house(demo=True) as house:
        yield house, store


def connect_store(house: House, store: Simulator, *, mode: str, threshold: float) -> uuid.UUID:
    """As a person does on the pages, who wants everything written that the model says."""
    key = store.make_key()
    with log_in(house, email=DEMO_EMAIL, password=house.demo_password()) as session:
        _post(session, "/integrations/woocommerce/new/", url=store.url)
        (store_id,) = house.query("SELECT id FROM integrations_store")[0]
        _post(session, f"/integrations/{store_id}/keys/", key=key.key, secret=key.secret)
    house.wait_until(
        lambda: house.count("SELECT count(*) FROM integrations_store WHERE state = 'active'") == 1,
        timeout_s=60,
        what="the store is connected",
    )
    house.query(
        "UPDATE integrations_store SET mode = %s, threshold = %s RETURNING 1", mode, threshold
    )
    # A person's say on each photo is not what is measured.
    house.query("UPDATE accounts_tenant SET review_threshold = 0 RETURNING 1")
    house.query(
        "INSERT INTO annotations_reviewthreshold (tenant_id, key, category, value)"
        " SELECT tenant.id, key, '', 0 FROM accounts_tenant AS tenant, unnest(%s::text[]) AS key"
        " RETURNING 1",
        [key for key, _values in taxonomy.load().attribute_order],
    )
    return uuid.UUID(str(store_id))


def _post(session: httpx.Client, path: str, **fields: str) -> None:
    answer = session.post(path, data=fields, headers={"Referer": str(session.base_url)})
    assert answer.status_code == 200, answer.text[:500]
