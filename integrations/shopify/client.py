"""Shopify's GraphQL Admin API, within the budget that it gives each app and store."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from integrations.stores.failures import StoreFailed
from kalas.lib import safe_http
from kalas.lib.request_failures import RequestFailed
from kalas.lib.safe_http import Answer

VERSION = "2026-10"
LONGEST_ANSWER = 8 * 1024 * 1024
DEADLINE_S = 30.0
# Of a store's budget the rest is left to the shop's other apps.
MOST_OF_BUDGET = 0.8
# So long a request waits by itself; for longer the lane goes on with something else.
LONGEST_WAIT_S = 2.0
# A token is renewed so long before it ends.
MARGIN_S = 120

Values = Mapping[str, str]
# Takes the values with a token that no longer holds and a way to get others; gives those that
# hold now: another worker may have been faster.
Renew = Callable[[Values, Callable[[Values], dict[str, str]]], dict[str, str]]


class Client:
    def __init__(
        self,
        *,
        url: str,
        credentials: Values,
        renew: Renew,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._credentials = dict(credentials)
        self._renew = renew
        self._clock, self._sleep = clock, sleep
        self._wait_s = 0.0

    def run(self, query: str, /, **variables: Any) -> dict[str, Any]:
        """The data of one operation. Raises StoreFailed."""
        self._keep_within_budget()
        data = self._send(query, variables)
        errors = data.get("errors")
        self._note_budget(data)
        if errors:
            raise _explain_errors(errors, self._wait_s)
        found: dict[str, Any] = data["data"]
        return found

    def change(self, query: str, name: str, /, **variables: Any) -> dict[str, Any]:
        """A mutation, whose own errors are raised."""
        done: dict[str, Any] = self.run(query, **variables)[name]
        problems = done.get("userErrors") or []
        if problems:
            code = str(problems[0].get("code", ""))
            about = "; ".join(str(each.get("message", "")) for each in problems)
            raise StoreFailed("refused", about=f"{code} {about}".strip())
        return done

    def _send(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        if not self._has_token():
            self._credentials = self._renew(self._credentials, self.fetch_token)
        answer = self._post(query, variables)
        if answer.status == 401:
            # Ended early, or another worker has renewed it.
            stale = {**self._credentials, "token_until": "0"}
            self._credentials = self._renew(stale, self.fetch_token)
            answer = self._post(query, variables)
        return _parse(answer)

    def _post(self, query: str, variables: Mapping[str, Any]) -> Answer:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-Shopify-Access-Token": self._credentials.get("token", ""),
        }
        body = json.dumps({"query": query, "variables": variables}).encode()
        return self._ask(f"{self.url}/admin/api/{VERSION}/graphql.json", headers, body)

    def fetch_token(self, values: Values) -> dict[str, str]:
        """A new token: by its refresh token where there is one, which changes each time, else by
        the app's own ID and secret. Raises StoreFailed."""
        form = {"client_id": values.get("client_id", ""), "client_secret": values.get("secret", "")}
        if values.get("code"):
            form |= {"code": values["code"], "expiring": "1"}
        elif values.get("refresh_token"):
            form |= {"grant_type": "refresh_token", "refresh_token": values["refresh_token"]}
        else:
            form |= {"grant_type": "client_credentials"}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        answer = self._ask(
            f"{self.url}/admin/oauth/access_token", headers, urlencode(form).encode()
        )
        if answer.status in (400, 401, 403):
            is_ours = bool(values.get("token") or values.get("code"))
            raise StoreFailed("token-refused" if is_ours else "app-unknown")
        if answer.status == 404:
            raise StoreFailed("not-shopify")
        made = _parse(answer)
        kept = {name: value for name, value in values.items() if name != "code"}
        until = self._clock() + float(made.get("expires_in") or 10**9)
        kept |= {
            "token": str(made["access_token"]),
            "token_until": str(int(until)),
            "scopes": str(made.get("scope", "")),
        }
        if made.get("refresh_token"):
            kept["refresh_token"] = str(made["refresh_token"])
        return kept

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(filter(None, self._credentials.get("scopes", "").split(",")))

    def _has_token(self) -> bool:
        until = float(self._credentials.get("token_until") or 0)
        has_code = bool(self._credentials.get("code"))
        return (
            bool(self._credentials.get("token"))
            and until - MARGIN_S > self._clock()
            and not has_code
        )

    def _ask(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        policy = safe_http.read_policy(max_bytes=LONGEST_ANSWER, deadline_s=DEADLINE_S)
        try:
            return safe_http.send(method="POST", url=url, policy=policy, headers=headers, body=body)
        except RequestFailed as error:
            raise StoreFailed(error.code) from error

    def _keep_within_budget(self) -> None:
        if self._wait_s > LONGEST_WAIT_S:
            raise StoreFailed("busy", retry_after=timedelta(seconds=self._wait_s))
        if self._wait_s > 0:
            self._sleep(self._wait_s)
            self._wait_s = 0.0

    def _note_budget(self, data: Mapping[str, Any]) -> None:
        """How long to wait until enough of the budget is free again."""
        cost = (data.get("extensions") or {}).get("cost") or {}
        status = cost.get("throttleStatus") or {}
        most, left = status.get("maximumAvailable", 0), status.get("currentlyAvailable", 0)
        rate = status.get("restoreRate") or 1
        least = most * (1 - MOST_OF_BUDGET) + float(cost.get("requestedQueryCost") or 0)
        self._wait_s = max(0.0, (min(least, most) - left) / rate)


def _parse(answer: Answer) -> dict[str, Any]:
    if answer.status in (429, 430):
        value = answer.header("retry-after").partition(".")[0]
        seconds = int(value) if value.isdecimal() and len(value) < 6 else 2
        raise StoreFailed("busy", retry_after=timedelta(seconds=seconds))
    if answer.status >= 500:
        raise StoreFailed("store-error")
    if answer.status in (401, 402, 403):
        raise StoreFailed("token-refused")
    if answer.status == 404 or 300 <= answer.status < 400:
        raise StoreFailed("not-shopify")
    try:
        data = json.loads(answer.body)
    except ValueError as error:
        raise StoreFailed("not-json") from error
    if not isinstance(data, dict):
        raise StoreFailed("not-json")
    return data


def _explain_errors(errors: Any, wait_s: float) -> StoreFailed:
    known = isinstance(errors, list) and errors and isinstance(errors[0], dict)
    first: dict[str, Any] = errors[0] if known else {"message": str(errors)}
    code = str((first.get("extensions") or {}).get("code", ""))
    said = str(first.get("message", ""))
    if code == "THROTTLED":
        return StoreFailed("busy", retry_after=timedelta(seconds=max(1.0, wait_s)))
    if code == "ACCESS_DENIED":
        return StoreFailed("scopes-missing", about=said)
    if code == "INTERNAL_SERVER_ERROR":
        return StoreFailed("store-error")
    return StoreFailed("refused", about=said)
