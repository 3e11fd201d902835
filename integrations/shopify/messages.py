"""What Shopify sends: webhooks, signed over the raw body with the app's secret."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, quote, urlencode

from integrations.stores.contract import BadSignature, Hint, HintKind

# What every app must answer to; nothing of customers is kept here.
COMPLIANCE = ("customers/data_request", "customers/redact", "shop/redact")
SCOPES = ("read_products", "write_products", "read_files", "write_files")


def read_hint(*, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> Hint:
    """Header names in lower case. Raises BadSignature before it looks at anything else.

    `secrets` are the app's and, for an hour after it was replaced, the one before.
    """
    check_signature(headers=headers, body=body, secrets=secrets)
    topic = headers.get("x-shopify-topic", "")
    identity = headers.get("x-shopify-webhook-id", "")
    kinds: dict[str, HintKind] = {
        "products/create": "changed",
        "products/update": "changed",
        "products/delete": "deleted",
        "app/uninstalled": "uninstalled",
        "shop/redact": "redact",
    }
    kind = kinds.get(topic, "ignored")
    try:
        data = json.loads(body)
    except ValueError:
        return Hint("bad", topic, identity=identity, about="JSON")
    product_id = str(data.get("id", "")) if isinstance(data, dict) else ""
    if kind in ("changed", "deleted") and not product_id.isdecimal():
        return Hint("bad", topic, identity=identity, about="id")
    named = product_id if kind in ("changed", "deleted") else ""
    return Hint(kind, topic, named, identity)


def check_signature(*, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> None:
    """Raises BadSignature."""
    given = headers.get("x-shopify-hmac-sha256", "").encode()
    expected = [
        base64.b64encode(hmac.digest(each.encode(), body, hashlib.sha256))
        for each in secrets
        if each
    ]
    if not any(hmac.compare_digest(each, given) for each in expected):
        raise BadSignature


def build_approval_address(*, url: str, client_id: str, token: str, return_url: str) -> str:
    query = {
        "client_id": client_id,
        "scope": ",".join(SCOPES),
        "redirect_uri": return_url,
        "state": token,
    }
    return f"{url}/admin/oauth/authorize?{urlencode(query, quote_via=quote)}"


def check_approval(*, query: str, secret: str) -> dict[str, str]:
    """The parameters that Shopify sent its merchant back with. Raises BadSignature."""
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    given = pairs.pop("hmac", "")
    message = "&".join(f"{name}={value}" for name, value in sorted(pairs.items()))
    expected = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    if not secret or not hmac.compare_digest(expected.encode(), given.encode()):
        raise BadSignature
    return pairs
