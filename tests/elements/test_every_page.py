"""What every page has: what is shown once, questions, short addresses."""

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Page, expect

from tests.elements.pages import ORIGIN, show

pytestmark = pytest.mark.e2e


def test_copies_what_is_shown_once_and_leaves_its_address(page: Page) -> None:
    body = render_to_string("_shown_once.html", {"id": "token", "label": "Key", "value": "kal_1"})

    show(page, f'<section data-once="/shops/developers/">{body}</section><textarea></textarea>')
    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_role("button")).to_have_text("Copied")
    assert page.url == f"{ORIGIN}/shops/developers/"
    page.locator("textarea").press("Control+V")
    expect(page.locator("textarea")).to_have_value("kal_1")


@pytest.mark.parametrize(("button", "asked"), [("[data-yes]", 1), ("[data-close]", 0)])
def test_asks_in_a_dialog_before_it_sends(page: Page, button: str, asked: int) -> None:
    requests: list[str] = []
    page.on("request", lambda sent: requests.append(sent.url) if "/gone" in sent.url else None)
    page.route(f"{ORIGIN}/gone", lambda route: route.fulfill(body="gone", content_type="text/html"))
    link = '<a href="/ask" hx-post="/gone" hx-confirm="Delete it?" data-yes="Delete">Delete</a>'
    show(page, link + render_to_string("_confirm.html"), "disclosures")

    page.click("a")
    expect(page.locator("#confirm-question")).to_have_text("Delete it?")
    expect(page.locator("[data-yes]").last).to_have_text("Delete")
    page.locator("#confirm").locator(button).click()

    expect(page.locator("#confirm")).to_be_hidden()
    page.wait_for_function("document.querySelectorAll('.htmx-request').length === 0")
    assert len(requests) == asked


SEARCH = (
    '<form method="get" role="search" {attributes}><input name="q" value="shirt">'
    '<input name="state" value=""><select name="colour" multiple><option value="" selected>'
    '<option value="red" selected><option value="blue" selected></select><button>Find</button>'
    '</form><div id="found"></div>'
)


@pytest.mark.parametrize(
    "attributes", ["", 'hx-get="/" hx-target="#found" hx-push-url="true"'], ids=["browser", "htmx"]
)
def test_keeps_empty_fields_out_of_the_address(page: Page, attributes: str) -> None:
    page.route(f"{ORIGIN}/?*", lambda route: route.fulfill(body="found", content_type="text/html"))
    show(page, SEARCH.format(attributes=attributes), "short-addresses")

    page.click("button")

    expect(page.get_by_text("found")).to_be_visible()
    expect(page).to_have_url(f"{ORIGIN}/?q=shirt&colour=red&colour=blue")
