"""The house under kill -9 while a store speaks to it; benchmarks/store_faults.py is longer."""

import pytest

from benchmarks import store_faults

pytestmark = pytest.mark.faults


@pytest.mark.timeout(600)
def test_nothing_that_was_accepted_is_lost_and_nothing_is_done_twice():
    figures = store_faults.measure(
        deliveries=300, products=15, kill_every_s=3, kill_postgres_every_s=10
    )

    assert {name: n for name, n in figures.items() if "must be 0" in name and n} == {}
    assert sum(n for name, n in figures.items() if name.startswith("kills of")) >= 2
