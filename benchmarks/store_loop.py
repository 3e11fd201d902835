"""How long a store's product takes from its webhook to the words written into it.

    .venv/bin/python -m benchmarks.store_loop [--products 40] [--json OUT]

Starts a house of its own with the simulated WooCommerce store; the clock runs in the store, from
the moment a product with one photo is added to the moment its tags are changed. The webhook leaves
the simulator within 20 ms, real stores need longer (WP-Cron).
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from benchmarks.stores import DEMO_PHOTOS, connect_store, run_store_house


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--products", type=int, default=40)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(products=options.products)
    for name, value in figures.items():
        print(f"{name:<42} {value:>9.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def measure(*, products: int) -> dict[str, float]:
    files = sorted(DEMO_PHOTOS.glob("clothing-*.jpg"))
    files = [files[n % len(files)] for n in range(products)]
    singly = []
    with run_store_house() as (house, store):
        connect_store(house, store, mode="now", threshold=0.0)
        for number, path in enumerate(files):
            # Bytes that the shop does not have yet, so that they are annotated.
            photo = path.read_bytes() + bytes([number])
            started = time.perf_counter()
            product = store.add_product(f"Product {number}", photo)
            house.wait_until(
                lambda product=product: store.products[product]["tags"],  # type: ignore[misc]
                timeout_s=60,
                what=f"product {number} is written",
            )
            singly.append((time.perf_counter() - started) * 1000)
    return {
        "webhook to product updated, p50 ms": statistics.median(singly),
        "webhook to product updated, p95 ms": statistics.quantiles(singly, n=20)[18],
    }


if __name__ == "__main__":
    main()
