"""Whether write-backs end as intended in a store that fails in every way, and leave edits alone.

    .venv/bin/python -m benchmarks.store_writes [--writes 10000] [--fault-share 0.2] [--json OUT]

Runs the writer itself against the simulated store, without processes: a share of all requests
times out after the store has taken it, times out before, answers 429, 500 or a page of HTML, or
breaks the connection; and after each fault a person edits the product. In the end each product
must carry what was wanted, without a word that somebody wrote lost, and what Kalas wrote must not
have made it write again.
"""

import argparse
import json
import os
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kalas.settings")
django.setup()

from django.conf import settings  # noqa: E402

from integrations.stores import changes  # noqa: E402
from integrations.stores.changes import Wanted, Words, Written  # noqa: E402
from integrations.stores.contract import Change, RemoteProduct  # noqa: E402
from integrations.stores.failures import StoreFailed  # noqa: E402
from integrations.woocommerce import simulator  # noqa: E402
from integrations.woocommerce.connection import Connection  # noqa: E402
from integrations.woocommerce.products import read_product  # noqa: E402
from integrations.woocommerce.simulator import FAULTS, Simulator  # noqa: E402

TAGS = ("Dress", "Striped", "Navy blue", "Casual", "Summer", "Long sleeves")
MOST_TRIES = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--writes", type=int, default=10_000)
    parser.add_argument("--fault-share", type=float, default=0.2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(writes=options.writes, fault_share=options.fault_share)
    for name, value in figures.items():
        print(f"{name:<54} {value:>9.0f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def measure(*, writes: int, fault_share: float) -> dict[str, float]:
    random.seed(7)
    store = Simulator()
    with simulator.run(store):
        settings.OUTBOUND_NETWORKS = ["127.0.0.1/32"]
        settings.OUTBOUND_PORTS = [int(store.url.rpartition(":")[2])]
        key = store.make_key()
        terms = MemoryTerms()
        connection = Connection(
            url=store.url, credentials={"key": key.key, "secret": key.secret}, terms=terms
        )
        merchant = Merchant(store)
        store.choose_fault = lambda _request: (
            random.choice(FAULTS) if random.random() < fault_share else ""
        )
        store.after_fault = lambda _fault: merchant.edit()
        started = time.perf_counter()
        tries = wrong = lost = echoes = 0
        for number in range(writes):
            product = store.add_product(f"Product {number}")
            merchant.begin(product)
            wanted = pick_wanted(number)
            tries += write(connection, str(product), wanted, marker=f"w{number}")
            wrong += not is_as_intended(store, product, wanted, merchant)
            lost += not merchant.is_untouched(product)
            echoes += has_more_to_write(store, product, wanted)
            del store.products[product]
        names = [row["name"].casefold() for row in store.terms["tags"].values()]
        return {
            "writes": writes,
            "tries": tries,
            "merchant edits in between": merchant.edits,
            "final states not as intended (must be 0)": wrong,
            "merchant edits overwritten (must be 0)": lost,
            "echo loops: products written again (must be 0)": echoes,
            "tags that exist twice (must be 0)": len(names) - len(set(names)),
            "seconds": time.perf_counter() - started,
        }


class MemoryTerms:
    def __init__(self) -> None:
        self.ids: dict[tuple[str, str, str], str] = {}

    def find(self, kind: str, name: str, *, parent: str = "") -> str:
        return self.ids.get((kind, parent, changes.fold(name)), "")

    def keep(self, kind: str, name: str, remote_id: str, *, parent: str = "") -> None:
        self.ids[kind, parent, changes.fold(name)] = remote_id

    def forget(self, kind: str, names: Iterable[str], *, parent: str = "") -> None:
        for name in names:
            self.ids.pop((kind, parent, changes.fold(name)), None)


class Merchant:
    """Adds a tag of their own, and now and then takes one of ours away."""

    def __init__(self, store: Simulator) -> None:
        self.store, self.edits, self.product = store, 0, 0
        self.own: list[str] = []
        self.taken_away: set[str] = set()

    def begin(self, product: int) -> None:
        self.product, self.own, self.taken_away = product, [], set()

    def edit(self) -> None:
        names = self.store.names_of(self.product, "tags")
        self.edits += 1
        self.own.append(f"Own {len(self.own)}")
        ours = [name for name in names if name in TAGS]
        if ours and random.random() < 0.3:
            self.taken_away.add(ours[0])
            names = [name for name in names if name != ours[0]]
        self.store.edit(self.product, tags=[*names, self.own[-1]])

    def is_untouched(self, product: int) -> bool:
        names = set(self.store.names_of(product, "tags"))
        return set(self.own) <= names and not (self.taken_away & names)


def pick_wanted(number: int) -> Wanted:
    tags = random.sample(TAGS, 3)
    return Wanted(
        tags={tag: f"value:x:{tag}" for tag in tags},
        attributes=(Words("pattern", "Pattern", (tags[0],), ()),),
    )


def write(connection: Connection, product: str, wanted: Wanted, *, marker: str) -> int:
    """As `stores.writing` does, with its memory in variables; return how many tries it took."""
    memory: dict[str, Any] = {"before": None, "change": Change()}
    for number in range(1, MOST_TRIES):
        attempt = {"wrote": False}

        def was_taken(remote: RemoteProduct) -> bool:
            return memory["before"] is not None and remote.marker == marker

        def plan(remote: RemoteProduct, attempt: dict[str, bool] = attempt) -> Change:
            slots: list[str] = []
            if was_taken(remote) and not attempt["wrote"]:
                written = changes.note_written(Written(), change=memory["change"], wanted=wanted)
                slots = [edit.slot for edit in changes.find_edits(remote, written)]
            return changes.plan_change(remote, wanted, written=Written(), taken_over=slots)

        def before_write(
            before: RemoteProduct, change: Change, attempt: dict[str, bool] = attempt
        ) -> None:
            attempt["wrote"] = True
            if was_taken(before):
                memory["change"] = changes.unite(memory["change"], change)
            else:
                memory["before"], memory["change"] = before, change

        try:
            connection.apply(
                product, plan, marker=marker, create_categories=False, before_write=before_write
            )
        except StoreFailed as error:
            if not error.is_passing:
                raise
        else:
            return number
    raise RuntimeError(f"not written in {MOST_TRIES} tries")


def is_as_intended(store: Simulator, product: int, wanted: Wanted, merchant: Merchant) -> bool:
    names = set(store.names_of(product, "tags"))
    missing = set(wanted.tags) - names - merchant.taken_away
    return not missing and bool(store.attributes_of(product).get("Pattern"))


def has_more_to_write(store: Simulator, product: int, wanted: Wanted) -> bool:
    """Whether the update that our own write told of would lead to another."""
    remote = read_product(store.show(store.products[product]))
    written = Written(tags=wanted.tags, attributes={each.key: each for each in wanted.attributes})
    slots = [edit.slot for edit in changes.find_edits(remote, written)]
    return bool(changes.plan_change(remote, wanted, written=written, taken_over=slots))


if __name__ == "__main__":
    main()
