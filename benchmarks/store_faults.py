"""Whether anything is lost or done twice when processes die while a store speaks.

    .venv/bin/python -m benchmarks.store_faults [--deliveries 10000] [--products 500]
        [--kill-every 5] [--kill-postgres-every 60] [--json OUT]

Sends signed deliveries to a house of its own: 20 % of them again, 10 % out of order, 5 % with a
wrong signature, while web, jobs or engine are killed with -9 in turn every few seconds and
PostgreSQL now and then. The sender does what a store can't: it sends again what got no answer, so
that "accepted" is known exactly. In the end every accepted delivery must have its row, every
product must carry its words once, and no wrong signature may have left a row.
"""

import argparse
import base64
import hashlib
import hmac
import itertools
import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from benchmarks.stores import DEMO_PHOTOS, connect_store, run_store_house
from integrations.woocommerce.simulator import Simulator
from tests.running_house import House

SENDERS = 8
VICTIMS = ("daphne", "run_jobs", "run_inference")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--products", type=int, default=500)
    parser.add_argument("--kill-every", type=float, default=5)
    parser.add_argument("--kill-postgres-every", type=float, default=60)
    parser.add_argument(
        "--rate", type=float, default=0, help="deliveries a second; 0: as fast as 8 senders can"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(
        deliveries=options.deliveries,
        products=options.products,
        kill_every_s=options.kill_every,
        kill_postgres_every_s=options.kill_postgres_every,
        rate=options.rate,
    )
    for name, value in figures.items():
        print(f"{name:<54} {value:>9.0f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def measure(
    *,
    deliveries: int,
    products: int,
    kill_every_s: float,
    kill_postgres_every_s: float,
    rate: float = 0,
) -> dict[str, float]:
    random.seed(7)
    with run_store_house() as (house, store):
        connect_store(house, store, mode="now", threshold=0.0)
        # The script itself sends what the store would tell.
        hook, secret = _take_over(store)
        numbers = _fill(store, products)
        stop = threading.Event()
        kills: dict[str, int] = {}
        killer = threading.Thread(
            target=_kill, args=(house, stop, kills, kill_every_s, kill_postgres_every_s)
        )
        sender = _Sender(hook=hook, secret=secret, numbers=numbers)
        messages = _make_messages(numbers, deliveries)
        started = time.perf_counter()
        killer.start()
        with ThreadPoolExecutor(SENDERS) as pool:
            sent = []
            for number, message in enumerate(messages):
                if rate:
                    time.sleep(max(0.0, started + number / rate - time.perf_counter()))
                sent.append(pool.submit(sender.send, message))
            for each in sent:
                each.result()
        sent_s = time.perf_counter() - started
        sender.client.close()
        stop.set()
        killer.join()
        house.wait_until(lambda: _is_done(house), timeout_s=1200, what="all products are written")
        return {
            "deliveries sent": len(messages),
            "of them with a wrong signature": sum(not is_right for *_, is_right in messages),
            **_judge(house, store, sender, numbers),
            **{f"kills of {name}": number for name, number in kills.items()},
            "seconds of sending": sent_s,
        }


def _take_over(store: Simulator) -> tuple[str, str]:
    """Address and secret of the webhooks, which are silent from now on."""
    webhook = next(iter(store.webhooks.values()))
    store.is_silent = True
    return webhook.delivery_url, webhook.secret


def _fill(store: Simulator, products: int) -> list[int]:
    files = itertools.cycle(sorted(DEMO_PHOTOS.glob("clothing-*.jpg")))
    return [
        store.add_product(f"Product {n}", next(files).read_bytes() + str(n).encode())
        for n in range(products)
    ]


def _make_messages(numbers: list[int], deliveries: int) -> list[tuple[int, int, bool]]:
    """Product, version and whether the signature is right; some twice, some out of order."""
    messages = [(numbers[n % len(numbers)], n, random.random() >= 0.05) for n in range(deliveries)]
    again = random.sample(messages, deliveries // 5)
    for message in again:
        messages.insert(random.randrange(len(messages)), message)
    for _ in range(deliveries // 10):
        i = random.randrange(len(messages) - 5)
        j = i + random.randrange(1, 5)
        messages[i], messages[j] = messages[j], messages[i]
    return messages


class _Sender:
    def __init__(self, *, hook: str, secret: str, numbers: list[int]) -> None:
        self.hook, self.secret = hook, secret
        self.accepted: set[str] = set()
        self.number_accepted = 0
        self.wrong: set[str] = set()
        self.wrong_refused = 0
        self.wrong_taken = 0
        self.slowest: list[float] = []
        self.lock = threading.Lock()
        self.client = httpx.Client(trust_env=False, timeout=30)

    def send(self, message: tuple[int, int, bool]) -> None:
        number, version, is_right = message
        body = json.dumps({"id": number, "version": version}).encode()
        secret = self.secret if is_right else "wrong"
        digest = hmac.digest(secret.encode(), body, hashlib.sha256)
        headers = {
            "Content-Type": "application/json",
            "X-WC-Webhook-Topic": "product.updated",
            "X-WC-Webhook-ID": "1",
            "X-WC-Webhook-Signature": base64.b64encode(digest).decode(),
        }
        while True:
            started = time.perf_counter()
            status = self._post(body, headers)
            with self.lock:
                self.slowest.append((time.perf_counter() - started) * 1000)
                if is_right and status == 200:
                    self.accepted.add(body.decode())
                    self.number_accepted += 1
                if not is_right:
                    self.wrong.add(body.decode())
                    self.wrong_refused += status == 401
                    self.wrong_taken += status == 200
            if status in (200, 401):
                return
            time.sleep(0.3)

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        try:
            return int(self.client.post(self.hook, content=body, headers=headers).status_code)
        except httpx.HTTPError:
            return 0


def _kill(
    house: House,
    stop: threading.Event,
    kills: dict[str, int],
    every_s: float,
    postgres_every_s: float,
) -> None:
    victims = itertools.cycle(VICTIMS)
    next_postgres = time.monotonic() + postgres_every_s
    while not stop.wait(every_s):
        victim = next(victims)
        if time.monotonic() >= next_postgres:
            victim, next_postgres = "postgres -D", time.monotonic() + postgres_every_s
        try:
            house.kill(victim)
        except LookupError:
            continue  # it has not come back yet
        kills[victim] = kills.get(victim, 0) + 1


def _is_done(house: House) -> bool:
    waiting = house.count(
        "SELECT count(*) FROM integrations_storeproduct WHERE read_due_at IS NOT NULL"
        " OR write_due_at IS NOT NULL OR state IN ('waiting', 'annotating')"
    )
    return waiting == 0


def _judge(house: House, store: Simulator, sender: _Sender, numbers: list[int]) -> dict[str, float]:
    bodies = {body for (body,) in house.query("SELECT body FROM integrations_storedelivery")}
    rows = house.count("SELECT count(*) FROM integrations_storedelivery")
    open_rows = house.count(
        "SELECT count(*) FROM integrations_storedelivery WHERE state NOT IN ('done', 'ignored')"
    )
    doubled = house.count(
        "SELECT count(*) FROM (SELECT store_product_id FROM integrations_writeback"
        " WHERE state = 'applied' GROUP BY 1 HAVING count(*) > 1) AS twice"
    )
    puts = [each for each in store.requests if each.startswith("PUT products/")]
    names = [row["name"].casefold() for row in store.terms["tags"].values()]
    slowest = sorted(sender.slowest)
    return {
        "accepted": sender.number_accepted,
        "of them different ones": len(sender.accepted),
        "accepted and lost: without a row (must be 0)": len(sender.accepted - bodies),
        "accepted and lost: not worked off (must be 0)": open_rows,
        "accepted and lost: products not written (must be 0)": sum(
            not store.products[n]["tags"] for n in numbers
        ),
        "duplicate effects: rows (must be 0)": rows - len(sender.accepted),
        "duplicate effects: products written twice (must be 0)": doubled,
        "duplicate effects: tags made twice (must be 0)": len(names) - len(set(names)),
        "wrong signatures answered 401": sender.wrong_refused,
        "wrong signatures that were taken (must be 0)": sender.wrong_taken,
        "wrong signatures with a row (must be 0)": len(sender.wrong & bodies),
        "writes to the store for its products": len(puts),
        "answer p50, ms": slowest[len(slowest) // 2],
        "answer p99, ms (kills included)": slowest[len(slowest) * 99 // 100],
    }


if __name__ == "__main__":
    main()
