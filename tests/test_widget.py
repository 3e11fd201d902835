"""The widget in a shop's own page, which is of another origin and has a strict policy."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from tests.chromium import run_chromium
from tests.running_house import DEMO_EMAIL, House, log_in, run_house

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

DEMO_PHOTOS = Path(__file__).resolve().parent.parent / "annotations" / "demo_photos"
ANSWER_MS = 30_000
# As many as make it likely that something is similar.
INDEXED = 60
ITS_VECTORS = """
    SELECT count(*) FROM retrieval_embedding vector
    JOIN retrieval_productimage photo ON photo.id = vector.photo_id
    JOIN retrieval_product product ON product.id = photo.product_id
    WHERE product.external_id = %s
"""


class ShopHandler(BaseHTTPRequestHandler):
    """One product page; `house` and `key` are the class's of each test."""

    house = key = sku = attributes = ""
    language = "en"

    def do_GET(self) -> None:
        data = {"@context": "https://schema.org", "@type": "Product", "sku": self.sku}
        body = (
            f'<!doctype html><html lang="{self.language}"><title>Shop</title>'
            f"<main><h1>A product</h1>"
            f'<script type="application/ld+json">{json.dumps(data)}</script>'
            f'<script type="module" src="{self.house}/widget/find-similar.js"'
            f' data-key="{self.key}" {self.attributes}></script></main>'
        ).encode()
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        # JSON-LD is data, and needs no permission; nothing else is inline.
        policy = f"default-src 'none'; script-src {self.house}; connect-src {self.house}"
        self.send_header("Content-Security-Policy", f"{policy}; img-src {self.house}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with run_house(demo=True) as running:
        running.wait_until(
            lambda: running.count("SELECT count(*) FROM retrieval_embedding") >= INDEXED,
            timeout_s=240,
            what="the demo shop's products are indexed",
        )
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_chromium() as running:
        yield running


@pytest.fixture(scope="module")
def shop(house: House) -> Iterator[type[ShopHandler]]:
    """A running shop; its address is that of a publishable key."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), ShopHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ShopHandler.house = house.url
    ShopHandler.address = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    with log_in(house, email=DEMO_EMAIL, password=house.demo_password()) as session:
        answer = session.post(
            "/shops/developers/keys/",
            data={
                "name": "Shop", "kind": "publishable", "days": 0,
                "origins": ShopHandler.address,  # type: ignore[attr-defined]
            },
        )  # fmt: skip
        assert answer.status_code == 201, answer.text[:500]
        ShopHandler.key = answer.text.partition('id="new-key-token" readonly value="')[2].split(
            '"'
        )[0]
    yield ShopHandler
    server.shutdown()
    server.server_close()


@pytest.fixture
def open_shop(shop, browser: Browser):
    """Opens the product page; what the browser complains of and no test expects fails it."""
    pages: list[Page] = []
    said: list[str] = []

    def open_page(
        *,
        sku: str,
        host: str = "127.0.0.1",
        attributes: str = "",
        language: str = "en",
        **options,
    ) -> Page:
        shop.sku, shop.attributes, shop.language = sku, attributes, language
        page = browser.new_context(**options).new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
        pages.append(page)
        page.goto(f"{shop.address.replace('127.0.0.1', host)}/")
        return page

    open_page.said = said  # type: ignore[attr-defined]
    yield open_page
    for page in pages:
        page.context.close()
    # Chromium asks for an icon that the shop has not.
    assert [line for line in said if "404" not in line] == []


@pytest.fixture(scope="module")
def product(house: House) -> str:
    """One that has similar ones: of the category with most products."""
    rows = house.query(
        "SELECT min(external_id) FROM retrieval_product WHERE category <> ''"
        " GROUP BY category ORDER BY count(*) DESC LIMIT 1"
    )
    return str(rows[0][0])


@pytest.mark.parametrize("width", [360, 1280])
def test_finds_what_is_similar_to_the_pages_product(open_shop, product: str, width: int):
    page = open_shop(
        sku=product,
        attributes='data-link="/p/{id}"',
        viewport={"width": width, "height": 800},
    )

    page.get_by_role("button", name="Find similar").click()

    dialog = page.get_by_role("dialog", name="Similar items")
    expect(dialog.get_by_role("status")).to_contain_text("similar items", timeout=ANSWER_MS)
    cards = dialog.get_by_role("listitem")
    assert cards.count() >= 2
    image = cards.first.locator("img")
    image.evaluate("each => each.decode()")
    assert image.evaluate("each => each.naturalWidth") > 50
    link = cards.first.get_by_role("link").get_attribute("href") or ""
    assert "/p/DEMO-" in link
    assert product not in link
    answer = Axe().run(page, context="kalas-similar")
    assert answer.violations_count == 0, answer.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 1

    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert (
        page.evaluate(
            "document.querySelector('kalas-similar').shadowRoot.activeElement.dataset.part"
        )
        == "open"
    )


def test_finds_what_is_similar_to_a_photo_of_ones_own(open_shop, house: House, product: str):
    photo = next(DEMO_PHOTOS.glob("clothing-t-shirt-*.jpg"))
    house.wait_until(
        lambda: house.count(ITS_VECTORS, f"DEMO-{photo.stem}") > 0,
        timeout_s=240,
        what="this very photo is indexed",
    )
    page = open_shop(sku=product)
    page.get_by_role("button", name="Find similar").click()
    status = page.get_by_role("status")
    expect(status).to_contain_text("similar items", timeout=ANSWER_MS)

    with page.expect_response("**/search/similar") as asked:
        page.locator("kalas-similar input[type=file]").set_input_files(photo)

    assert asked.value.ok
    expect(status).to_contain_text("similar items", timeout=ANSWER_MS)
    # The catalogue has this very photo.
    assert asked.value.json()["results"][0]["score"] > 0.9


@pytest.mark.parametrize(
    ("language", "found"), [("tr_TR", "benzer ürün"), ("", "similar items"), ("?", "similar items")]
)
def test_shows_prices_whatever_the_page_calls_its_language(
    open_shop, product: str, language: str, found: str
):
    page = open_shop(sku=product, language=language, locale="en-GB")

    def give_prices(route: Route) -> None:
        response = route.fetch()
        answer = response.json()
        for match in answer["results"]:
            match["product"].update(price=1234.5, currency="TRY")
        route.fulfill(response=response, json=answer)

    page.route("**/search/similar", give_prices)
    page.locator("kalas-similar [data-part=open]").click()

    expect(page.get_by_role("status")).to_contain_text(found, timeout=ANSWER_MS)
    expect(page.locator("kalas-similar .price").first).to_contain_text("234")


def test_searches_by_the_photo_while_nobody_has_looked_at_the_products(open_shop, product: str):
    page = open_shop(sku=product, attributes='data-image="/photo.jpg"')
    asked: list[dict[str, object]] = []

    def answer_nothing(route: Route) -> None:
        asked.append(route.request.post_data_json or {})
        route.fulfill(
            json={"asked": None, "results": []}, headers={"Access-Control-Allow-Origin": "*"}
        )

    page.route("**/search/similar", answer_nothing)
    page.get_by_role("button", name="Find similar").click()
    expect(page.get_by_role("status")).to_have_text("Nothing here looks like it.")

    assert [next(iter({"external_id", "image_url"} & set(each))) for each in asked] == [
        "external_id",
        "image_url",
    ]


def test_a_product_without_an_address_can_be_chosen_by_keyboard(open_shop, product: str):
    page = open_shop(sku=product)
    page.evaluate(
        "addEventListener('kalas-select', (event) => { window.chosen = event.detail.product })"
    )
    page.get_by_role("button", name="Find similar").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_contain_text("similar items", timeout=ANSWER_MS)
    expect(dialog).to_have_attribute("aria-busy", "false")

    dialog.get_by_role("listitem").first.get_by_role("button").press("Enter")

    assert page.evaluate("window.chosen.external_id").startswith("DEMO-")


def test_says_so_where_its_key_may_not_be_used(open_shop, product: str):
    page = open_shop(sku=product, host="localhost", attributes='data-language="tr"')

    page.get_by_role("button", name="Benzerlerini bul").click()

    expect(page.get_by_role("status")).to_have_text(
        "Aramaya ulaşılamıyor. Lütfen daha sonra yeniden deneyin.", timeout=ANSWER_MS
    )
    expect(page.get_by_role("button", name="Yeniden dene")).to_be_visible()
    assert f"Is {page.evaluate('location.origin')} listed with the key?" in " ".join(open_shop.said)
    open_shop.said.clear()


def make_match(title: str) -> dict[str, object]:
    shown = {"external_id": title, "title": title, "url": "", "price": None, "stock": ""}
    return {"product": shown, "thumbnail": None}


@pytest.mark.parametrize(
    ("language", "number", "said"),
    [
        ("en", 0, "Nothing here looks like it."),
        ("en", 1, "1 similar item"),
        ("en", 2, "2 similar items"),
        ("tr", 1, "1 benzer ürün"),
    ],
)
def test_says_how_many_it_found(open_shop, product: str, language: str, number: int, said: str):
    page = open_shop(sku=product, attributes=f'data-language="{language}"')
    found = {"asked": {}, "results": [make_match(f"Shirt {i}") for i in range(number)]}
    headers = {"Access-Control-Allow-Origin": "*"}
    page.route("**/search/similar", lambda route: route.fulfill(json=found, headers=headers))

    page.locator("kalas-similar [data-part=open]").click()

    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_have_text(said)
    expect(dialog.get_by_role("listitem")).to_have_count(number)

    page.unroute("**/search/similar")
    page.route("**/search/similar", lambda route: route.abort())
    dialog.locator("[data-part=file]").set_input_files(next(DEMO_PHOTOS.glob("*.jpg")))
    expect(
        dialog.get_by_role("button", name="Try again").or_(
            dialog.get_by_role("button", name="Yeniden dene")
        )
    ).to_be_visible()
    expect(dialog.get_by_role("listitem")).to_have_count(0)
    open_shop.said.clear()


@pytest.mark.parametrize(
    ("status", "problem", "said", "again"),
    [
        (401, {}, "Searching is not set up for this page.", False),
        (403, {}, "Searching is not set up for this page.", False),
        (413, {}, "This photo is too large. Please choose a smaller one.", False),
        (
            422,
            {"reason": "too-large"},
            "This photo is too large. Please choose a smaller one.",
            False,
        ),
        (422, {"reason": "damaged"}, "This photo can't be read. Please choose another one.", False),
        (429, {}, "Too many searches at once. Please try again in a minute.", True),
        (503, {}, "Many people are searching. Please try again in a moment.", True),
        (500, {}, "Searching does not work at the moment.", True),
    ],
)
def test_each_failure_has_a_text_of_its_own(
    open_shop, product: str, status: int, problem: dict[str, str], said: str, again: bool
):
    page = open_shop(sku=product)
    headers = {"Access-Control-Allow-Origin": "*"}
    page.route(
        "**/search/similar",
        lambda route: route.fulfill(status=status, json=problem, headers=headers),
    )

    page.get_by_role("button", name="Find similar").click()

    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_have_text(said)
    expect(dialog).to_have_attribute("aria-busy", "false")
    assert dialog.get_by_role("button", name="Try again").is_visible() == again
    open_shop.said.clear()


def test_a_visitor_who_is_offline_goes_on_later(open_shop, product: str):
    page = open_shop(sku=product)
    page.context.set_offline(True)
    page.get_by_role("button", name="Find similar").click()
    status = page.get_by_role("status")
    expect(status).to_have_text("You are offline. Check your connection and try again.")

    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()

    expect(status).to_contain_text("similar items", timeout=ANSWER_MS)
    open_shop.said.clear()


def test_a_bad_key_is_said(open_shop, shop, product: str, monkeypatch):
    monkeypatch.setattr(shop, "key", "kal_00000000_wrong")
    page = open_shop(sku=product)

    page.get_by_role("button", name="Find similar").click()

    expect(page.get_by_role("status")).to_have_text(
        "Searching is not set up for this page.", timeout=ANSWER_MS
    )
    open_shop.said.clear()


def test_the_keyboard_alone_is_enough(open_shop, product: str):
    page = open_shop(sku=product, viewport={"width": 360, "height": 740})
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Similar items")
    expect(dialog.get_by_role("status")).to_contain_text("similar items", timeout=ANSWER_MS)
    focused = "document.querySelector('kalas-similar').shadowRoot.activeElement"
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate(f"{focused}?.className || {focused}?.dataset.part || ''"))
    assert {"close", "pick"} <= seen
    assert "open" not in seen  # what is behind the dialog is not reached

    page.keyboard.press("Escape")

    expect(dialog).to_be_hidden()
    assert page.evaluate(f"{focused}.dataset.part") == "open"


def test_the_demo_page_of_the_documentation(browser: Browser, house: House):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.goto(f"{house.url.replace('127.0.0.1', 'localhost')}/docs/widget/")

    page.get_by_role("button", name="Find similar").click()
    status = page.locator("kalas-similar [role=status]")
    expect(status).to_contain_text("similar items", timeout=ANSWER_MS)
    expect(page.locator("kalas-similar li").first).to_be_visible()

    assert said == []
    page.close()
