from decimal import Decimal

import pytest

from retrieval.importing.cells import ParsedRow, parse_row
from retrieval.importing.columns import check_mapping, guess_mapping


def parse(currency: str = "", archive: tuple[str, ...] = (), **cells: str) -> ParsedRow:
    cells = {"external_id": "A1", **cells}
    column_of = {name: [index] for index, name in enumerate(cells)}
    return parse_row(
        2, list(cells.values()), column_of=column_of, currency=currency, archive=archive
    )


@pytest.mark.parametrize(
    ("header", "mapping"),
    [
        (["id", "title", "price"], ["external_id", "title", "price"]),
        (["SKU", "Name", "Regular price"], ["external_id", "title", "price"]),
        (["Handle", "Title", "Body (HTML)", "Image Src"],
         ["external_id", "title", "description", "images"]),
        (["Ürün Kodu", "ÜRÜN ADI", "Satış Fiyatı", "Görsel 1", "Görsel 2"],
         ["external_id", "title", "price", "images", "images"]),
        (["product_id", "id", "stok"], ["external_id", "", "stock"]),
        (["colour", ""], ["", ""]),
    ],
)  # fmt: skip
def test_guesses_what_columns_mean(header, mapping):
    assert guess_mapping(header) == mapping


def test_says_what_is_wrong_with_a_mapping():
    assert "product id" in check_mapping(["title"])
    assert "Title" in check_mapping(["external_id", "title", "title"])
    assert check_mapping(["external_id", "images", "images", ""]) == ""


@pytest.mark.parametrize(
    ("text", "price", "currency"),
    [
        ("1299.90", "1299.90", ""),
        ("1299,9", "1299.9", ""),
        ("1.299,90 TL", "1299.90", "TRY"),
        ("₺1.299,90", "1299.90", "TRY"),
        ("$1,299.90", "1299.90", "USD"),
        ("1 299,90 €", "1299.90", "EUR"),
        ("GBP 12", "12", "GBP"),
        ("1.234.567", "1234567", ""),
        ("0", "0", ""),
        ("19.9000", "19.90", ""),
    ],
)
def test_understands_prices(text, price, currency):
    row = parse(price=text)

    assert row.problems == []
    assert (row.values["price"], row.values["currency"]) == (Decimal(price), currency)


@pytest.mark.parametrize(
    "text", ["1.299", "1,299", "-5", "free", "1.2.3", "=1+1", "12 and 13", "99999999999", "1e9"]
)
def test_refuses_prices_that_may_mean_two_things(text):
    (problem,) = parse(price=text).problems

    assert (problem.field, problem.value) == ("price", text)


def test_an_empty_price_is_none():
    assert parse(price="", currency="TRY").values == {"price": None, "currency": ""}


def test_prices_without_currency_get_the_chosen_one():
    assert parse("TRY", price="5").values["currency"] == "TRY"
    assert parse("TRY", price="5 €").values["currency"] == "EUR"


@pytest.mark.parametrize(
    ("text", "stock"),
    [("in stock", "in-stock"), ("VAR", "in-stock"), ("12", "in-stock"), ("0", "out-of-stock"),
     ("-3", "out-of-stock"), ("Tükendi", "out-of-stock"), ("pre-order", "preorder"), ("", "")],
)  # fmt: skip
def test_understands_stock(text, stock):
    assert parse(stock=text).values["stock"] == stock


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stock", "maybe"),
        ("url", "javascript:alert(1)"),
        ("url", "https://" + "x" * 2000),
        ("title", "x" * 501),
        ("description", "x" * 20_001),
        ("images", "shirt.jpg"),
        ("images", "file:///etc/passwd"),
        ("images", "|".join(f"https://shop.example/{i}.jpg" for i in range(201))),
    ],
)
def test_says_which_field_is_wrong(name, text):
    (problem,) = parse(**{name: text}).problems

    assert problem.field == name
    assert problem.detail
    assert len(problem.value) <= 200


def test_a_row_needs_an_id():
    assert [p.field for p in parse(external_id="").problems] == ["external_id"]
    assert [p.field for p in parse(external_id="x" * 201).problems] == ["external_id"]


def test_reads_photos_apart():
    text = "https://a.example/1.jpg, https://a.example/2.jpg|https://a.example/1.jpg"

    assert parse(images=text).images == ["https://a.example/1.jpg", "https://a.example/2.jpg"]
    assert parse(images="a.jpg|b.jpg", archive=("a.jpg", "b.jpg")).images == ["a.jpg", "b.jpg"]
