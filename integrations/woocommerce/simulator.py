"""A WooCommerce store to try things on: an HTTP server that behaves as real ones were seen to.

It holds everything in memory and needs nothing but Python. What real stores do oddly, it does too:
lists are replaced as a whole, unknown ids are dropped silently, names come back escaped, a term
that exists is an error with its id (an attribute's without), every PUT moves `date_modified` and
tells of it, webhooks are sent once and switched off after the seventh failure in a row, delivery
ids repeat, and a request can be taken and its answer lost. Written from `design/STORES.md` and from
messages that two real stores sent; as on those, Basic authentication works over https only, which
`pretend_https` plays.

    python -m integrations.woocommerce.simulator --port 8088
"""

import argparse
import base64
import hashlib
import hmac
import html
import itertools
import json
import queue
import re
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

API = "/wp-json/wc/v3/"
UNCATEGORIZED = 15
# After so many failures in a row a webhook is switched off.
MOST_FAILURES = 6
TOPICS = ("product.created", "product.updated", "product.deleted", "product.restored")
FAULTS = ("late-timeout", "timeout", "429", "500", "503", "html", "reset", "late-reset")

Row = dict[str, Any]


def post(url: str, body: bytes, headers: dict[str, str], *, timeout_s: float) -> int:
    """The status; redirects are not followed. 0 where there is no answer."""
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Refused(Exception):
    """An error as WooCommerce says it."""

    def __init__(self, status: int, code: str, message: str, **data: Any) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"code": code, "message": message, "data": {"status": status, **data}}


@dataclass
class Key:
    key: str
    secret: str
    permissions: str = "read_write"
    may_see: bool = True


@dataclass
class Webhook:
    id: int
    topic: str
    delivery_url: str
    secret: str
    name: str = ""
    status: str = "active"
    failures: int = 0

    def show(self) -> Row:
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "topic": self.topic,
            "resource": self.topic.partition(".")[0],
            "event": self.topic.partition(".")[2],
            "delivery_url": self.delivery_url,
        }


@dataclass
class Simulator:
    """The store's state, and what goes wrong with it. Every public method holds the lock."""

    version: str = "11.0.1"
    # Where somebody else sends what it would tell.
    is_silent: bool = False
    pretend_https: bool = False
    strips_authorization: bool = False
    has_permalinks: bool = True
    has_woocommerce: bool = True
    currency: str = "EUR"
    url: str = ""
    # How it posts to others; a test may stand in between.
    send: Callable[..., int] = field(default=post)
    # Seconds that a lost answer keeps its client waiting.
    lag_s: float = 0.0
    # The next requests to writing addresses fail so, one after another.
    faults: list[str] = field(default_factory=list)
    # Or whatever this says for "PUT products/1".
    choose_fault: Callable[[str], str] = lambda _request: ""
    # Told of each fault: where a merchant edits in the worst moment.
    after_fault: Callable[[str], None] = lambda _fault: None
    keys: dict[str, Key] = field(default_factory=dict)
    products: dict[int, Row] = field(default_factory=dict)
    terms: dict[str, dict[int, Row]] = field(default_factory=dict)
    webhooks: dict[int, Webhook] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    delivered: list[tuple[str, int]] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._ids = itertools.count(16)
        self._clock = itertools.count()
        self.outbox: queue.Queue[tuple[int, str, Row]] = queue.Queue()
        self.terms = {"categories": {}, "tags": {}, "attributes": {}, "values": {}}
        self.terms["categories"][UNCATEGORIZED] = {
            "id": UNCATEGORIZED,
            "name": "Uncategorized",
            "slug": "uncategorized",
            "parent": 0,
        }

    # What people do in the store.

    def make_key(self, permissions: str = "read_write") -> Key:
        made = Key(f"ck_{secrets.token_hex(20)}", f"cs_{secrets.token_hex(20)}", permissions)
        with self.lock:
            self.keys[made.key] = made
        return made

    def add_image(self, data: bytes, name: str = "photo.jpg") -> Row:
        with self.lock:
            number = next(self._ids)
            path = f"/wp-content/uploads/2026/11/{number}-{name}"
            self.images[path] = data
            return {"id": number, "src": f"{self.url}{path}", "name": name, "alt": ""}

    def add_product(self, name: str, *photos: bytes, **fields: Any) -> int:
        with self.lock:
            images = [self.add_image(photo, f"{number}.jpg") for number, photo in enumerate(photos)]
            number = next(self._ids)
            product = {
                "id": number,
                "name": name,
                "slug": _slug(name),
                "type": "simple",
                "status": "publish",
                "description": "",
                "short_description": "",
                "price": "10",
                "stock_status": "instock",
                "parent_id": 0,
                "categories": [],
                "tags": [],
                "attributes": [],
                "meta_data": [],
                "images": images,
                **fields,
            }
            self.products[number] = product
            if not product["categories"]:
                product["categories"] = [UNCATEGORIZED]
            self._touch(product)
            self._tell("product.created", product)
            return number

    def edit(self, number: int, **fields: Any) -> None:
        """Lists of terms as names: {"tags": ["summer"]}."""
        with self.lock:
            product = self.products[number]
            for name, value in fields.items():
                known = name in ("tags", "categories")
                product[name] = (
                    [self._find_or_make(name, each) for each in value] if known else value
                )
            self._touch(product)
            self._tell("product.updated", product)

    def trash(self, number: int) -> None:
        with self.lock:
            self.products[number]["status"] = "trash"
            self._tell("product.deleted", {"id": number})

    def restore(self, number: int) -> None:
        with self.lock:
            self.products[number]["status"] = "publish"
            self._touch(self.products[number])
            self._tell("product.restored", self.products[number])

    def delete_for_good(self, number: int) -> None:
        """Tells nobody."""
        with self.lock:
            del self.products[number]

    def sell(self, number: int) -> None:
        """An order lowers the stock, which is an update like any other."""
        with self.lock:
            self._touch(self.products[number])
            self._tell("product.updated", self.products[number])

    def names_of(self, number: int, kind: str) -> list[str]:
        """Tags or categories, as a person reads them."""
        with self.lock:
            terms = self.terms[kind]
            return [html.unescape(terms[each]["name"]) for each in self.products[number][kind]]

    def attributes_of(self, number: int) -> dict[str, list[str]]:
        with self.lock:
            shown = [self._show_attribute(each) for each in self.products[number]["attributes"]]
            return {each["name"]: each["options"] for each in shown}

    def alts_of(self, number: int) -> list[str]:
        with self.lock:
            return [image["alt"] for image in self.products[number]["images"]]

    # What the REST API does.

    def answer(self, method: str, path: str, params: dict[str, str], body: Any) -> tuple[Any, Row]:
        """Content and headers. Raises Refused."""
        with self.lock:
            parts = path.strip("/").split("/")
            if parts[0] == "products" and len(parts) > 1 and not parts[1].isdecimal():
                return self._answer_terms(method, parts[1:], params, body)
            if parts[0] == "products":
                return self._answer_products(method, parts[1:], params, body)
            if parts[0] == "webhooks":
                return self._answer_webhooks(method, parts[1:], params, body)
            if path.strip("/") == "data/currencies/current":
                return {"code": self.currency}, {}
        raise Refused(404, "rest_no_route", "No route was found matching the URL.")

    def show(self, product: Row) -> Row:
        when = product["modified"]
        categories = [self.terms["categories"][each] for each in product["categories"]]
        return {
            **{k: v for k, v in product.items() if k not in ("modified", "tags", "categories")},
            "permalink": f"{self.url}/product/{product['slug']}/",
            "date_modified": when,
            "date_modified_gmt": when,
            "categories": [_brief(each) for each in categories],
            "tags": [_brief(self.terms["tags"][each]) for each in product["tags"]],
            "attributes": [self._show_attribute(each) for each in product["attributes"]],
        }

    def _answer_products(
        self, method: str, parts: list[str], params: dict[str, str], body: Any
    ) -> tuple[Any, Row]:
        if not parts:
            if method != "GET":
                raise Refused(501, "not_simulated", "Products are made in Python here.")
            return self._list_products(params)
        number = int(parts[0])
        if number not in self.products:
            status = 404 if method == "GET" else 400
            raise Refused(status, "woocommerce_rest_product_invalid_id", "Invalid ID.")
        if method == "PUT":
            self._change(self.products[number], body)
        shown = self.show(self.products[number])
        return _pick(shown, params), {}

    def _list_products(self, params: dict[str, str]) -> tuple[Any, Row]:
        rows = [each for each in self.products.values() if each["status"] != "trash"]
        rows = [each for each in rows if each["type"] != "variation"]
        if after := params.get("modified_after"):
            rows = [each for each in rows if each["modified"] > after]
        rows.sort(key=lambda each: each["id"])
        page, headers = _page(rows, params)
        return [_pick(self.show(each), params) for each in page], headers

    def _change(self, product: Row, body: Row) -> None:
        """Lists are replaced; ids that are unknown are left out, and nobody says so."""
        for kind in ("tags", "categories"):
            if kind in body:
                ids = [int(each["id"]) for each in body[kind] if each.get("id")]
                product[kind] = [each for each in dict.fromkeys(ids) if each in self.terms[kind]]
        if not product["categories"]:
            product["categories"] = [UNCATEGORIZED]
        if "attributes" in body:
            product["attributes"] = [
                kept for each in body["attributes"] if (kept := self._take_attribute(each))
            ]
        if "images" in body:
            known = {image["id"]: image for image in product["images"]}
            product["images"] = [
                self._take_image(known[each["id"]], each)
                for each in body["images"]
                if each.get("id") in known
            ]
        for entry in body.get("meta_data", ()):
            product["meta_data"] = [m for m in product["meta_data"] if m["key"] != entry["key"]]
            product["meta_data"].append(
                {"id": next(self._ids), "key": entry["key"], "value": entry["value"]}
            )
        for name in ("name", "description", "status"):
            if name in body:
                product[name] = body[name]
        self._touch(product)
        self._tell("product.updated", product)

    def _take_image(self, image: Row, wish: Row) -> Row:
        """An empty text changes nothing; a blank one is trimmed to nothing."""
        if wish.get("alt"):
            return {**image, "alt": re.sub(r"\s+", " ", wish["alt"]).strip()}
        return image

    def _take_attribute(self, wish: Row) -> Row | None:
        options = [part.strip() for each in wish.get("options", ()) for part in each.split("|")]
        kept = {
            "visible": bool(wish.get("visible", False)),
            "variation": bool(wish.get("variation", False)),
            "position": int(wish.get("position", 0)),
        }
        if not wish.get("id"):
            return {"id": 0, "name": wish.get("name", ""), "options": options, **kept}
        if int(wish["id"]) not in self.terms["attributes"] or not options:
            return None
        ids = [self._find_or_make("values", each, parent=int(wish["id"])) for each in options]
        return {"id": int(wish["id"]), "options": ids, **kept}

    def _show_attribute(self, each: Row) -> Row:
        if not each["id"]:
            return {**each, "slug": each["name"]}
        attribute = self.terms["attributes"][each["id"]]
        values = [html.unescape(self.terms["values"][value]["name"]) for value in each["options"]]
        return {**each, "name": attribute["name"], "slug": attribute["slug"], "options": values}

    def _answer_terms(
        self, method: str, parts: list[str], params: dict[str, str], body: Any
    ) -> tuple[Any, Row]:
        kind = parts[0]
        if kind not in ("tags", "categories", "attributes"):
            raise Refused(404, "rest_no_route", "No route was found matching the URL.")
        rows = self.terms[kind]
        if len(parts) > 1:
            number = int(parts[1])
            if number not in rows:
                raise Refused(404, "woocommerce_rest_term_invalid", "Resource does not exist.")
            found = rows[number]
            if method == "DELETE":
                if params.get("force") != "true":
                    raise Refused(501, "woocommerce_rest_trash_not_supported", "Use force.")
                self.remove_term(kind, number)
            return found, {}
        if method == "POST":
            return self._make_term(kind, body), {"status": 201}
        found_rows = list(rows.values())
        if wanted := params.get("search"):
            found_rows = [row for row in found_rows if wanted.lower() in row["name"].lower()]
        if kind == "attributes":
            return found_rows, {}
        return _page(found_rows, params)

    def remove_term(self, kind: str, number: int) -> None:
        with self.lock:
            del self.terms[kind][number]
            for product in self.products.values():
                if kind in product:
                    product[kind] = [each for each in product[kind] if each != number]

    def _make_term(self, kind: str, body: Row) -> Row:
        name = str(body.get("name", "")).strip()
        parent = int(body.get("parent") or 0)
        if not name:
            raise Refused(400, "rest_missing_callback_param", "Missing parameter(s): name")
        same = self._find(kind, name, parent=parent)
        if kind == "attributes":
            slug = f"pa_{body.get('slug') or _slug(name)}"
            taken = any(row["slug"] == slug for row in self.terms[kind].values())
            if len(slug.encode()) > 31:
                raise Refused(400, "woocommerce_rest_cannot_create", "Slug is too long.")
            if taken:
                raise Refused(400, "woocommerce_rest_cannot_create", f"Slug {slug} is in use.")
            number = next(self._ids)
            self.terms[kind][number] = {
                "id": number,
                "name": name,
                "slug": slug,
                "type": "select",
            }
            return self.terms[kind][number]
        if same is not None:
            message = "A term with the name provided already exists with this parent."
            raise Refused(400, "term_exists", message, resource_id=same)
        return self.terms[kind][self._find_or_make(kind, name, parent=parent)]

    def _find(self, kind: str, name: str, *, parent: int = 0) -> int | None:
        for number, row in self.terms[kind].items():
            is_same = html.unescape(row["name"]).lower() == html.unescape(name).lower()
            if is_same and row.get("parent", 0) == parent:
                return number
        return None

    def _find_or_make(self, kind: str, name: str, *, parent: int = 0) -> int:
        found = self._find(kind, name, parent=parent)
        if found is not None:
            return found
        number = next(self._ids)
        escaped = html.escape(name[:200], quote=False)
        self.terms[kind][number] = {
            "id": number,
            "name": escaped,
            "slug": _slug(name),
            "parent": parent,
        }
        return number

    def _answer_webhooks(
        self, method: str, parts: list[str], params: dict[str, str], body: Any
    ) -> tuple[Any, Row]:
        if not parts:
            if method == "POST":
                return self._make_webhook(body), {"status": 201}
            return _page([each.show() for each in self.webhooks.values()], params)
        webhook = self.webhooks.get(int(parts[0]))
        if webhook is None:
            raise Refused(404, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.")
        if method == "DELETE":
            if params.get("force") != "true":
                raise Refused(501, "woocommerce_rest_trash_not_supported", "Use force.")
            del self.webhooks[webhook.id]
        elif method == "PUT":
            # The count of failures stays: one more switches it off again.
            webhook.status = body.get("status", webhook.status)
        return webhook.show(), {}

    def _make_webhook(self, body: Row) -> Row:
        topic = str(body.get("topic", ""))
        known = TOPICS if self.version.startswith("7.") else (*TOPICS, "product.published")
        if topic not in known and not topic.startswith("action."):
            raise Refused(400, "woocommerce_rest_shop_webhook_invalid_topic", "Invalid topic.")
        made = Webhook(
            next(self._ids),
            topic,
            str(body.get("delivery_url", "")),
            html.unescape(str(body.get("secret", ""))),
            str(body.get("name", "")),
        )
        self.webhooks[made.id] = made
        self._ping(made)
        return made.show()

    # Telling of what happened.

    def deliver_all(self) -> int:
        """Send what waits, one after another, as WP-Cron does; return how many went out."""
        number = 0
        while True:
            try:
                webhook_id, topic, fallback = self.outbox.get_nowait()
            except queue.Empty:
                return number
            number += self._deliver(webhook_id, topic, fallback)

    def _tell(self, topic: str, product: Row) -> None:
        """What is told is looked up when it is sent: several updates become one."""
        for webhook in () if self.is_silent else self.webhooks.values():
            if webhook.topic == topic and webhook.status == "active":
                entry = (webhook.id, topic, {"id": product["id"]})
                if entry not in self.outbox.queue:
                    self.outbox.put(entry)

    def _deliver(self, webhook_id: int, topic: str, about: Row) -> bool:
        with self.lock:
            webhook = self.webhooks.get(webhook_id)
            if webhook is None or webhook.status != "active":
                return False
            owner_may_see = all(key.may_see for key in self.keys.values())
            body = self._build_payload(topic, about["id"], owner_may_see)
        status = self._post(webhook, body)
        with self.lock:
            self.delivered.append((topic, status))
            if 200 <= status <= 302:
                webhook.failures = 0
            else:
                webhook.failures += 1
                if webhook.failures > MOST_FAILURES:
                    webhook.status = "disabled"
        return True

    def _build_payload(self, topic: str, number: int, may_see: bool) -> bytes:
        product = self.products.get(number)
        content: Row
        if topic == "product.deleted":
            content = {"id": number}
        elif not may_see:
            content = Refused(403, "woocommerce_rest_cannot_view", "Sorry, you cannot view.").body
        elif product is None:
            content = Refused(404, "woocommerce_rest_product_invalid_id", "Invalid ID.").body
        else:
            content = self.show(product)
        # As PHP writes JSON.
        return json.dumps(content, separators=(",", ":")).replace("/", "\\/").encode()

    def _post(self, webhook: Webhook, body: bytes) -> int:
        digest = hmac.digest(webhook.secret.encode(), body, hashlib.sha256)
        second = f"{webhook.id}{int(time.time())}"
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"WooCommerce/{self.version} Hookshot (WordPress/7.0.4)",
            "X-WC-Webhook-Source": f"{self.url}/",
            "X-WC-Webhook-Topic": webhook.topic,
            "X-WC-Webhook-Resource": webhook.topic.partition(".")[0],
            "X-WC-Webhook-Event": webhook.topic.partition(".")[2],
            "X-WC-Webhook-Signature": base64.b64encode(digest).decode(),
            "X-WC-Webhook-ID": str(webhook.id),
            # Not unique: made from the webhook and the second.
            "X-WC-Webhook-Delivery-ID": hashlib.md5(second.encode()).hexdigest(),  # noqa: S324
        }
        return self.send(webhook.delivery_url, body, headers, timeout_s=60)

    def _ping(self, webhook: Webhook) -> None:
        form = urlencode({"webhook_id": webhook.id}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self.lock.release()
        try:
            status = self.send(webhook.delivery_url, form, headers, timeout_s=5)
        finally:
            self.lock.acquire()
        self.delivered.append(("ping", status))

    def hand_over_keys(self, query: dict[str, str]) -> int:
        """What happens when the owner approves: keys are made and posted to the callback."""
        made = self.make_key()
        content = {
            "key_id": next(self._ids),
            "user_id": query["user_id"],
            "consumer_key": made.key,
            "consumer_secret": made.secret,
            "key_permissions": query.get("scope", "read_write"),
        }
        headers = {"Content-Type": "application/json;charset=UTF-8"}
        return self.send(query["callback_url"], json.dumps(content).encode(), headers, timeout_s=60)

    def check_key(self, method: str, url: str, params: dict[str, str], authorization: str) -> None:
        """Raises Refused as WooCommerce does, which says 401 for nearly everything."""
        key = self._find_key(method, url, params, authorization)
        denied = "woocommerce_rest_authentication_error"
        if key is None:
            raise Refused(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
        if method != "GET" and key.permissions == "read":
            message = "The API key provided does not have write permissions."
            raise Refused(401, denied, message)
        if method == "GET" and key.permissions == "write":
            message = "The API key provided does not have read permissions."
            raise Refused(401, denied, message)
        if not key.may_see:
            code = (
                "woocommerce_rest_cannot_list"
                if method == "GET"
                else "woocommerce_rest_cannot_edit"
            )
            raise Refused(403, code, "Sorry, you are not allowed to do that.")

    def _find_key(
        self, method: str, url: str, params: dict[str, str], authorization: str
    ) -> Key | None:
        denied = "woocommerce_rest_authentication_error"
        given, secret = "", ""
        if "oauth_consumer_key" in params:
            return self._check_oauth(method, url, params)
        if not self.pretend_https:
            return None
        if authorization.startswith("Basic ") and not self.strips_authorization:
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            given, _colon, secret = pair.partition(":")
        elif "consumer_key" in params:
            given, secret = params["consumer_key"], params.get("consumer_secret", "")
        else:
            return None
        key = self.keys.get(given)
        if key is None:
            raise Refused(401, denied, "Consumer key is invalid.")
        if key.secret != secret:
            raise Refused(401, denied, "Consumer secret is invalid.")
        return key

    def _check_oauth(self, method: str, url: str, params: dict[str, str]) -> Key:
        denied = "woocommerce_rest_authentication_error"
        key = self.keys.get(params["oauth_consumer_key"])
        if key is None:
            raise Refused(401, denied, "Consumer key is invalid.")
        pairs = sorted(
            (quote(name, safe="~"), quote(value, safe="~"))
            for name, value in params.items()
            if name != "oauth_signature"
        )
        listed = "&".join(f"{name}={value}" for name, value in pairs)
        base = "&".join([method, quote(url, safe="~"), quote(listed, safe="~")])
        digest = hmac.digest(f"{key.secret}&".encode(), base.encode(), hashlib.sha256)
        if base64.b64encode(digest).decode() != params.get("oauth_signature"):
            raise Refused(401, denied, "Invalid signature - provided signature does not match.")
        if abs(time.time() - int(params["oauth_timestamp"])) > 15 * 60:
            raise Refused(401, denied, "Invalid timestamp.")
        if params["oauth_nonce"] in self.nonces:
            raise Refused(401, denied, "Invalid nonce - nonce has already been used.")
        self.nonces.add(params["oauth_nonce"])
        return key

    def _touch(self, product: Row) -> None:
        """Each change is later than the one before, also within a second."""
        product["modified"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")

    def pick_fault(self, request: str) -> str:
        with self.lock:
            if self.faults and not request.startswith("GET"):
                return self.faults.pop(0)
        return self.choose_fault(request)


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        store = self.server.store
        address = urlsplit(self.path)
        params = dict(parse_qsl(address.query, keep_blank_values=True))
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length)
        if address.path.startswith(API) and store.has_permalinks and store.has_woocommerce:
            self._serve_api(method, address.path, params, data)
        elif address.path in store.images:
            self._send(200, store.images[address.path], "image/jpeg")
        elif address.path.rstrip("/") == "/wp-json" and store.has_permalinks:
            namespaces = ["wp/v2", "wc/v3"] if store.has_woocommerce else ["wp/v2"]
            self._send_json(200, {"name": "Simulated &amp; Sons", "namespaces": namespaces})
        elif address.path == "/" and params.get("rest_route") == "/":
            self._send_json(200, {"namespaces": ["wp/v2", "wc/v3"]})
        elif address.path == "/wc-auth/v1/authorize":
            self._approve(params)
        elif self.server.serve_page and self.server.serve_page(self, method, address.path, data):
            pass
        else:
            self._send(404, b"<html><body>Not found</body></html>", "text/html")

    def _serve_api(self, method: str, path: str, params: dict[str, str], data: bytes) -> None:
        store = self.server.store
        request = f"{method} {path.removeprefix(API)}"
        store.requests.append(request)
        fault = store.pick_fault(request)
        if fault and not fault.startswith("late-"):
            self._fail(fault)
            return
        try:
            authorization = self.headers.get("Authorization", "")
            store.check_key(method, f"{store.url}{path}", params, authorization)
            body = json.loads(data) if data else {}
            content, headers = store.answer(method, path.removeprefix(API), params, body)
            status = headers.pop("status", 200)
        except Refused as error:
            status, content, headers = error.status, error.body, {}
        if fault:
            self._fail(fault.removeprefix("late-"))
        else:
            self._send_json(status, content, headers)

    def _fail(self, fault: str) -> None:
        page = b"<!doctype html><html><body><h1>Error</h1></body></html>"
        self.server.store.after_fault(fault)
        if fault == "timeout":
            time.sleep(self.server.store.lag_s)
            self.close_connection = True
        elif fault == "reset":
            self.close_connection = True
        elif fault == "html":
            self._send(403, page, "text/html")
        else:
            headers = {"Retry-After": "1"} if fault == "429" else {}
            self._send(int(fault), page, "text/html", headers)

    def _approve(self, params: dict[str, str]) -> None:
        """In a real store somebody logs in and presses "Approve" before."""
        status = self.server.store.hand_over_keys(params)
        if status != 200:
            self._send(500, b"An error occurred while sending the keys.", "text/html")
            return
        query = urlencode({"success": 1, "user_id": params["user_id"]})
        mark = "&" if "?" in params["return_url"] else "?"
        self._send(302, b"", "text/html", {"Location": f"{params['return_url']}{mark}{query}"})

    def _send_json(self, status: int, content: Any, headers: Row | None = None) -> None:
        self._send(status, json.dumps(content).encode(), "application/json; charset=UTF-8", headers)

    def _send(self, status: int, content: bytes, kind: str, headers: Row | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, store: Simulator, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.store = store
        self.serve_page: Callable[[Any, str, str, bytes], bool] | None = None
        store.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def run(
    store: Simulator | None = None,
    *,
    port: int = 0,
    delivers: bool = False,
    serve_page: Callable[[Any, str, str, bytes], bool] | None = None,
) -> Iterator[Simulator]:
    """The store at an address of this machine; with `delivers` it tells of what happens by itself,
    one message after another."""
    store = store or Simulator()
    server = _Server(store, port)
    server.serve_page = serve_page
    stopped = threading.Event()

    def deliver() -> None:
        while not stopped.wait(0.02):
            store.deliver_all()

    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})]
    if delivers:
        threads.append(threading.Thread(target=deliver))
    for thread in threads:
        thread.start()
    try:
        yield store
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        for thread in threads:
            thread.join()


def _page(rows: list[Row], params: dict[str, str]) -> tuple[list[Row], Row]:
    size, number = int(params.get("per_page", 10)), int(params.get("page", 1))
    if size > 100:
        raise Refused(400, "rest_invalid_param", "Invalid parameter(s): per_page")
    pages = -(-len(rows) // size)
    headers = {"X-WP-Total": len(rows), "X-WP-TotalPages": pages}
    start = int(params.get("offset", (number - 1) * size))
    return rows[start : start + size], headers


def _pick(row: Row, params: dict[str, str]) -> Row:
    fields = params.get("_fields", "").split(",")
    return {k: v for k, v in row.items() if k in fields} if fields != [""] else row


def _brief(term: Row) -> Row:
    return {"id": term["id"], "name": term["name"], "slug": term["slug"]}


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:28] or "term"


def main() -> None:
    parser = argparse.ArgumentParser(description="A simulated WooCommerce store.")
    parser.add_argument("--port", type=int, default=8088)
    with run(port=parser.parse_args().port, delivers=True) as store:
        key = store.make_key()
        print(f"{store.url}\n{key.key}\n{key.secret}")  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
