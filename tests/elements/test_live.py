"""What changes while a page is open."""

import json
from typing import Any

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Page, Route, expect

from tests.elements.pages import ORIGIN, show

pytestmark = pytest.mark.e2e


@pytest.fixture
def sockets(page: Page) -> list[Any]:
    """The page's connections to /ws/live/, which the tests answer and close; 2 parts and a feed."""
    sockets: list[Any] = []
    # Playwright sets a mark on its handlers, which a built-in method cannot take.
    page.route_web_socket("**/ws/live/", lambda socket: sockets.append(socket))  # noqa: PLW0108
    seen = {"count": 0}

    def answer(route: Route) -> None:
        seen["count"] += 1
        route.fulfill(body=f"refetched {seen['count']}", content_type="text/html")

    page.route(f"{ORIGIN}/part/*", answer)
    live = 'hx-trigger="kalas:live" hx-swap="innerHTML"'
    body = (
        render_to_string("_live.html")
        + f'<p id="a" data-live="a" data-pending hx-get="/part/a" {live}>old</p>'
        + f'<p id="b" data-live="b" hx-get="/part/b" {live}>old</p>'
        + f'<p id="feed" data-live-feed hx-get="/part/feed" {live}>old</p>'
    )
    show(page, body, "kalas-live")
    expect(page.locator("kalas-live")).to_have_attribute("data-state", "open")
    return sockets


def test_refetches_what_is_pending_when_it_connects(page: Page, sockets: list[Any]) -> None:
    expect(page.locator("#a")).to_contain_text("refetched")
    expect(page.locator("#feed")).to_contain_text("refetched")
    expect(page.locator("#b")).to_have_text("old")
    expect(page.locator("[data-when=open]")).to_be_visible()
    expect(page.locator("[data-when=lost]")).to_be_hidden()


def test_refetches_what_a_message_is_about(page: Page, sockets: list[Any]) -> None:
    sockets[0].send(json.dumps({"type": "annotation", "id": "b", "state": "done"}))

    expect(page.locator("#b")).to_contain_text("refetched")


def test_connects_again_and_catches_up(page: Page, sockets: list[Any]) -> None:
    expect(page.locator("#a")).to_contain_text("refetched")
    before = page.locator("#a").inner_text()

    sockets[0].close()

    expect(page.locator("#a")).not_to_have_text(before)
    expect(page.locator("kalas-live")).to_have_attribute("data-state", "open")
    assert len(sockets) == 2


def test_does_not_hurry_back_to_a_server_that_refuses_it(page: Page, sockets: list[Any]) -> None:
    for _ in range(40):
        page.wait_for_timeout(100)  # open meanwhile, as the server closes with its reason
        sockets[-1].close(code=4401)

    assert 3 <= len(sockets) <= 6
