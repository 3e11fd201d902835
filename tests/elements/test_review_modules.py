"""The review page's modules in Chromium, with a server that a test plays."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.elements.pages import ORIGIN

pytestmark = pytest.mark.e2e

OUTBOX = """const { Outbox, Sender } = await import("/static/js/review-outbox.js");
  window.outbox = new Outbox("shop.1", new Sender("token", "shop"));
  window.heard = [];
  for (const name of ["sent", "refused", "conflict", "stopped"])
    outbox.addEventListener(name, ({ detail }) =>
      heard.push([name, detail.letter?.item.id ?? detail.status ?? null]));"""
PUT = (
    """(id) => outbox.put({ url: `/say/${id}`, body: { review: id }, item: { id }, kept: null })"""
)


@pytest.fixture
def answers() -> dict[str, tuple[int, Any]]:
    """By path; what is not there is out of reach."""
    return {}


@pytest.fixture
def context(browser: Browser, answers: dict[str, tuple[int, Any]]) -> Iterator[BrowserContext]:
    context = browser.new_context()

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path.startswith(settings.STATIC_URL):
            found = finders.find(path.removeprefix(settings.STATIC_URL))
            return route.fulfill(path=Path(str(found)))
        if path == "/":
            return route.fulfill(body="<!doctype html>", content_type="text/html")
        if path not in answers:
            return route.abort()
        status, data = answers[path]
        return route.fulfill(status=status, body=json.dumps(data), content_type="application/json")

    context.route(f"{ORIGIN}/**", serve)
    yield context
    context.close()


def open_tab(context: BrowserContext, script: str = OUTBOX) -> Page:
    page = context.new_page()
    page.goto(f"{ORIGIN}/")
    page.evaluate(f"async () => {{ {script} }}")
    return page


def test_a_tab_that_closes_erases_nothing_of_another(context: BrowserContext) -> None:
    first, second = open_tab(context), open_tab(context)
    first.evaluate(PUT, "a")
    second.evaluate(PUT, "b")

    first.close()
    second.close()

    assert open_tab(context).evaluate("outbox.ids") == ["a", "b"]


def test_what_another_tab_has_sent_is_not_sent_again(
    context: BrowserContext, answers: dict[str, tuple[int, Any]]
) -> None:
    first = open_tab(context)
    first.evaluate(PUT, "a")
    second = open_tab(context)
    answers["/say/a"] = (200, {})

    second.evaluate("outbox.flush()")
    first.evaluate("outbox.flush()")

    assert (second.evaluate("heard"), first.evaluate("outbox.size")) == ([["sent", "a"]], 0)
    assert ["sent", "a"] not in first.evaluate("heard")


def test_keeps_what_was_said_in_another_shop(
    context: BrowserContext, answers: dict[str, tuple[int, Any]]
) -> None:
    answers["/say/a"] = (409, {"reason": "other-shop"})
    page = open_tab(context)

    page.evaluate(PUT, "a")
    page.wait_for_function("heard.length")

    assert page.evaluate("heard") == [["stopped", 409]]
    assert open_tab(context).evaluate("outbox.ids") == ["a"]


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_what_is_refused_blocks_nothing(
    context: BrowserContext, answers: dict[str, tuple[int, Any]], status: int
) -> None:
    answers |= {"/say/a": (status, {}), "/say/b": (200, {})}
    page = open_tab(context)

    page.evaluate(PUT, "a")
    page.evaluate(PUT, "b")
    page.wait_for_function("heard.length == 2")

    assert page.evaluate("heard") == [["refused", "a"], ["sent", "b"]]


def test_what_the_server_breaks_at_lets_the_others_go_first(
    context: BrowserContext, answers: dict[str, tuple[int, Any]]
) -> None:
    answers |= {"/say/a": (500, {}), "/say/b": (200, {})}
    page = open_tab(context)

    page.evaluate(PUT, "a")
    page.evaluate(PUT, "b")
    for _ in range(4):
        page.evaluate("outbox.flush()")

    assert ["sent", "b"] in page.evaluate("heard")
    assert page.evaluate("outbox.ids") == ["a"]


QUEUE = """const { ReviewQueue } = await import("/static/js/review-queue.js");
  window.asked = [];
  window.given = [];
  window.pending = [];
  const post = async (url, body) => {
    asked.push(body);
    return { ok: true, status: 200, json: async () => ({ items: given, counts: {} }) };
  };
  window.make = (id) => ({ id, image: { url: "data:," } });
  const sender = { post };
  window.queue = new ReviewQueue({ claimUrl: "/claim", sender, pending: () => pending });"""


def test_shows_again_what_the_server_gives_again(context: BrowserContext) -> None:
    page = open_tab(context, QUEUE)
    page.evaluate("given = [make('a')]; queue.refill()")
    page.evaluate("pending = ['a']; queue.next()")
    page.wait_for_function("!queue.filling")
    assert page.evaluate("queue.current") is None

    page.evaluate("pending = []; queue.refill()")
    page.wait_for_function("queue.current?.id === 'a'")

    # On a slow machine it asks by itself too.
    first, *others = page.evaluate("asked.map((each) => each.skipped)")
    assert (first, len(others) >= 2, any(others)) == (True, True, False)


def test_counts_from_before_something_was_sent_are_not_shown(context: BrowserContext) -> None:
    page = open_tab(context, QUEUE)
    page.evaluate("window.counted = 0; queue.addEventListener('counts', () => { counted += 1; })")

    page.evaluate("pending = ['a']; void queue.refill(); pending = []")
    page.wait_for_function("asked.length && !queue.filling")
    assert page.evaluate("counted") == 0

    page.evaluate("queue.refill()")
    page.wait_for_function("counted")


def test_what_comes_back_never_takes_the_place_of_what_is_looked_at(
    context: BrowserContext,
) -> None:
    page = open_tab(context, QUEUE)
    page.evaluate("given = [make('a'), make('b')]; queue.refill()")

    page.evaluate(
        """async () => {
            const { comeBack } = await import("/static/js/review-news.js");
            comeBack({ queue }, { kept: null }, make("c"), "conflict", "Ayşe");
        }"""
    )

    assert page.evaluate("queue.items.map((each) => each.id)") == ["a", "c", "b"]


def test_a_box_on_an_abstention_is_first_what_it_may_be(context: BrowserContext) -> None:
    page = open_tab(
        context,
        """const { Draft } = await import("/static/js/review-draft.js");
        const { Words } = await import("/static/js/review-words.js");
        const categories = [
          { name: "shirt", title: "Shirt", object: "upper-body" },
          { name: "belt", title: "Belt", object: "accessory" },
          { name: "scarf", title: "Scarf", object: "accessory" },
        ];
        const words = new Words({ categories, attributes: [], colours: [], objects: [] });
        const alternatives = [
          { name: "scarf", confidence: 0.3 },
          { name: "shirt", confidence: 0.1 },
        ];
        window.draft = new Draft({ id: "a", version: 0, garments: [], alternatives }, words);
        draft.add([0, 0, 9, 9]);
        window.offered = words.optionsOf("category", draft.garment).map((each) => each.name);""",
    )

    assert page.evaluate("[draft.garment.category, draft.garment.object]") == ["scarf", "accessory"]
    assert page.evaluate("offered") == ["scarf", "shirt", "belt"]
