from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.chromium import run_chromium
from tests.elements.pages import ORIGIN, serve_static


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.route(f"{ORIGIN}/static/**", serve_static)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Policy" in said.text else None)
    yield page
    page.close()
    assert complaints == []
