"""What WooCommerce sends to Kalas: webhooks, their ping, and the keys somebody approved."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from integrations.stores.contract import BadSignature, Hint, HintKind

_PING = re.compile(rb"webhook_id=[0-9]{1,20}\Z")
GONE = frozenset({"woocommerce_rest_product_invalid_id", "woocommerce_rest_invalid_id"})


@dataclass(frozen=True, slots=True)
class Keys:
    key: str
    secret: str
    token: str
    can_write: bool


def is_ping(*, content_type: str, body: bytes) -> bool:
    """Sent unsigned while a webhook is made, and again until it is answered with 200."""
    is_form = content_type.partition(";")[0].strip() == "application/x-www-form-urlencoded"
    return is_form and bool(_PING.match(body))


def read_hint(*, headers: Mapping[str, str], body: bytes, secret: str) -> Hint:
    """Header names in lower case. Raises BadSignature before it looks at anything else."""
    expected = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256))
    given = headers.get("x-wc-webhook-signature", "").encode()
    if not secret or not hmac.compare_digest(expected, given):
        raise BadSignature
    topic = headers.get("x-wc-webhook-topic", "")
    # The delivery's own id is made from the second: many deliveries carry the same.
    identity = f"{headers.get('x-wc-webhook-id', '')} {topic}"
    try:
        data = json.loads(body)
    except ValueError:
        return Hint("bad", topic, identity=identity, about="JSON")
    return _read(data, topic, identity)


def _read(data: Any, topic: str, identity: str) -> Hint:
    if not isinstance(data, dict):
        return Hint("bad", topic, identity=identity, about="JSON")
    code = str(data.get("code", ""))
    if "id" not in data and code:
        kind: HintKind = "no-rights" if code.endswith("_cannot_view") else "ignored"
        return Hint(kind, topic, identity=identity, about=code)
    product_id = str(data.get("id", ""))
    if topic.startswith("action."):
        product_id = str(data.get("arg", ""))
    if not product_id.isdecimal() or not topic.startswith(("product.", "action.")):
        return Hint("ignored", topic, identity=identity, about="id")
    if data.get("type") == "variation" and str(data.get("parent_id", "")).strip("0"):
        product_id = str(data["parent_id"])
    kind = "deleted" if topic == "product.deleted" else "changed"
    return Hint("deleted" if kind == "deleted" else "changed", topic, product_id, identity)


def build_approval_address(
    *, store_url: str, app_name: str, token: str, return_url: str, callback_url: str
) -> str:
    """Where somebody who may manage the store lets Kalas in."""
    query = urlencode(
        {
            "app_name": app_name,
            "scope": "read_write",
            "user_id": token,
            "return_url": return_url,
            "callback_url": callback_url,
        },
        quote_via=quote,
    )
    return f"{store_url.rstrip('/')}/wc-auth/v1/authorize?{query}"


def read_keys(body: bytes) -> Keys | None:
    """What the store hands over after the approval; None for anything else."""
    try:
        data = json.loads(body)
    except ValueError:
        return None
    names = ("consumer_key", "consumer_secret", "user_id", "key_permissions")
    if not isinstance(data, dict) or not all(isinstance(data.get(n), str | int) for n in names):
        return None
    return Keys(
        key=str(data["consumer_key"]),
        secret=str(data["consumer_secret"]),
        token=str(data["user_id"]),
        can_write=data["key_permissions"] in ("read_write", "write"),
    )
