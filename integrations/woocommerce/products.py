"""WooCommerce's products as the core sees them, and changes as WooCommerce takes them."""

import html
import re
from collections.abc import Callable, Mapping
from typing import Any

from integrations.stores.changes import fold
from integrations.stores.contract import Change, RemoteAttribute, RemoteImage, RemoteProduct

FIELDS = ",".join(
    (
        *("id", "name", "permalink", "date_modified_gmt", "type", "status", "description"),
        *("short_description", "price", "stock_status", "parent_id", "categories", "tags"),
        *("images", "image", "attributes", "meta_data"),
    )
)
MARKER = "_kalas"
# The category that WooCommerce gives to products without one.
PLACEHOLDER = frozenset({"uncategorized", "uncategorised"})
LONGEST_TERM = 200
# More than people write; what goes beyond is not looked at, and stays in the store as it is.
LONGEST_TITLE, LONGEST_TEXT = 1000, 20_000
MOST_TERMS, MOST_IMAGES, MOST_ATTRIBUTES = 500, 200, 100
_STOCK = {"instock": "in-stock", "outofstock": "out-of-stock", "onbackorder": "preorder"}
_TAGS = re.compile(r"<[^>]*>")

# Kind, name and parent of a term → its id; None where there is none and none may be made.
FindTerm = Callable[[str, str], int | None]


def read_product(raw: Mapping[str, Any]) -> RemoteProduct:
    is_variation = raw.get("type") == "variation"
    return RemoteProduct(
        id=str(raw["id"]),
        title=_plain(raw.get("name"))[:LONGEST_TITLE],
        description=(_plain(raw.get("description")) or _plain(raw.get("short_description")))[
            :LONGEST_TEXT
        ],
        url=str(raw.get("permalink") or ""),
        price=str(raw.get("price") or ""),
        stock=_STOCK.get(str(raw.get("stock_status")), ""),
        is_public=raw.get("status", "publish") == "publish",
        is_there=raw.get("status") != "trash",
        parent_id=str(raw.get("parent_id") or "") if is_variation else "",
        images=tuple(
            RemoteImage(
                str(each["id"]), str(each["src"]), str(each.get("alt") or "")[:LONGEST_TITLE]
            )
            for each in (raw.get("images") or ())[:MOST_IMAGES]
            if each.get("src")
        ),
        tags=tuple(_name(each) for each in (raw.get("tags") or ())[:MOST_TERMS]),
        categories=tuple(
            _name(each)
            for each in (raw.get("categories") or ())[:MOST_TERMS]
            if not is_placeholder(each)
        ),
        attributes=tuple(
            RemoteAttribute(
                _name(each),
                tuple(str(option) for option in (each.get("options") or ())[:MOST_TERMS]),
                is_fixed=bool(each.get("variation")),
            )
            for each in (raw.get("attributes") or ())[:MOST_ATTRIBUTES]
        ),
        modified_at=str(raw.get("date_modified_gmt") or ""),
        marker=_read_marker(raw),
    )


def build_body(
    raw: Mapping[str, Any], change: Change, *, find_term: FindTerm, marker: str
) -> dict[str, Any]:
    """Lists are replaced as a whole, so each holds all that was there."""
    body: dict[str, Any] = {"meta_data": [{"key": MARKER, "value": marker}]}
    if change.add_tags or change.remove_tags:
        body["tags"] = _merge(raw, "tags", change.add_tags, change.remove_tags, find_term)
    if change.add_categories or change.remove_categories:
        body["categories"] = _merge(
            raw, "categories", change.add_categories, change.remove_categories, find_term
        )
    if change.attributes:
        body["attributes"] = _merge_attributes(raw, change, find_term)
    if change.alts:
        body["images"] = [
            # An empty text is ignored, a blank one is stored as an empty one.
            {"id": each["id"], "alt": change.alts[str(each["id"])] or " "}
            if str(each["id"]) in change.alts
            else {"id": each["id"]}
            for each in raw.get("images") or ()
        ]
    return body


def clean_term(name: str) -> str:
    """A name as a store can hold it: a bar would split it in two."""
    return name.replace("|", "/")[:LONGEST_TERM]


def is_placeholder(category: Mapping[str, Any]) -> bool:
    return str(category.get("slug", "")) in PLACEHOLDER


def _merge(
    raw: Mapping[str, Any],
    kind: str,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    find_term: FindTerm,
) -> list[dict[str, int]]:
    gone = set(map(fold, removed))
    kept = [
        each["id"]
        for each in raw.get(kind) or ()
        if fold(each["name"]) not in gone and not (kind == "categories" and is_placeholder(each))
    ]
    found = [find_term(kind, name) for name in added]
    return [{"id": each} for each in dict.fromkeys([*kept, *found]) if each is not None]


def _merge_attributes(
    raw: Mapping[str, Any], change: Change, find_term: FindTerm
) -> list[dict[str, Any]]:
    wanted = {fold(each.name): each for each in change.attributes}
    merged = []
    for each in raw.get("attributes") or ():
        new = wanted.pop(fold(each["name"]), None)
        if new is None:
            merged.append(_keep_attribute(each))
        elif new.options:
            merged.append({**_keep_attribute(each), "options": _clean(new.options)})
    merged += [
        {
            "id": find_term("attributes", new.name),
            "options": _clean(new.options),
            "visible": True,
            "variation": False,
            "position": len(merged) + number,
        }
        for number, new in enumerate(each for each in wanted.values() if each.options)
    ]
    return merged


def _keep_attribute(each: Mapping[str, Any]) -> dict[str, Any]:
    """One of the product's own has no id but its name."""
    named = {"id": each["id"]} if each.get("id") else {"name": each["name"]}
    kept = ("options", "visible", "variation", "position")
    return {**named, **{name: each[name] for name in kept if name in each}}


def _clean(options: tuple[str, ...]) -> list[str]:
    return [clean_term(option) for option in options]


def _name(term: Mapping[str, Any]) -> str:
    return html.unescape(str(term.get("name") or ""))


def _plain(text: Any) -> str:
    return html.unescape(_TAGS.sub(" ", str(text or ""))).strip()


def _read_marker(raw: Mapping[str, Any]) -> str:
    values = [each.get("value") for each in raw.get("meta_data") or () if each.get("key") == MARKER]
    return str(values[-1]) if values else ""
