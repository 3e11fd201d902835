"""Shorter versions of the benchmarks of stores, which must hold in every run."""

from benchmarks import store_writes


def test_write_backs_end_as_intended_in_a_store_that_fails(settings):
    figures = store_writes.measure(writes=150, fault_share=0.3)

    assert {name: n for name, n in figures.items() if "must be 0" in name and n} == {}
    assert figures["tries"] > figures["writes"]
    assert figures["merchant edits in between"] > 0
