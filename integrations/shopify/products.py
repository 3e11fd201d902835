"""Shopify's products as the core sees them."""

import html
import json
import re
from collections.abc import Mapping
from typing import Any

from integrations.stores.contract import RemoteAttribute, RemoteImage, RemoteProduct

NAMESPACE = "kalas"
MARKER_KEY = "written"
LIST_TYPE = "list.single_line_text_field"
_TAGS = re.compile(r"<[^>]*>")


def make_id(number: str) -> str:
    return f"gid://shopify/Product/{number}"


def read_number(gid: str) -> str:
    return gid.rpartition("/")[2]


def read_product(raw: Mapping[str, Any]) -> RemoteProduct:
    names = read_note(raw).get("names", {})
    price = ((raw.get("priceRangeV2") or {}).get("minVariantPrice") or {}).get("amount") or ""
    return RemoteProduct(
        id=read_number(str(raw["id"])),
        title=str(raw.get("title") or ""),
        description=html.unescape(_TAGS.sub(" ", str(raw.get("descriptionHtml") or ""))).strip(),
        url=str(raw.get("onlineStoreUrl") or ""),
        price=str(price),
        stock=_read_stock(raw),
        is_public=raw.get("status", "ACTIVE") == "ACTIVE",
        images=tuple(
            RemoteImage(
                str(each["id"]), str(each["preview"]["image"]["url"]), each.get("alt") or ""
            )
            for each in (raw.get("media") or {}).get("nodes", ())
            if each.get("mediaContentType") == "IMAGE" and (each.get("preview") or {}).get("image")
        ),
        tags=tuple(str(each) for each in raw.get("tags") or ()),
        categories=(str(raw["category"]["name"]),) if raw.get("category") else (),
        attributes=tuple(
            RemoteAttribute(str(names.get(each["key"], _spell(each["key"]))), _read_list(each))
            for each in _list_metafields(raw)
            if each["key"] != MARKER_KEY and each.get("type") == LIST_TYPE
        ),
        modified_at=str(raw.get("updatedAt") or ""),
        marker=str(read_note(raw).get("marker", "")),
    )


def read_note(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What Kalas noted at the product: its last write, and what its metafields are called."""
    for each in _list_metafields(raw):
        if each["key"] == MARKER_KEY:
            try:
                note = json.loads(each["value"])
            except ValueError:
                return {}
            return note if isinstance(note, dict) else {}
    return {}


def find_digest(raw: Mapping[str, Any], key: str) -> str | None:
    """Of a metafield's value as it was read; None where there is none."""
    for each in _list_metafields(raw):
        if each["key"] == key:
            return str(each["compareDigest"])
    return None


def _list_metafields(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list((raw.get("metafields") or {}).get("nodes", ()))


def _read_list(metafield: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        values = json.loads(metafield["value"])
    except ValueError:
        return ()
    return tuple(str(each) for each in values) if isinstance(values, list) else ()


def _read_address(media: Mapping[str, Any]) -> str:
    return str(media["preview"]["image"]["url"])


def _spell(key: str) -> str:
    return key.replace("-", " ").replace("_", " ").capitalize()


def _read_stock(raw: Mapping[str, Any]) -> str:
    if not raw.get("tracksInventory"):
        return "in-stock"
    return "in-stock" if int(raw.get("totalInventory") or 0) > 0 else "out-of-stock"
