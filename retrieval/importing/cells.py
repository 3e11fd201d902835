"""From the text of cells to a product's values, or to what is wrong with them and what to do."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext as _

from kalas.lib.formulas import unescape_formula
from retrieval.models import LONGEST_SOURCE, Product
from retrieval.services.photos import MOST_PHOTOS

_WEB_ADDRESS = URLValidator(schemes=["http", "https"])
_SYMBOLS = {"₺": "TRY", "TL": "TRY", "€": "EUR", "$": "USD", "£": "GBP"}
_LARGEST_PRICE = Decimal(10) ** 10
_IN_STOCK = {
    "in stock", "instock", "in_stock", "in-stock", "yes", "true", "available", "var", "evet",
    "stokta", "mevcut",
}  # fmt: skip
_OUT_OF_STOCK = {
    "out of stock", "outofstock", "out_of_stock", "out-of-stock", "no", "false", "sold out", "yok",
    "hayır", "tükendi", "stokta yok",
}  # fmt: skip
# As stores call it, and the numbers of WooCommerce's files, in which -1 is a draft.
_LISTED = {
    "", "yes", "true", "1", "published", "publish", "active", "visible", "evet", "yayında", "aktif",
    "açık",
}  # fmt: skip
_NOT_LISTED = {
    "no", "false", "0", "-1", "unpublished", "draft", "pending", "private", "archived", "inactive",
    "hidden", "hayır", "taslak", "pasif", "kapalı", "gizli", "arşiv",
}  # fmt: skip
_PREORDER = {"preorder", "pre-order", "onbackorder", "backorder", "ön sipariş"}


@dataclass(frozen=True, slots=True)
class Problem:
    field: str
    value: str
    detail: str


@dataclass(slots=True)
class ParsedRow:
    """`values` holds only fields that the file has; `images` addresses or names in the archive."""

    number: int
    external_id: str = ""
    values: dict[str, object] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def parse_row(
    number: int,
    cells: Sequence[str],
    *,
    column_of: Mapping[str, Sequence[int]],
    currency: str,
    archive: Collection[str],
) -> ParsedRow:
    """One row; where anything is wrong with it, `problems` says so and none of it is used."""
    row = ParsedRow(number)
    texts = {
        name: [unescape_formula(cells[index]) for index in indices if index < len(cells)]
        for name, indices in column_of.items()
    }
    single = {name: found[0] if found else "" for name, found in texts.items()}
    row.external_id = _read_text(row, "external_id", single.get("external_id", ""), 200)
    if not row.external_id and not row.problems:
        _complain(row, "external_id", "", _("The product id is empty. Write one."))
    for name, longest in (("title", 500), ("description", 20_000)):
        if name in single:
            row.values[name] = _read_text(row, name, single[name], longest)
    if "url" in single:
        row.values["url"] = _read_address(row, single["url"])
    _read_price(row, single, currency)
    if "stock" in single:
        row.values["stock"] = _read_stock(row, single["stock"])
    if "listed" in single:
        row.values["listed"] = _read_listed(row, single["listed"])
    row.images = _read_images(row, texts.get("images", []), archive)
    return row


def _read_text(row: ParsedRow, name: str, text: str, longest: int) -> str:
    if len(text) > longest:
        _complain(row, name, text, _("Longer than %d characters. Shorten it.") % longest)
    return text


def _read_address(row: ParsedRow, text: str) -> str:
    if text:
        try:
            if len(text) > 2000:
                raise ValidationError("")
            _WEB_ADDRESS(text)
        except ValidationError:
            detail = _("This is no web address such as https://example.com/shirt.")
            _complain(row, "url", text, detail)
    return text


def _read_price(row: ParsedRow, single: Mapping[str, str], default: str) -> None:
    named = single.get("currency", "").strip().upper()
    named = _SYMBOLS.get(named, named)
    if named and not re.fullmatch(r"[A-Z]{3}", named):
        detail = _("Write the currency with three letters, such as TRY or EUR.")
        _complain(row, "currency", named, detail)
        return
    if "price" not in single:
        if "currency" in single:
            row.values["currency"] = named
        return
    number, symbol = _split_price(single["price"])
    price = _parse_number(number)
    if single["price"] and price is None:
        detail = _("This is no price. Write it like 1299.90 or 1299,90, with two decimals.")
        _complain(row, "price", single["price"], detail)
        return
    row.values["price"] = price
    row.values["currency"] = named or symbol or (default if price is not None else "")


def _split_price(text: str) -> tuple[str, str]:
    """`₺1.299,90` → the number and TRY."""
    match = re.fullmatch(r"([^\d,.+-]*)([\d,. '\u00a0\u202f]+)([^\d,.]*)", text.strip())
    if match is None:
        return text, ""
    sign = (match[1].strip() or match[3].strip()).upper()
    symbol = _SYMBOLS.get(sign, sign)
    return (match[2], symbol) if not sign or re.fullmatch(r"[A-Z]{3}", symbol) else (text, "")


def _parse_number(text: str) -> Decimal | None:
    """None for what can't be understood in one way only: 1.299 may be either."""
    plain = re.sub(r"[ '\u00a0\u202f]", "", text)
    whole, _sep, _rest = plain.partition(".")
    if re.fullmatch(r"\d+([.,]\d{1,2})?", plain):
        number = Decimal(plain.replace(",", "."))
    elif re.fullmatch(r"\d{1,3}(\.\d{3})+,\d{1,2}|\d{1,3}(\.\d{3}){2,}", plain):
        number = Decimal(plain.replace(".", "").replace(",", "."))
    elif re.fullmatch(r"\d{1,3}(,\d{3})+\.\d{1,2}|\d{1,3}(,\d{3}){2,}", plain):
        number = Decimal(plain.replace(",", ""))
    elif re.fullmatch(r"\d+\.\d{2}0+", plain):
        number = Decimal(whole + plain[len(whole) : len(whole) + 3])
    else:
        return None
    return number if number < _LARGEST_PRICE else None


def _read_stock(row: ParsedRow, text: str) -> Product.Stock:
    word = text.strip().casefold()
    if not word:
        return Product.Stock.UNKNOWN
    if word in _PREORDER:
        return Product.Stock.PREORDER
    if re.fullmatch(r"-?\d+([.,]0+)?", word):
        return Product.Stock.OUT_OF_STOCK if word[0] in "-0" else Product.Stock.IN_STOCK
    if word in _IN_STOCK:
        return Product.Stock.IN_STOCK
    if word not in _OUT_OF_STOCK:
        detail = _("Write “in stock”, “out of stock”, “preorder” or a number.")
        _complain(row, "stock", text, detail)
    return Product.Stock.OUT_OF_STOCK


def _read_listed(row: ParsedRow, text: str) -> bool:
    word = text.strip().casefold()
    if word not in _LISTED | _NOT_LISTED:
        _complain(row, "listed", text, _("Write “yes” or “no”."))
    return word in _LISTED


def _read_images(row: ParsedRow, texts: Sequence[str], archive: Collection[str]) -> list[str]:
    found: dict[str, None] = {}
    for text in texts:
        for part in re.split(r"[|\n]|[,;]\s*(?=https?://)", text):
            found.update({part.strip(): None} if part.strip() else {})
    if len(found) > MOST_PHOTOS:
        detail = _("A product may have %d photos. Leave some out.") % MOST_PHOTOS
        _complain(row, "images", str(len(found)), detail)
        return []
    for source in found:
        if source in archive:
            continue
        try:
            # In bytes: an index holds it.
            if len(source.encode()) > LONGEST_SOURCE:
                raise ValidationError("")
            _WEB_ADDRESS(source)
        except ValidationError:
            detail = (
                _("The archive has no photo of this name.")
                if archive
                else _("This is no web address of a photo, such as https://example.com/shirt.jpg.")
            )
            _complain(row, "images", source, detail)
    return list(found)


def _complain(row: ParsedRow, name: str, value: str, detail: str) -> None:
    row.problems.append(Problem(name, value[:200], detail))
