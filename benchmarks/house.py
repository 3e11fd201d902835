"""How long the house takes to start, and a photo from the file picker to its result on the page.

    .venv/bin/python -m benchmarks.house [--photos 60] [--json OUT]

Starts a house of its own twice in an empty data folder (packages are installed already), uploads
photos of the demo set one after the other in Chromium, then all at once. A result is on the page
when its card shows a box; the clock runs in the page, from the file's choice to that moment.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.chromium import run_chromium
from tests.running_house import DEMO_EMAIL, House, make_data_folder, run_house

DEMO_PHOTOS = Path(__file__).resolve().parent.parent / "annotations" / "demo_photos"
# Notes when each card was first there in its final state.
WATCH = """
() => {
  window.finished = new Map();
  const look = () => {
    for (const card of document.querySelectorAll('#results article:not([data-pending])')) {
      const id = card.dataset.live;
      if (!window.finished.has(id)) window.finished.set(id, performance.now());
    }
  };
  const everything = {childList: true, subtree: true, attributes: true};
  new MutationObserver(look).observe(document.body, everything);
  look();
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(photos=options.photos)
    for name, value in figures.items():
        print(f"{name:<42} {value:>9.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def measure(*, photos: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    var = make_data_folder()
    started = time.perf_counter()
    with run_house(demo=True, var=var) as house:
        figures["first start to ready, s"] = time.perf_counter() - started
        house.wait_until(lambda: has_none_waiting(house), timeout_s=600, what="the demo is done")
        figures["first start to all demo photos done, s"] = time.perf_counter() - started
    started = time.perf_counter()
    with run_house(demo=True, var=var) as house:
        figures["second start to ready, s"] = time.perf_counter() - started
        figures |= measure_pages(house, photos=photos)
    return figures


def measure_pages(house: House, *, photos: int) -> dict[str, float]:
    # The demo shop has these photos already, so that they would not be annotated again.
    files = sorted(DEMO_PHOTOS.glob("*.jpg"))[:photos]
    with run_chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{house.url}/accounts/login/")
        page.locator("input[name=login]").fill(DEMO_EMAIL)
        page.locator("input[type=password]").fill(house.demo_password())
        page.locator("input[type=password]").press("Enter")
        page.wait_for_url("**/dashboard/")
        remove_demo_photos(house, page)
        page.goto(f"{house.url}/annotate/")
        page.evaluate(WATCH)
        singly = [upload(page, [file]) for file in files]
        page.goto(f"{house.url}/annotate/")
        remove_all_photos(house)
        page.goto(f"{house.url}/annotate/")
        page.evaluate(WATCH)
        together = upload(page, files)
    return {
        "photo chosen to result on the page, p50 ms": statistics.median(singly),
        "photo chosen to result on the page, p99 ms": statistics.quantiles(singly, n=100)[98],
        f"{len(files)} photos at once, photos/s": len(files) / together * 1000,
    }


def upload(page: Page, files: list[Path]) -> float:
    """Milliseconds from the choice of the files to the last result, on the page's clock."""
    before = page.evaluate("window.finished.size")
    started: Any = page.evaluate("performance.now()")
    page.locator("input[type=file]").first.set_input_files(files)
    page.wait_for_function(
        "count => window.finished.size >= count", arg=before + len(files), timeout=300_000
    )
    return float(page.evaluate("Math.max(...window.finished.values())") - started)


def has_none_waiting(house: House) -> bool:
    return house.count("SELECT count(*) FROM annotations_annotation WHERE state = 'pending'") == 0


def remove_demo_photos(house: House, page: Page) -> None:
    token = page.context.cookies()
    csrf = next(cookie["value"] for cookie in token if cookie["name"] == "csrftoken")
    page.request.post(
        f"{house.url}/dashboard/remove-demo/",
        headers={"X-CSRFToken": csrf, "Referer": house.url},
    )


def remove_all_photos(house: House) -> None:
    """Empty the shop, so that the same photos can be uploaded once more."""
    house.query("DELETE FROM annotations_colour RETURNING 1")
    house.query("DELETE FROM annotations_label RETURNING 1")
    house.query("DELETE FROM annotations_garment RETURNING 1")
    house.query("DELETE FROM annotations_annotation RETURNING 1")
    house.query("DELETE FROM annotations_fashionimage RETURNING 1")


if __name__ == "__main__":
    main()
