"""What shops' own software sends: a product as JSON, signed as Standard Webhooks describes.

The message is the product: there is nothing else to ask. What it leaves out stays as it was told
before, so a shop need not repeat what it never changes.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from integrations.stores.contract import (
    BadSignature,
    Hint,
    RemoteAttribute,
    RemoteImage,
    RemoteProduct,
)

PREFIX = "whsec_"
# Of the timestamp, either way: what is older may have been recorded by somebody.
TOLERANCE_S = 300
EVENTS = ("product.changed", "product.deleted")
MOST_IMAGES, MOST_WORDS = 50, 100
_TEXTS = {"title": 500, "description": 20_000, "url": 2000, "price": 20}
_STOCKS = ("in-stock", "out-of-stock", "preorder")


class Refused(ValueError):
    """The message is signed right and says nothing that can be used; the text says why."""


def read_hint(
    *, headers: Mapping[str, str], body: bytes, secret: str, timestamp: float, known: "Known"
) -> Hint:
    """Raises BadSignature before it looks at anything else.

    `known` gives a product as it was told before.
    """
    check_signature(headers=headers, body=body, secret=secret, timestamp=timestamp)
    identity = headers["webhook-id"]
    try:
        return _read(json.loads(body), identity, known)
    except Refused as error:
        return Hint("bad", identity=identity, about=str(error))
    except (ValueError, RecursionError):
        return Hint("bad", identity=identity, about="The body is no JSON.")


def check_signature(
    *, headers: Mapping[str, str], body: bytes, secret: str, timestamp: float
) -> None:
    """Raises BadSignature."""
    name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    is_fresh = stamp.isdecimal() and len(stamp) < 13 and abs(timestamp - int(stamp)) <= TOLERANCE_S
    if not name or not is_fresh or not secret.startswith(PREFIX):
        raise BadSignature
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX))
    except binascii.Error as error:
        raise BadSignature from error
    content = f"{name}.{stamp}.".encode() + body
    expected = f"v1,{base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()}"
    given = headers.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(expected.encode(), each.encode()) for each in given):
        raise BadSignature


class Known:
    """Products as they were told before; none here."""

    def find(self, product_id: str) -> RemoteProduct | None:
        return None


def _read(data: Any, identity: str, known: Known) -> Hint:
    if not isinstance(data, dict) or data.get("type") not in EVENTS:
        raise Refused(f"“type” must be one of {', '.join(EVENTS)}.")
    product = data.get("data")
    if not isinstance(product, dict):
        raise Refused("“data” must be an object.")
    product_id = product.get("id")
    if isinstance(product_id, bool) or not isinstance(product_id, str | int) or product_id == "":
        raise Refused("“data.id” must be your id of the product, a text or a number.")
    product_id = str(product_id)
    if len(product_id) > 200:
        raise Refused("“data.id” may have 200 characters.")
    before = known.find(product_id) or RemoteProduct(product_id)
    if data["type"] == "product.deleted":
        gone = RemoteProduct(product_id, is_there=False)
        return Hint("deleted", data["type"], product_id, identity, product=gone)
    told = _merge(before, product)
    return Hint("changed", data["type"], product_id, identity, product=told)


def _merge(before: RemoteProduct, data: Mapping[str, Any]) -> RemoteProduct:
    values = before.to_json() | {"is_there": True}
    for name, longest in _TEXTS.items():
        if name in data:
            values[name] = _read_text(data, name, longest)
    if "stock" in data:
        if data["stock"] not in _STOCKS:
            raise Refused(f"“data.stock” must be one of {', '.join(_STOCKS)}.")
        values["stock"] = data["stock"]
    if "published" in data:
        if not isinstance(data["published"], bool):
            raise Refused("“data.published” must be true or false.")
        values["is_public"] = data["published"]
    if "images" in data:
        values["images"] = _read_images(data["images"], before)
    for name in ("tags", "categories"):
        if name in data:
            values[name] = _read_words(data[name], name)
    if "attributes" in data:
        values["attributes"] = _read_attributes(data["attributes"])
    return RemoteProduct.from_json(values)


def _read_text(data: Mapping[str, Any], name: str, longest: int) -> str:
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refused(f"“data.{name}” must be a text.")
    text = str(value).replace("\0", "")
    if len(text) > longest:
        raise Refused(f"“data.{name}” may have {longest} characters.")
    return text


def _read_images(data: Any, before: RemoteProduct) -> list[dict[str, str]]:
    if not isinstance(data, list) or len(data) > MOST_IMAGES:
        raise Refused(f"“data.images” must be a list of at most {MOST_IMAGES} photos.")
    known = {image.id: image.alt for image in before.images}
    images = []
    for entry in data:
        each = {"url": entry} if isinstance(entry, str) else entry
        url = each.get("url") if isinstance(each, dict) else None
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise Refused("Each of “data.images” needs a “url” that begins with https://.")
        image_id = str(each.get("id") or url)[:200]
        alt = each.get("alt", known.get(image_id, ""))
        image = RemoteImage(image_id, url[:2000], str(alt or "")[:1000])
        images.append({"id": image.id, "url": image.url, "alt": image.alt})
    return images


def _read_words(data: Any, name: str) -> list[str]:
    is_list = isinstance(data, list) and len(data) <= MOST_WORDS
    if not is_list or not all(isinstance(each, str) for each in data):
        raise Refused(f"“data.{name}” must be a list of at most {MOST_WORDS} texts.")
    return [each[:200] for each in data if each.strip()]


def _read_attributes(data: Any) -> list[dict[str, Any]]:
    if not isinstance(data, dict) or len(data) > MOST_WORDS:
        raise Refused("“data.attributes” must be an object such as {“Pattern”: [“Striped”]}.")
    found = []
    for name, words in data.items():
        options = tuple(_read_words([words] if isinstance(words, str) else words, "attributes"))
        attribute = RemoteAttribute(str(name)[:200], options)
        found.append(
            {"name": attribute.name, "options": attribute.options, "is_fixed": attribute.is_fixed}
        )
    return found
