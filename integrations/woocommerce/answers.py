"""What WooCommerce's answers mean, in the words of `failures`."""

import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from integrations.stores.failures import StoreFailed
from kalas.lib.safe_http import Answer

LONGEST_PAUSE = timedelta(hours=6)
# How PHP begins what it prints of a plug-in's defects.
_PRINTED = re.compile(r"<br ?/?>|(?:PHP )?(?:Warning|Notice|Deprecated|Strict Standards)\b")
MOST_STARTS = 5
_BUSY = frozenset({408, 425, 429})


def parse(answer: Answer) -> Any:
    """The JSON of a good answer. Raises StoreFailed for everything else."""
    data = _read_json(answer)
    if 200 <= answer.status < 300:
        if data is None:
            raise StoreFailed("not-json")
        return data
    raise explain(answer, data)


def explain(answer: Answer, data: Any) -> StoreFailed:
    code = str(data.get("code", "")) if isinstance(data, dict) else ""
    said = str(data.get("message", "")) if isinstance(data, dict) else ""
    pause = _read_pause(answer)
    if 300 <= answer.status < 400:
        return StoreFailed("redirected", about=read_target(answer))
    if answer.status in _BUSY or (answer.status == 503 and pause):
        return StoreFailed("busy", retry_after=pause)
    if answer.status >= 500:
        return StoreFailed("maintenance" if answer.status == 503 else "store-error")
    if not code:
        return StoreFailed("firewall" if answer.status in (401, 403, 406) else "not-json")
    if answer.status in (401, 403):
        return _explain_refusal(answer.status, code, said)
    return StoreFailed("refused", about=said or code)


def read_target(answer: Answer) -> str:
    """The address of a store that redirects, without what it was asked for and with which keys."""
    target = re.split(r"[?#]|/wp-json(?:/|$)", answer.header("location"), maxsplit=1)[0]
    return target.rstrip("/")


def read_code(answer: Answer) -> tuple[str, Any]:
    """The code of an error and what belongs to it; nothing where it is none of WooCommerce's."""
    data = _read_json(answer)
    if isinstance(data, dict) and isinstance(data.get("code"), str):
        return data["code"], data.get("data") or {}
    return "", {}


def _explain_refusal(status: int, code: str, said: str) -> StoreFailed:
    """One status for no key, a wrong key, a wrong permission and a header that got lost; another
    where the store knows who asks."""
    lowered = said.lower()
    if code == "woocommerce_rest_authentication_error":
        if "permission" in lowered:
            return StoreFailed("key-read-only")
        if "secret" in lowered or "signature" in lowered:
            return StoreFailed("secret-wrong")
        return StoreFailed("key-unknown")
    if code in ("woocommerce_rest_cannot_view", "rest_cannot_view", "rest_forbidden"):
        return StoreFailed("key-unheard" if status == 401 else "owner-without-rights")
    if code.startswith("woocommerce_rest_cannot"):
        return StoreFailed("owner-without-rights")
    return StoreFailed("refused", about=said or code)


def _read_json(answer: Answer) -> Any:
    """None for what is no JSON. Some stores print a warning or a byte-order mark before it."""
    text = answer.body.decode("utf-8-sig", "replace").strip()
    begin = _PRINTED.match(text)
    # Each warning ends with its line.
    starts = [each.start() for each in re.finditer(r"^[{[]", text, re.MULTILINE)] if begin else [0]
    for start in starts[:MOST_STARTS]:
        if text.startswith(("{", "["), start):
            try:
                return json.loads(text[start:])
            except ValueError:
                continue
    return None


def _read_pause(answer: Answer) -> timedelta:
    """Seconds, or a date."""
    value = answer.header("retry-after").strip()
    if _is_short(value):
        pause = timedelta(seconds=int(value))
    else:
        try:
            until = parsedate_to_datetime(value).astimezone(UTC)
        except ValueError:
            return timedelta(0)
        pause = until - datetime.now(UTC)
    return max(timedelta(0), min(pause, LONGEST_PAUSE))


def _is_short(value: str) -> bool:
    return value.isdecimal() and len(value) < 9
