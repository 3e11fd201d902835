import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

TOLERANCE_S = 300


class Forged(Exception):
    """The message is not from Kalas, was changed, or is too old."""


def verify_webhook(headers: Mapping[str, str], body: bytes, secret: str) -> dict[str, Any]:
    """The message: `type`, `timestamp`, `data`. `body` as it came; raises Forged."""
    known = {name.lower(): value for name, value in headers.items()}
    stamp = known.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(time.time() - int(stamp)) > TOLERANCE_S:
        raise Forged("The timestamp is missing or too far from now.")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{known.get('webhook-id', '')}.{stamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    given = known.get("webhook-signature", "").encode().split(b" ")
    if not any(hmac.compare_digest(expected, each) for each in given):
        raise Forged("No signature fits.")
    message: dict[str, Any] = json.loads(body)
    return message
