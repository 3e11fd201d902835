"""A WooCommerce store behind the core's contract (`integrations.stores.contract`)."""

import contextlib
import html
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from django.utils.text import slugify

from integrations.stores.changes import find_missing, fold
from integrations.stores.contract import (
    Applied,
    BeforeWrite,
    Change,
    Page,
    Plan,
    RemoteProduct,
    Shop,
    Terms,
    Webhook,
)
from integrations.stores.failures import StoreFailed
from integrations.woocommerce import answers, products
from integrations.woocommerce.client import MOST_PAGES, PAGE, Client, count_all
from integrations.woocommerce.messages import GONE
from kalas.lib.safe_http import Answer

TOPICS = ("product.created", "product.updated", "product.deleted", "product.restored")
WEBHOOK_NAME = "Kalas"
LONGEST_SLUG = 28
MOST_ROUNDS = 4
MOST_LISTED = MOST_PAGES * PAGE


class Connection:
    def __init__(
        self,
        *,
        url: str,
        credentials: Mapping[str, str],
        terms: Terms,
        save: Callable[[Mapping[str, str]], None] = lambda _values: None,
    ) -> None:
        self._client = Client(url=url, credentials=credentials, save=save)
        self._secret = credentials.get("webhook_secret", "")
        self._terms = terms

    def check(self) -> Shop:
        check_address(self._client)
        self._client.get("products", per_page=1, _fields="id")
        self._probe()
        return self._describe()

    def fetch_product(self, product_id: str) -> RemoteProduct | None:
        raw = self._fetch(product_id)
        return products.read_product(raw) if raw is not None else None

    def list_products(self, *, cursor: str = "", modified_after: datetime | None = None) -> Page:
        """The cursor is a place and the id before it. Products may go meanwhile, and those behind
        them move up: so each page begins with the last row of the one before it."""
        offset, last_id = (int(part) for part in (cursor or "0:0").split(":"))
        params: dict[str, str | int] = {
            "orderby": "id",
            "order": "asc",
            "status": "any",
            "_fields": products.FIELDS,
        }
        if modified_after is not None:
            after = modified_after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
            params |= {"modified_after": after, "dates_are_gmt": "true"}
        found, answer = self._client.get_page("products", offset=offset, **params)
        while offset and not (found and int(found[0]["id"]) <= last_id):
            offset = max(0, offset - PAGE)
            found, answer = self._client.get_page("products", offset=offset, **params)
        new = [each for each in found if int(each["id"]) > last_id]
        following = f"{offset + len(found) - 1}:{found[-1]['id']}" if len(found) == PAGE else ""
        return Page(
            products=tuple(products.read_product(each) for each in new),
            cursor=following if offset < MOST_LISTED else "",
            total=count_all(answer),
            store_time=_read_time(answer),
        )

    def list_ids(self) -> set[str]:
        rows = self._client.iterate(
            "products", per_page=100, orderby="id", order="asc", status="any", _fields="id"
        )
        return {str(row["id"]) for row in rows}

    def list_categories(self) -> Sequence[str]:
        names = []
        for each in self._client.iterate("products/categories", per_page=100):
            name = html.unescape(str(each["name"]))
            if not products.is_placeholder(each):
                self._terms.keep("categories", name, str(each["id"]))
                names.append(name)
        return names

    def apply(
        self,
        product_id: str,
        plan: Plan,
        *,
        marker: str,
        create_categories: bool,
        before_write: BeforeWrite,
    ) -> Applied:
        """A PUT replaces lists as a whole and knows no conditions: between reading and writing
        nothing else is asked, so that a person's edit has milliseconds to get lost in."""
        finder = _TermFinder(self._client, self._terms, create_categories=create_categories)
        missing: list[str] = []
        raw = self._fetch_there(product_id)
        for _round in range(MOST_ROUNDS):
            before = products.read_product(raw)
            change = _without(plan(before), finder.unknown)
            if not change:
                return Applied(before, before, change)
            finder.has_asked = False
            body = products.build_body(raw, change, find_term=finder, marker=marker)
            if finder.has_asked:
                raw = self._fetch_there(product_id)
                continue
            before_write(before, change)
            raw = self._put(product_id, body)
            after = products.read_product(raw)
            missing = find_missing(change, after)
            if not missing:
                return Applied(before, after, change)
            # An id that is no longer there is left out silently. No other is forgotten: what other
            # products are given goes by them.
            for kind in ("tags", "categories", "attributes"):
                self._terms.forget(kind, map(products.clean_term, missing))
        raise StoreFailed("not-kept", about=", ".join(missing))

    def list_webhooks(self, *, url: str) -> list[Webhook]:
        rows = self._client.iterate("webhooks", per_page=100)
        return [
            Webhook(str(each["id"]), str(each["topic"]), str(each["status"]))
            for each in rows
            if str(each.get("delivery_url", "")) == url
        ]

    def ensure_webhooks(self, *, url: str) -> list[Webhook]:
        """Switching one on again would keep its count of failures, so it is made anew."""
        kept: dict[str, Webhook] = {}
        for webhook in self.list_webhooks(url=url):
            is_good = webhook.status == "active" and webhook.topic in TOPICS
            if is_good and webhook.topic not in kept:
                kept[webhook.topic] = webhook
            else:
                self._client.delete(f"webhooks/{webhook.id}")
        for topic in TOPICS:
            if topic not in kept:
                kept[topic] = self._create_webhook(topic, url)
        return [kept[topic] for topic in TOPICS]

    def remove_webhooks(self, *, url: str) -> None:
        for webhook in self.list_webhooks(url=url):
            self._client.delete(f"webhooks/{webhook.id}")

    def _create_webhook(self, topic: str, url: str) -> Webhook:
        wish = {
            "name": f"{WEBHOOK_NAME} {topic}",
            "topic": topic,
            "delivery_url": url,
            "secret": self._secret,
            "status": "active",
        }
        try:
            made = self._client.post("webhooks", wish)
        except StoreFailed as error:
            if error.code == "refused":
                raise StoreFailed("webhooks-failed", about=error.about) from error
            raise
        return Webhook(str(made["id"]), str(made["topic"]), str(made["status"]))

    def _fetch(self, product_id: str) -> dict[str, Any] | None:
        answer = self._client.send(
            "GET", f"products/{product_id}", params={"_fields": products.FIELDS}
        )
        code, _data = answers.read_code(answer)
        if answer.status in (400, 404) and code in GONE:
            return None
        raw: dict[str, Any] = answers.parse(answer)
        return raw

    def _fetch_there(self, product_id: str) -> dict[str, Any]:
        raw = self._fetch(product_id)
        if raw is None or raw.get("status") == "trash":
            raise StoreFailed("not-there")
        return raw

    def _put(self, product_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._client.send("PUT", f"products/{product_id}", body=body)
        code, _data = answers.read_code(answer)
        if answer.status in (400, 404) and code in GONE:
            raise StoreFailed("not-there")
        raw: dict[str, Any] = answers.parse(answer)
        return raw

    def _probe(self) -> None:
        name = f"kalas-test-{secrets.token_hex(6)}"
        try:
            made = self._client.post("products/tags", {"name": name})
            self._client.delete(f"products/tags/{made['id']}")
        except StoreFailed as error:
            if error.code == "refused":
                raise StoreFailed("probe-failed", about=error.about) from error
            raise
        except (KeyError, TypeError) as error:
            raise StoreFailed("probe-failed", about="id") from error

    def _describe(self) -> Shop:
        """Name, currency and language are a kindness: not every key's owner may ask for them."""
        currency = ""
        with contextlib.suppress(StoreFailed, KeyError, TypeError):
            currency = str(self._client.get("data/currencies/current")["code"])[:3]
        root = self._client.fetch_public("/wp-json/")
        data = answers.parse(root) if root.status == 200 else {}
        name = html.unescape(str(data.get("name", "")))[:120]
        return Shop(name=name, currency=currency.upper() if currency.isalpha() else "")


def check_address(client: Client) -> None:
    """Whether WooCommerce is at the address, and if not, why. Raises StoreFailed."""
    answer = client.fetch_public("/wp-json/")
    if 300 <= answer.status < 400:
        raise StoreFailed("moved", about=answers.read_target(answer))
    data = None
    if answer.status == 200:
        try:
            data = answers.parse(answer)
        except StoreFailed:
            data = None
    if isinstance(data, dict) and "namespaces" in data:
        if "wc/v3" not in data["namespaces"]:
            raise StoreFailed("no-woocommerce")
        return
    if answer.status in (429, 503) or answer.status >= 500:
        raise answers.explain(answer, None)
    plain = client.fetch_public("/?rest_route=/")
    code = plain.status == 200 and b'"namespaces"' in plain.body
    if code:
        raise StoreFailed("permalinks-off")
    if answer.status in (401, 403, 406):
        raise StoreFailed("firewall")
    raise StoreFailed("not-wordpress")


class _TermFinder:
    """Names → ids; makes what is missing. `has_asked` where the store was asked for any, `unknown`
    are the categories that it does not have and that may not be made."""

    def __init__(self, client: Client, terms: Terms, *, create_categories: bool) -> None:
        self._client, self._terms = client, terms
        self._create_categories = create_categories
        self.has_asked = False
        self.unknown: set[str] = set()

    def __call__(self, kind: str, name: str) -> int | None:
        name = products.clean_term(name)
        known = self._terms.find(kind, name)
        if known:
            return int(known)
        self.has_asked = True
        if kind == "tags":
            found: int | None = self._make("products/tags", name)
        elif kind == "categories":
            found = self._find_category(name)
        else:
            found = self._find_attribute(name)
        if found is None:
            self.unknown.add(fold(name))
            return None
        self._terms.keep(kind, name, str(found))
        return found

    def _find_category(self, name: str) -> int | None:
        for each in self._client.iterate("products/categories", per_page=100):
            if fold(str(each["name"])) == fold(name):
                return int(each["id"])
        return self._make("products/categories", name) if self._create_categories else None

    def _find_attribute(self, name: str) -> int:
        slug = slugify(name)[:LONGEST_SLUG].strip("-")
        found = self._look_up_attribute(name)
        for each in (slug or _invent_slug(), _invent_slug()):
            if found is not None:
                return found
            wish = {"name": name, "slug": each, "type": "select"}
            answer = self._client.send("POST", "products/attributes", body=wish)
            code, _data = answers.read_code(answer)
            if not (answer.status == 400 and code == "woocommerce_rest_cannot_create"):
                return int(answers.parse(answer)["id"])
            # Made a moment ago by a request whose answer was lost, which says no id; or another
            # attribute has this slug.
            found = self._look_up_attribute(name)
        if found is None:
            raise StoreFailed("refused", about=name)
        return found

    def _look_up_attribute(self, name: str) -> int | None:
        rows = self._client.get("products/attributes")
        return next(
            (int(each["id"]) for each in rows if fold(str(each["name"])) == fold(name)), None
        )

    def _make(self, path: str, name: str) -> int:
        answer = self._client.send("POST", path, body={"name": name})
        code, data = answers.read_code(answer)
        if code == "term_exists" and isinstance(data, dict) and "resource_id" in data:
            return int(data["resource_id"])
        return int(answers.parse(answer)["id"])


def _invent_slug() -> str:
    return f"kalas-{secrets.token_hex(4)}"


def _without(change: Change, unknown: set[str]) -> Change:
    """Without the categories that can't be given."""
    given = tuple(each for each in change.add_categories if fold(each) not in unknown)
    removed = change.remove_categories if given else ()
    return replace(change, add_categories=given, remove_categories=removed)


def _read_time(answer: Answer) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.header("date")).astimezone(UTC)
    except (ValueError, TypeError):
        return None
