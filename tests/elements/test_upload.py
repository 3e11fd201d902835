"""Uploading photos one by one."""

import json
import re
from typing import Any

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Page, Route, expect

from tests.elements.pages import ORIGIN, show

pytestmark = pytest.mark.e2e


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
    show(page, f'{body}<div id="results"><p class="empty">None</p></div>', "kalas-upload")
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


def test_does_not_offer_to_send_a_refused_photo_again(
    page: Page, answers: dict[str, tuple[int, str]]
) -> None:
    answers["bad.jpg"] = (422, json.dumps({"title": "Bad", "detail": "This is no photo."}))

    page.set_input_files("input[type=file]", [_photo("bad.jpg"), _photo("good.jpg")])

    expect(page.locator("#results article")).to_have_text(["good.jpg"])
    expect(page.locator(".upload-error")).to_have_text("This is no photo.")
    expect(page.locator("[data-retry]")).to_be_hidden()
    expect(page.locator("[data-remove]")).to_be_visible()


def test_shows_a_failure_on_its_line_and_sends_again(
    page: Page, answers: dict[str, tuple[int, str]]
) -> None:
    answers["late.jpg"] = (503, json.dumps({"title": "Busy", "detail": "Too much to do."}))
    page.set_input_files("input[type=file]", [_photo("late.jpg"), _photo("good.jpg")])
    expect(page.locator("#results article")).to_have_text(["good.jpg"])
    expect(page.locator(".upload-error")).to_have_text("Too much to do.")

    answers["late.jpg"] = (201, "<article>now good</article>")
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
