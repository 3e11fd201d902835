"""The custom elements in Chromium, on a page of their own and under the house's strict policy."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from playwright.sync_api import Browser, Page, Route, expect

from tests.chromium import run_chromium

pytestmark = pytest.mark.e2e

ORIGIN = "http://127.0.0.1:1"
POLICY = "default-src 'self'; img-src 'self' data:"
FIELDS = ("left", "top", "right", "bottom")

PHOTO = """
<kalas-photo width="200" height="100" drawable data-box-label="Your box">
  <img width="200" height="100" alt="A photo">
  <svg class="boxes" viewBox="0 0 200 100" width="400" height="200">
    <g class="box" data-garment="a" tabindex="0"><rect x="10" y="20" width="30" height="40"/></g>
  </svg>
  <section data-garment="a" tabindex="-1">Shirt</section>
  <button type="button" data-edit="a">Edit</button>
  <button type="button" data-draw aria-pressed="false">Draw</button>
  <form><input type="number" name="left"><input type="number" name="top">
    <input type="number" name="right"><input type="number" name="bottom"></form>
</kalas-photo>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.route(f"{ORIGIN}/static/**", _serve_static)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Policy" in said.text else None)
    yield page
    page.close()
    assert complaints == []


def _serve_static(route: Route) -> None:
    found = finders.find(
        route.request.url.removeprefix(f"{ORIGIN}/{settings.STATIC_URL.lstrip('/')}")
    )
    route.fulfill(path=Path(str(found)))


def _show(page: Page, body: str, *modules: str) -> None:
    scripts = "".join(
        f'<script type="module" src="/static/js/{name}.js"></script>' for name in modules
    )
    styles = "".join(
        f'<link rel="stylesheet" href="/static/css/{name}.css">'
        for name in ("tokens", "base", "components", "photos")
    )
    html = (
        '<!doctype html><meta name="htmx-config" content=\'{"includeIndicatorStyles":false}\'>'
        f'<link rel="icon" href="data:,">{styles}'
        f'<script src="/static/django_htmx/htmx-2.min.js" defer></script>{scripts}{body}'
    )
    headers = {"Content-Security-Policy": POLICY}
    page.route(
        f"{ORIGIN}/",
        lambda route: route.fulfill(body=html, content_type="text/html", headers=headers),
    )
    page.goto(f"{ORIGIN}/")


# shown-once


def test_copies_what_is_shown_once_and_leaves_its_address(page: Page) -> None:
    body = render_to_string("_shown_once.html", {"id": "token", "label": "Key", "value": "kal_1"})

    _show(page, f'<section data-once="/shops/developers/">{body}</section><textarea></textarea>')
    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_role("button")).to_have_text("Copied")
    assert page.url == f"{ORIGIN}/shops/developers/"
    page.locator("textarea").press("Control+V")
    expect(page.locator("textarea")).to_have_value("kal_1")


# kalas-upload


@pytest.fixture
def answers(page: Page) -> dict[str, tuple[int, str]]:
    """File name to (status, body) of the upload's answer; 201 and an article for the others."""
    answers: dict[str, tuple[int, str]] = {}

    def answer(route: Route) -> None:
        sent = (route.request.post_data_buffer or b"").decode(errors="replace")
        name = re.search(r'filename="([^"]+)"', sent)[1]  # type: ignore[index]
        status, body = answers.get(name, (201, f"<article>{name}</article>"))
        kind = "text/html" if status == 201 else "application/problem+json"
        route.fulfill(status=status, body=body, content_type=kind)

    page.route(f"{ORIGIN}/upload/", answer)
    body = render_to_string(
        "_upload.html",
        {"action": "/upload/", "target": "#results", "max_bytes": 1000, "csrf_token": "t"},
    )
    _show(page, f'{body}<div id="results"><p class="empty">None</p></div>', "kalas-upload")
    return answers


def _photo(name: str, size: int = 10) -> Any:
    return {"name": name, "mimeType": "image/jpeg", "buffer": b"x" * size}


def test_puts_each_answer_first_and_clears_its_line(
    page: Page, answers: dict[str, tuple[int, str]]
) -> None:
    page.set_input_files("input[type=file]", [_photo(f"{n}.jpg") for n in range(7)])

    expect(page.locator("#results article")).to_have_count(7)
    expect(page.locator(".upload")).to_have_count(0)
    expect(page.locator("#results .empty")).to_have_count(0)
    expect(page.locator("[data-announce]")).to_contain_text("Uploaded:")


def test_shows_a_refusal_on_its_line_and_sends_again(
    page: Page, answers: dict[str, tuple[int, str]]
) -> None:
    answers["bad.jpg"] = (422, json.dumps({"title": "Bad", "detail": "This is no photo."}))
    page.set_input_files("input[type=file]", [_photo("bad.jpg"), _photo("good.jpg")])
    expect(page.locator("#results article")).to_have_text(["good.jpg"])
    expect(page.locator(".upload-error")).to_have_text("This is no photo.")

    answers["bad.jpg"] = (201, "<article>now good</article>")
    page.click("[data-retry]")

    expect(page.locator("#results article").first).to_have_text("now good")
    expect(page.locator(".upload")).to_have_count(0)


def test_refuses_a_large_file_without_sending_it(
    page: Page, answers: dict[str, tuple[int, str]]
) -> None:
    sent: list[str] = []
    page.on(
        "request", lambda request: sent.append(request.url) if "upload/" in request.url else None
    )

    page.set_input_files("input[type=file]", [_photo("large.jpg", 1001)])

    expect(page.locator(".upload-error")).to_contain_text("Larger than")
    expect(page.locator("[data-retry]")).to_be_hidden()
    assert sent == []
    page.click("[data-remove]")
    expect(page.locator(".upload")).to_have_count(0)


def test_says_when_the_house_cannot_be_reached(
    page: Page, answers: dict[str, tuple[int, str]]
) -> None:
    page.route(f"{ORIGIN}/upload/", lambda route: route.abort())

    page.set_input_files("input[type=file]", [_photo("a.jpg")])

    expect(page.locator(".upload-error")).to_contain_text("cannot be reached")
    expect(page.locator("[data-retry]")).to_be_visible()


def test_sends_at_most_three_at_a_time(page: Page, answers: dict[str, tuple[int, str]]) -> None:
    waiting: list[Route] = []
    page.route(f"{ORIGIN}/upload/", lambda route: waiting.append(route))  # noqa: PLW0108

    page.set_input_files("input[type=file]", [_photo(f"{n}.jpg") for n in range(5)])

    expect(page.locator(".upload-state", has_text="Waiting")).to_have_count(2)
    assert len(waiting) == 3
    waiting[0].fulfill(status=201, body="<article>done</article>")
    expect(page.locator(".upload-state", has_text="Waiting")).to_have_count(1)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_takes_files_that_are_dropped_or_pasted(
    page: Page, answers: dict[str, tuple[int, str]], kind: str
) -> None:
    page.evaluate(
        """kind => {
          const data = new DataTransfer();
          data.items.add(new File(["x"], "given.jpg", { type: "image/jpeg" }));
          document.body.dispatchEvent(kind === "drop"
            ? new DragEvent("drop", { dataTransfer: data, bubbles: true })
            : new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }""",
        kind,
    )

    expect(page.locator("#results article")).to_have_text("given.jpg")


# kalas-live


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
    _show(page, body, "kalas-live")
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


# kalas-photo: the SVG is shown at twice the photo's size


@pytest.fixture
def at(page: Page) -> Callable[[int, int], tuple[float, float]]:
    _show(page, PHOTO, "kalas-photo")
    frame = page.locator("svg.boxes").bounding_box()
    assert frame is not None
    return lambda x, y: (frame["x"] + 2 * x, frame["y"] + 2 * y)


def _values(page: Page) -> list[str]:
    return [page.input_value(f"input[name={side}]") for side in FIELDS]


def _drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()


def test_lights_up_text_and_box_together(page: Page, at: Any) -> None:
    page.hover("section")
    expect(page.locator("g[data-garment=a]")).to_have_class("box is-on")

    page.mouse.move(0, 0)
    page.focus("g[data-garment=a]")
    expect(page.locator("section")).to_have_class("is-on")

    page.keyboard.press("Enter")
    expect(page.locator("section")).to_be_focused()


def test_draws_moves_and_resizes_with_the_mouse(page: Page, at: Any) -> None:
    page.click("[data-draw]")

    _drag(page, at(50, 10), at(150, 60))
    assert _values(page) == ["50", "10", "150", "60"]

    _drag(page, at(100, 30), at(110, 35))
    assert _values(page) == ["60", "15", "160", "65"]

    _drag(page, at(60, 15), at(40, 5))
    assert _values(page) == ["40", "5", "160", "65"]

    _drag(page, at(100, 30), at(0, 0))
    assert _values(page) == ["0", "0", "120", "60"]


def test_leaves_the_boxes_alone_while_drawing_is_off(page: Page, at: Any) -> None:
    _drag(page, at(50, 10), at(150, 60))

    assert _values(page) == [""] * 4


def test_a_mere_click_keeps_the_box(page: Page, at: Any) -> None:
    page.click("[data-draw]")
    _drag(page, at(50, 10), at(150, 60))

    page.mouse.click(*at(190, 90))

    assert _values(page) == ["50", "10", "150", "60"]


def test_draws_with_the_keyboard_alone(page: Page, at: Any) -> None:
    page.focus("[data-draw]")
    page.keyboard.press("Enter")
    assert _values(page) == ["50", "25", "150", "75"]
    expect(page.locator("g.drawn")).to_be_focused()

    page.keyboard.press("ArrowRight")
    page.keyboard.press("Alt+ArrowUp")
    page.keyboard.press("Shift+ArrowDown")
    assert _values(page) == ["52", "24", "152", "76"]

    page.keyboard.press("Escape")
    assert _values(page) == [""] * 4
    expect(page.locator("g.drawn")).to_have_count(0)


def test_escape_takes_a_drag_back(page: Page, at: Any) -> None:
    page.click("[data-draw]")
    _drag(page, at(50, 10), at(150, 60))

    page.mouse.move(*at(100, 30))
    page.mouse.down()
    page.mouse.move(*at(120, 50))
    page.keyboard.press("Escape")
    page.mouse.up()

    assert _values(page) == ["50", "10", "150", "60"]


def test_number_fields_and_box_show_the_same(page: Page, at: Any) -> None:
    for side, value in zip(FIELDS, ("20", "30", "80", "90"), strict=True):
        page.fill(f"input[name={side}]", value)

    expect(page.locator("g.drawn > rect").first).to_have_attribute("width", "60")

    page.fill("input[name=right]", "900")
    expect(page.locator("g.drawn")).to_have_count(0)


def test_starts_from_the_models_box(page: Page, at: Any) -> None:
    page.click("[data-edit]")

    assert _values(page) == ["10", "20", "40", "60"]


def test_handles_are_large_enough_to_touch(page: Page, at: Any) -> None:
    page.click("[data-edit]")

    for corner in page.locator(".handle-area").all():
        size = corner.bounding_box()
        assert size is not None
        assert min(size["width"], size["height"]) >= 24


# Confirmations


@pytest.mark.parametrize(("button", "asked"), [("[data-yes]", 1), ("[data-close]", 0)])
def test_asks_in_a_dialog_before_it_sends(page: Page, button: str, asked: int) -> None:
    requests: list[str] = []
    page.on("request", lambda sent: requests.append(sent.url) if "/gone" in sent.url else None)
    page.route(f"{ORIGIN}/gone", lambda route: route.fulfill(body="gone", content_type="text/html"))
    link = '<a href="/ask" hx-post="/gone" hx-confirm="Delete it?" data-yes="Delete">Delete</a>'
    _show(page, link + render_to_string("_confirm.html"), "disclosures")

    page.click("a")
    expect(page.locator("#confirm-question")).to_have_text("Delete it?")
    expect(page.locator("[data-yes]").last).to_have_text("Delete")
    page.locator("#confirm").locator(button).click()

    expect(page.locator("#confirm")).to_be_hidden()
    page.wait_for_function("document.querySelectorAll('.htmx-request').length === 0")
    assert len(requests) == asked
