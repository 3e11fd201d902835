"""How many photos a minute the review page takes by keyboard, and how long each waits for the next.

    .venv/bin/python -m benchmarks.review [--photos 100] [--think-ms 0] [--json OUT]

Starts a house of its own, puts all photos of the demo shop into the queue and answers them in
Chromium as a person would: two of three are accepted with one key, each third gets another
category with two keys and is saved with the third. The clock runs in the page, from the key that
ends one photo to the moment when the next one is drawn; `--think-ms` is added before each answer.
Ends with what the server has: every photo reviewed once, as it was answered.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.house import has_none_waiting
from tests.chromium import run_chromium
from tests.running_house import DEMO_EMAIL, House, make_data_folder, run_house

# Resolves when another item than `before` is shown and its photo is drawn.
NEXT = """
async (before) => {
  const started = performance.now();
  const review = document.querySelector('kalas-review');
  const photo = review.querySelector('[data-photo]');
  const done = () => review.querySelector('[data-work]').hidden
    ? !review.querySelector('[data-empty]').hidden
    : review.dataset.item !== before && photo.complete && photo.naturalWidth > 0;
  while (!done()) await new Promise(requestAnimationFrame);
  return performance.now() - started;
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--think-ms", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(photos=options.photos, think_ms=options.think_ms)
    for name, value in figures.items():
        print(f"{name:<48} {value:>9.1f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def measure(*, photos: int, think_ms: int) -> dict[str, float]:
    with run_house(demo=True, var=make_data_folder()) as house:
        house.wait_until(lambda: has_none_waiting(house), timeout_s=900, what="the demo is done")
        house.query(
            "UPDATE annotations_annotation SET needs_review = true, least_confidence = 0.5"
            " WHERE state = 'done' RETURNING 1"
        )
        waiting = house.count("SELECT count(*) FROM annotations_annotation WHERE needs_review")
        photos = min(photos, waiting)
        with run_chromium() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            log_in(house, page)
            page.goto(f"{house.url}/review/")
            page.wait_for_selector("[data-work]:not([hidden])")
            page.wait_for_timeout(1000)
            started = time.perf_counter()
            waits = [answer(page, number, think_ms=think_ms) for number in range(photos)]
            took = time.perf_counter() - started
            page.wait_for_function("() => document.querySelector('kalas-review').outbox.size === 0")
            sent = time.perf_counter() - started
        reviewed = house.count("SELECT count(*) FROM annotations_review")
        changed = house.count("SELECT count(*) FROM annotations_review WHERE changes <> '[]'")
    assert reviewed == photos, f"{reviewed} of {photos} arrived"
    return {
        "photos": photos,
        "photos a minute": photos / took * 60,
        "photos a minute, all saved": photos / sent * 60,
        "key to next photo drawn, p50 ms": statistics.median(waits),
        "key to next photo drawn, p99 ms": statistics.quantiles(waits, n=100)[98],
        "changed by two keys": changed,
    }


def answer(page: Page, number: int, *, think_ms: int) -> float:
    """Milliseconds from the last key to the next photo."""
    before = page.get_attribute("kalas-review", "data-item")
    page.wait_for_timeout(think_ms)
    if number % 3 == 2:
        page.keyboard.press("1")
        page.keyboard.press("2")
    page.keyboard.press("Enter")
    return float(page.evaluate(NEXT, before))


def log_in(house: House, page: Page) -> None:
    page.goto(f"{house.url}/accounts/login/")
    page.locator("input[name=login]").fill(DEMO_EMAIL)
    page.locator("input[type=password]").fill(house.demo_password())
    page.locator("input[type=password]").press("Enter")
    page.wait_for_url("**/dashboard/")


if __name__ == "__main__":
    main()
