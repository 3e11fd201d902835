"""A new user's way through the running house, in Chromium."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.chromium import run_chromium
from tests.running_house import House, run_house

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

DEMO_PHOTOS = Path(__file__).resolve().parent.parent / "annotations" / "demo_photos"
PHOTOS = sorted(DEMO_PHOTOS.glob("clothing-t-shirt-*.jpg"))[:3]
PASSWORD = "a long enough passphrase 4711"
RESULT_MS = 60_000


@dataclass
class Visitor:
    page: Page
    house: House
    findings: list[str]

    def go(self, path: str) -> None:
        self.page.goto(self.house.url + path)

    def sign_up(self, *, email: str, shop: str) -> None:
        """Through the form, the mail and its link, up to being logged in."""
        self.go("/accounts/signup/")
        self.page.locator("main input[name=email]").fill(email)
        self.page.locator("main input[name=shop_name]").fill(shop)
        for field in self.page.locator("input[type=password]").all():
            field.fill(PASSWORD)
        self.page.locator("main form button.button-primary").click()
        self.page.wait_for_url("**/confirm-email/")
        mail = self.house.newest_mail(to=email).replace("=\n", "")
        link = re.search(r"(/accounts/confirm-email/[^\s\"<]+)", mail)
        assert link, mail
        self.go(link[1])
        self.page.locator("main form button").click()
        if "/login/" in self.page.url:
            self.log_in(email=email)

    def log_in(self, *, email: str) -> None:
        self.page.locator("input[name=login]").fill(email)
        self.page.locator("input[type=password]").fill(PASSWORD)
        self.page.locator("input[type=password]").press("Enter")
        self.page.wait_for_url("**/dashboard/")

    def check(self) -> None:
        """No accessibility finding and no sideways scrolling on the page as it is now."""
        answer = Axe().run(self.page)
        assert answer.violations_count == 0, f"{self.page.url}\n{answer.generate_report()}"
        width = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert width <= 1, f"{self.page.url} scrolls sideways by {width} px"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with run_house(demo=False) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_chromium() as running:
        yield running


@pytest.fixture
def visit(house: House, browser: Browser):
    """Makes visitors with a browser profile each; what their consoles said fails the test."""
    visitors: list[Visitor] = []

    def make(**options: Any) -> Visitor:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        visitor = Visitor(page=context.new_page(), house=house, findings=[])
        visitor.page.on(
            "console",
            lambda message: (
                visitor.findings.append(message.text)
                if message.type == "error" and "404" not in message.text
                else None
            ),
        )
        visitor.page.on("pageerror", lambda error: visitor.findings.append(str(error)))
        visitors.append(visitor)
        return visitor

    yield make

    for visitor in visitors:
        visitor.page.context.close()
        assert visitor.findings == []


def test_from_sign_up_to_results_that_nobody_else_sees(visit, house: House):
    owner = visit()
    owner.sign_up(email="ada@shop.example", shop="Ada's shop")
    page = owner.page

    page.goto(f"{house.url}/annotate/")
    page.evaluate("window.sameDocument = true")
    page.locator("input[type=file]").first.set_input_files(PHOTOS)

    done = page.locator("#results article:not([data-pending])")
    expect(done).to_have_count(len(PHOTOS), timeout=RESULT_MS)
    assert page.evaluate("window.sameDocument") is True
    for card in done.all():
        expect(card.locator("svg.boxes g.box")).not_to_have_count(0)
        expect(card.locator(".garment-title").first).not_to_be_empty()
        expect(card.locator(".chip").first).to_be_visible()
        assert re.search(r"\d %|\d%|%\d", card.inner_text())
    owner.check()

    card = done.first
    card.locator("details.crop summary").click()
    card.locator("button[data-draw]").click()
    frame = card.locator("svg.boxes").bounding_box()
    assert frame
    page.mouse.move(frame["x"] + frame["width"] * 0.2, frame["y"] + frame["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(frame["x"] + frame["width"] * 0.8, frame["y"] + frame["height"] * 0.7, steps=5)
    page.mouse.up()
    assert int(card.locator("input[name=right]").input_value()) > 0
    card.locator("details.crop form .form-actions button").click()

    expect(done).to_have_count(len(PHOTOS) + 1, timeout=RESULT_MS)
    expect(page.locator("#results svg.boxes rect.crop")).to_have_count(1)

    photo = page.locator("#results img").first.get_attribute("src")
    detail = page.locator("#results article h2 a").first.get_attribute("href")
    stranger = visit()
    stranger.sign_up(email="eve@other.example", shop="Other shop")
    stranger.go("/annotations/")
    expect(stranger.page.locator("main img")).to_have_count(0)
    for path in (photo, detail):
        assert path
        answer = stranger.page.request.get(house.url + path)
        assert answer.status == 404, path
    delete_first_photo(page)


def delete_first_photo(page: Page) -> None:
    before = page.locator("#results article").count()
    page.locator("#results article a.button-icon").last.click()
    page.locator("#confirm [data-yes]").click()
    expect(page.locator("#results article")).to_have_count(before - 1)


def test_a_refused_file_says_why_and_the_others_go_on(visit, tmp_path: Path):
    owner = visit()
    owner.sign_up(email="bo@shop.example", shop="Bo's shop")
    owner.go("/annotate/")
    text = tmp_path / "not-a-photo.jpg"
    text.write_text("This is no picture.")

    owner.page.locator("input[type=file]").first.set_input_files([text, PHOTOS[0]])

    expect(owner.page.locator(".upload-error:visible")).to_have_count(1)
    expect(owner.page.locator(".upload-error:visible")).not_to_be_empty()
    done = owner.page.locator("#results article:not([data-pending])")
    expect(done).to_have_count(1, timeout=RESULT_MS)
    # The browser itself reports the refused upload.
    owner.findings[:] = [line for line in owner.findings if "status of 4" not in line]


# Each two of width, scheme and language meet.
@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [(360, "light", "en"), (360, "dark", "tr"), (1280, "light", "tr"), (1280, "dark", "en")],
)
def test_no_page_has_an_accessibility_finding(visit, width: int, scheme: str, language: str):
    owner = visit(viewport={"width": width, "height": 800}, color_scheme=scheme, locale=language)
    for path in ("/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"):
        owner.go(path)
        expect(owner.page.locator("html")).to_have_attribute("lang", language)
        owner.check()
    owner.sign_up(email=f"{language}-{scheme}-{width}@shop.example", shop="Checked shop")
    owner.go("/annotate/")
    owner.page.locator("input[type=file]").first.set_input_files(PHOTOS[:1])
    results = owner.page.locator("#results article:not([data-pending])")
    expect(results).to_have_count(1, timeout=RESULT_MS)
    detail = owner.page.locator("#results article h2 a").first.get_attribute("href")
    assert detail
    product = add_product(owner)
    for path in (
        "/dashboard/", "/annotate/", "/annotations/", detail, "/shops/members/",
        "/catalogue/", "/catalogue/?view=list", "/catalogue/new/", "/catalogue/imports/", product,
        upload_table(owner), "/search/?q=shirt", f"/search/?product={product.split('/')[2]}",
        "/search/indexes/",
        "/review/", "/review/grid/", "/review/past/", "/review/quality/", "/review/settings/",
        "/review/training/",
        "/shops/settings/", "/accounts/email/", "/accounts/2fa/", "/accounts/sessions/",
        "/shops/developers/webhooks/", "/shops/developers/", "/api/docs/", "/docs/problems/",
        "/docs/problems/invalid-request/", "/docs/widget/",
    ):  # fmt: skip
        owner.go(path)
        expect(owner.page.locator("[hx-trigger=load]")).to_have_count(0)
        owner.check()
    check_webhooks(owner)
    search_by_photo(owner, product)


def search_by_photo(owner: Visitor, product: str) -> None:
    """With the product's own photo, then with a box on it that the keyboard draws."""
    owner.go(product)
    expect(owner.page.locator("#product .garment-head")).to_have_count(1, timeout=RESULT_MS)
    owner.go("/search/")
    owner.page.locator("#by-photo input[type=file]").set_input_files(PHOTOS[1:2])
    found = owner.page.locator("#matches .photo-card")
    expect(found).to_have_count(1, timeout=RESULT_MS)
    expect(owner.page.locator("kalas-photo #by-photo")).to_have_count(1)
    owner.check()
    for side, value in {"left": 0, "top": 0, "right": 100, "bottom": 100}.items():
        owner.page.locator(f"#by-photo input[name={side}]").fill(str(value))
    expect(owner.page.locator("kalas-photo .drawn")).to_have_count(1)
    with owner.page.expect_response("**/search/photo/") as answer:
        owner.page.locator("#by-photo button.button-primary").click()
    assert answer.value.ok
    owner.check()


def check_webhooks(owner: Visitor) -> None:
    """An endpoint's page with its secret, with a log that moves, and a message."""
    owner.go("/shops/developers/webhooks/")
    owner.page.locator("input[name=url]").fill("https://shop.invalid/kalas")
    owner.page.locator("form[action$='/webhooks/new/'] .form-actions button").click()
    expect(owner.page.locator("#secret")).to_have_value(re.compile("^whsec_"))
    owner.check()
    owner.page.locator("form[action$='/test/'] button").click()
    expect(owner.page.locator("#secret")).to_have_count(0)
    expect(owner.page.locator("#log .badge-bad")).to_have_count(1, timeout=RESULT_MS)
    owner.check()
    owner.page.locator("#log li a").click()
    expect(owner.page.locator("main pre")).to_have_count(2)
    owner.check()


def add_product(owner: Visitor) -> str:
    """With a photo; return its address."""
    owner.go("/catalogue/new/")
    owner.page.locator("input[name=title]").fill("Striped shirt")
    owner.page.locator("main form button.button-primary").click()
    owner.page.wait_for_load_state("networkidle")
    owner.page.locator("input[type=file]").first.set_input_files(PHOTOS[1:2])
    expect(owner.page.locator("#photos li")).to_have_count(1, timeout=RESULT_MS)
    return owner.page.url.removeprefix(owner.house.url)


def upload_table(owner: Visitor) -> str:
    """Return the address of the page that asks what its columns mean."""
    owner.go("/catalogue/imports/")
    table = FilePayload(name="a.csv", mimeType="text/csv", buffer=b"id,title\n1,Shirt\n")
    owner.page.locator("input[name=file]").set_input_files(table)
    owner.page.locator("main form button.button-primary").click()
    owner.page.wait_for_url("**/catalogue/imports/*-*/")
    return owner.page.url.removeprefix(owner.house.url)
