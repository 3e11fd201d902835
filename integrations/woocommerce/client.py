"""WooCommerce's REST API (wc/v3), asked with the shop's own keys.

Over https the keys go as Basic authentication, or into the address where a server removes that
header; over plain http each request is signed as OAuth 1.0a says, which is all that works there.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from integrations.stores.failures import StoreFailed
from integrations.woocommerce import answers
from kalas.lib import safe_http
from kalas.lib.request_failures import RequestFailed
from kalas.lib.safe_http import Answer, Method

ROOT = "/wp-json/wc/v3/"
LONGEST_ANSWER = 16 * 1024 * 1024
# Of a page of products: a large one takes a small host seconds.
DEADLINE_S = 30.0
PAGE = 50
MOST_PAGES = 5000

Params = Mapping[str, str | int]


class Client:
    """One store. `credentials` have `key`, `secret` and, once it is known, `style`."""

    def __init__(
        self,
        *,
        url: str,
        credentials: Mapping[str, str],
        save: Callable[[Mapping[str, str]], None] = lambda _values: None,
        timestamp: Callable[[], float] = time.time,
    ) -> None:
        self.url = url.rstrip("/")
        self._credentials = dict(credentials)
        self._save = save
        self._timestamp = timestamp

    def get(self, path: str, **params: str | int) -> Any:
        return answers.parse(self.send("GET", path, params=params))

    def get_page(self, path: str, **params: str | int) -> tuple[list[Any], Answer]:
        answer = self.send("GET", path, params={"per_page": PAGE, **params})
        found = answers.parse(answer)
        if not isinstance(found, list):
            raise StoreFailed("not-json")
        return found, answer

    def iterate(self, path: str, **params: str | int) -> Iterator[Any]:
        page = 1
        while True:
            found, answer = self.get_page(path, page=page, **params)
            yield from found
            # How many there are the store says; that there are more it has to show.
            if not found or page >= min(count_pages(answer), MOST_PAGES):
                return
            page += 1

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return answers.parse(self.send("POST", path, body=body))

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        return answers.parse(self.send("PUT", path, body=body))

    def delete(self, path: str) -> Any:
        return answers.parse(self.send("DELETE", path, params={"force": "true"}))

    def send(
        self,
        method: Method,
        path: str,
        *,
        params: Params | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """One request; any status is an answer. Raises StoreFailed where there is none."""
        styles = self._list_styles()
        for number, style in enumerate(styles, start=1):
            answer = self._send(method, path, dict(params or {}), body, style)
            code, _data = answers.read_code(answer)
            is_unheard = answer.status == 401 and code.endswith("_cannot_view")
            if not is_unheard or number == len(styles):
                break
        if answer.status < 400 and "style" not in self._credentials:
            self._credentials["style"] = style
            self._save(self._credentials)
        return answer

    def fetch_public(self, path: str) -> Answer:
        """What everybody may see, such as whether there is WordPress at all."""
        return self._ask("GET", f"{self.url}{path}", {}, b"")

    def _list_styles(self) -> list[str]:
        if self.url.startswith("http://"):
            return ["oauth"]
        known = self._credentials.get("style", "")
        return [known] if known in ("basic", "query") else ["basic", "query"]

    def _send(
        self,
        method: Method,
        path: str,
        params: dict[str, str | int],
        body: Mapping[str, Any] | None,
        style: str,
    ) -> Answer:
        url = f"{self.url}{ROOT}{path}"
        key, secret = self._credentials.get("key", ""), self._credentials.get("secret", "")
        headers = {"Accept": "application/json"}
        if style == "basic":
            pair = base64.b64encode(f"{key}:{secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        elif style == "query":
            params |= {"consumer_key": key, "consumer_secret": secret}
        else:
            timestamp = int(self._timestamp())
            params = sign(
                method=method, url=url, params=params, key=key, secret=secret, timestamp=timestamp
            )
        data = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        target = f"{url}?{urlencode(params, quote_via=quote)}" if params else url
        return self._ask(method, target, headers, data)

    def _ask(self, method: Method, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        policy = safe_http.read_policy(max_bytes=LONGEST_ANSWER, deadline_s=DEADLINE_S)
        try:
            return safe_http.send(method=method, url=url, policy=policy, headers=headers, body=body)
        except RequestFailed as error:
            raise StoreFailed(error.code) from error


def sign(
    *,
    method: str,
    url: str,
    params: Params,
    key: str,
    secret: str,
    timestamp: int,
    nonce: str = "",
) -> dict[str, str | int]:
    """The parameters with those of OAuth 1.0a (RFC 5849, one-legged, HMAC-SHA256)."""
    signed: dict[str, str | int] = {
        **params,
        "oauth_consumer_key": key,
        "oauth_nonce": nonce or secrets.token_hex(16),
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": timestamp,
    }
    pairs = sorted((_escape(str(name)), _escape(str(value))) for name, value in signed.items())
    listed = "&".join(f"{name}={value}" for name, value in pairs)
    base = "&".join([method, _escape(url), _escape(listed)])
    digest = hmac.digest(f"{secret}&".encode(), base.encode(), hashlib.sha256)
    signed["oauth_signature"] = base64.b64encode(digest).decode()
    return signed


def count_pages(answer: Answer) -> int:
    value = answer.header("x-wp-totalpages")
    return int(value) if value.isdecimal() else 1


def count_all(answer: Answer) -> int | None:
    value = answer.header("x-wp-total")
    return int(value) if value.isdecimal() else None


def _escape(text: str) -> str:
    return quote(text, safe="~")
