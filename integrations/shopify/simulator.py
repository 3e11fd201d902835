"""A Shopify store to try things on: an HTTP server that behaves as Shopify's documentation says.

It answers the operations in `queries.py` by their names, gives tokens that end and refresh tokens
that work once, charges each request to a budget that refills, refuses metafields whose
`compareDigest` is stale, tells of changes with signed webhooks, in no order, and deletes a
subscription whose deliveries failed eight times. No real store was at hand to compare it with.
"""

import base64
import hashlib
import hmac
import itertools
import json
import queue
import random
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
from urllib.parse import parse_qsl, urlencode, urlsplit

MOST_FAILURES = 8
SCOPES = "read_files,read_products,write_files,write_products"
TAXONOMY = ("T-Shirts", "Dresses", "Hoodies", "Shirts", "Skirts", "Trousers")
FAULTS = ("late-reset", "reset", "429", "500", "html", "throttled")
_OPERATION = re.compile(r"\s*(?:query|mutation)\s+(\w+)")
_TOPICS = {
    "products/create": "PRODUCTS_CREATE",
    "products/update": "PRODUCTS_UPDATE",
    "products/delete": "PRODUCTS_DELETE",
    "app/uninstalled": "APP_UNINSTALLED",
}

Row = dict[str, Any]


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status; 0 where there is no answer in the five seconds that Shopify waits."""
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@dataclass
class Simulator:
    """The store's state, and what goes wrong with it."""

    url: str = ""
    client_id: str = "app-1"
    secret: str = "shpss_1"  # noqa: S105
    scopes: str = SCOPES
    token_s: float = 3600
    # Points of the budget, how fast they come back, and what an operation costs.
    budget: float = 2000
    restore_rate: float = 1000
    cost: float = 10
    faults: list[str] = field(default_factory=list)
    choose_fault: Callable[[str], str] = field(default=lambda _operation: "")
    after_fault: Callable[[str], None] = field(default=lambda _fault: None)
    before_metafields: Callable[[], None] = field(default=lambda: None)
    send: Callable[..., int] = field(default=post)
    products: dict[str, Row] = field(default_factory=dict)
    subscriptions: dict[str, Row] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, float] = field(default_factory=dict)
    refresh_tokens: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    operations: list[str] = field(default_factory=list)
    lowest: float = 10**9

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._ids = itertools.count(1001)
        self._spent_at = time.monotonic()
        self._left = self.budget
        self.outbox: queue.Queue[tuple[str, Row]] = queue.Queue()

    # What people do in the store.

    def add_product(self, title: str, *photos: bytes, **fields: Any) -> int:
        with self.lock:
            number = next(self._ids)
            gid = f"gid://shopify/Product/{number}"
            self.products[gid] = {
                "id": gid,
                "title": title,
                "descriptionHtml": "",
                "onlineStoreUrl": f"{self.url}/products/{number}",
                "status": "ACTIVE",
                "tags": [],
                "category": None,
                "tracksInventory": False,
                "totalInventory": 0,
                "media": [self.add_image(photo) for photo in photos],
                "metafields": {},
                **fields,
            }
            self._touch(gid, "products/create")
            return number

    def add_image(self, data: bytes) -> Row:
        number = next(self._ids)
        path = f"/cdn/{number}.jpg"
        self.images[path] = data
        return {
            "id": f"gid://shopify/MediaImage/{number}",
            "alt": "",
            "mediaContentType": "IMAGE",
            "preview": {"image": {"url": f"{self.url}{path}"}},
        }

    def edit(self, number: int, **fields: Any) -> None:
        with self.lock:
            gid = f"gid://shopify/Product/{number}"
            self.products[gid].update(fields)
            self._touch(gid, "products/update")

    def set_metafield(self, number: int, key: str, *words: str) -> None:
        """As a merchant does on the product's page."""
        with self.lock:
            gid = f"gid://shopify/Product/{number}"
            self._store_metafield(self.products[gid], key, "list.single_line_text_field", words)
            self._touch(gid, "products/update")

    def delete(self, number: int) -> None:
        with self.lock:
            del self.products[f"gid://shopify/Product/{number}"]
            self.outbox.put(("products/delete", {"id": number}))

    def uninstall(self) -> None:
        with self.lock:
            self.tokens.clear()
            self.refresh_tokens.clear()
            self.outbox.put(("app/uninstalled", {"id": 1}))

    def get(self, number: int) -> Row:
        return self.products[f"gid://shopify/Product/{number}"]

    def words_of(self, number: int) -> dict[str, list[str]]:
        """The metafields that hold lists."""
        found = self.get(number)["metafields"]
        return {
            key: json.loads(each["value"])
            for key, each in found.items()
            if each["type"].startswith("list.")
        }

    # Tokens.

    def give_token(self, form: dict[str, str]) -> tuple[int, Row]:
        with self.lock:
            if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.secret):
                return 401, {"error": "invalid_client"}
            answer: Row = {"scope": self.scopes, "expires_in": int(self.token_s)}
            if form.get("grant_type") == "client_credentials":
                pass
            elif form.get("code") in self.codes:
                self.codes.discard(form["code"])
                answer |= self._make_refresh_token()
            elif form.get("refresh_token") in self.refresh_tokens:
                # It works once.
                self.refresh_tokens.discard(form["refresh_token"])
                answer |= self._make_refresh_token()
            else:
                return 400, {"error": "invalid_grant"}
            token = f"shpat_{secrets.token_hex(8)}"
            self.tokens[token] = time.time() + self.token_s
            return 200, {**answer, "access_token": token}

    def _make_refresh_token(self) -> Row:
        made = f"shprt_{secrets.token_hex(8)}"
        self.refresh_tokens.add(made)
        return {"refresh_token": made, "refresh_token_expires_in": 7_776_000}

    def approve(self, query: dict[str, str]) -> str:
        """Where the merchant's browser is sent after "Install"."""
        code = secrets.token_hex(8)
        self.codes.add(code)
        pairs = {
            "code": code,
            "shop": urlsplit(self.url).netloc,
            "state": query["state"],
            "timestamp": str(int(time.time())),
        }
        message = "&".join(f"{name}={value}" for name, value in sorted(pairs.items()))
        signed = hmac.new(self.secret.encode(), message.encode(), hashlib.sha256).hexdigest()
        return f"{query['redirect_uri']}?{urlencode({**pairs, 'hmac': signed})}"

    # The API.

    def answer(self, query: str, variables: Row) -> Row:
        with self.lock:
            match = _OPERATION.match(query)
            operation = match.group(1) if match else ""
            self.operations.append(operation)
            if not self._charge():
                return self._throttle()
            data = getattr(self, f"_do_{_snake(operation)}")(variables)
            return {"data": data, "extensions": self._report()}

    def _charge(self) -> bool:
        now = time.monotonic()
        restored = (now - self._spent_at) * self.restore_rate
        self._left, self._spent_at = min(self.budget, self._left + restored), now
        if self._left < self.cost:
            return False
        self._left -= self.cost
        self.lowest = min(self.lowest, self._left)
        return True

    def _throttle(self) -> Row:
        error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
        return {"errors": [error], "extensions": self._report()}

    def _report(self) -> Row:
        status = {
            "maximumAvailable": self.budget,
            "currentlyAvailable": self._left,
            "restoreRate": self.restore_rate,
        }
        return {"cost": {"requestedQueryCost": self.cost, "throttleStatus": status}}

    def _do_shop(self, _variables: Row) -> Row:
        return {"shop": {"name": "Simulated Shopify", "currencyCode": "EUR"}}

    def _do_product(self, variables: Row) -> Row:
        found = self.products.get(variables["id"])
        return {"product": self._show(found) if found else None}

    def _do_products(self, variables: Row) -> Row:
        rows = sorted(self.products.values(), key=lambda row: int(row["id"].rpartition("/")[2]))
        if after := re.search(r"updated_at:>'([^']+)'", variables.get("query") or ""):
            since = datetime.fromisoformat(after.group(1))
            rows = [row for row in rows if datetime.fromisoformat(row["updatedAt"]) > since]
        start = int(variables.get("after") or 0)
        page = rows[start : start + 25]
        end = start + len(page)
        info = {"hasNextPage": end < len(rows), "endCursor": str(end)}
        nodes = [self._show(row) for row in page]
        return {
            "products": {"nodes": nodes, "pageInfo": info},
            "productsCount": {"count": len(rows)},
        }

    def _do_product_ids(self, _variables: Row) -> Row:
        nodes = [{"id": gid} for gid in self.products]
        return {"products": {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": ""}}}

    def _do_categories(self, variables: Row) -> Row:
        word = variables["search"].casefold().rstrip("s")
        nodes = [
            {"id": f"gid://shopify/TaxonomyCategory/{n}", "name": name, "isLeaf": True}
            for n, name in enumerate(TAXONOMY)
            if word[:4] in name.casefold()
        ]
        return {"taxonomy": {"categories": {"nodes": nodes}}}

    def _do_tags_add(self, variables: Row) -> Row:
        product = self.products[variables["id"]]
        have = {tag.casefold() for tag in product["tags"]}
        product["tags"] = sorted(
            [*product["tags"], *(tag for tag in variables["tags"] if tag.casefold() not in have)]
        )
        self._touch(product["id"], "products/update")
        return {"tagsAdd": {"userErrors": []}}

    def _do_tags_remove(self, variables: Row) -> Row:
        product = self.products[variables["id"]]
        gone = {tag.casefold() for tag in variables["tags"]}
        product["tags"] = [tag for tag in product["tags"] if tag.casefold() not in gone]
        self._touch(product["id"], "products/update")
        return {"tagsRemove": {"userErrors": []}}

    def _do_product_update(self, variables: Row) -> Row:
        wish = variables["product"]
        product = self.products[wish["id"]]
        category = wish.get("category")
        number = int(category.rpartition("/")[2]) if category else None
        product["category"] = (
            {"id": category, "name": TAXONOMY[number]} if number is not None else None
        )
        self._touch(product["id"], "products/update")
        return {"productUpdate": {"product": {"id": product["id"]}, "userErrors": []}}

    def _do_file_update(self, variables: Row) -> Row:
        texts = {each["id"]: each["alt"] for each in variables["files"]}
        for product in self.products.values():
            for media in product["media"]:
                if media["id"] in texts:
                    media["alt"] = texts[media["id"]]
                    self._touch(product["id"], "products/update")
        return {"fileUpdate": {"userErrors": []}}

    def _do_metafields_set(self, variables: Row) -> Row:
        """All or nothing; a digest that is not that of the value there refuses all."""
        self.before_metafields()
        inputs = variables["metafields"]
        if len(inputs) > 25:
            error = {"message": "Too many metafields", "code": "LESS_THAN_OR_EQUAL_TO"}
            return {"metafieldsSet": {"userErrors": [error]}}
        for each in inputs:
            there = self.products[each["ownerId"]]["metafields"].get(each["key"])
            digest = there["compareDigest"] if there else None
            if "compareDigest" in each and each["compareDigest"] != digest:
                error = {"message": "Stale", "code": "INVALID_COMPARE_DIGEST"}
                return {"metafieldsSet": {"userErrors": [error]}}
        for each in inputs:
            product = self.products[each["ownerId"]]
            value = each["value"]
            product["metafields"][each["key"]] = {
                "type": each["type"],
                "value": value,
                "compareDigest": hashlib.sha256(value.encode()).hexdigest(),
            }
            self._touch(product["id"], "products/update")
        return {"metafieldsSet": {"userErrors": []}}

    def _do_metafields_delete(self, variables: Row) -> Row:
        for each in variables["metafields"]:
            self.products[each["ownerId"]]["metafields"].pop(each["key"], None)
        return {"metafieldsDelete": {"userErrors": []}}

    def _do_webhooks(self, _variables: Row) -> Row:
        return {"webhookSubscriptions": {"nodes": list(self.subscriptions.values())}}

    def _do_webhook_create(self, variables: Row) -> Row:
        gid = f"gid://shopify/WebhookSubscription/{next(self._ids)}"
        row = {"id": gid, "topic": variables["topic"], "uri": variables["uri"]}
        self.subscriptions[gid] = row
        return {"webhookSubscriptionCreate": {"webhookSubscription": row, "userErrors": []}}

    def _do_webhook_delete(self, variables: Row) -> Row:
        self.subscriptions.pop(variables["id"], None)
        return {"webhookSubscriptionDelete": {"userErrors": []}}

    # Telling of what happened.

    def deliver_all(self) -> int:
        """Send what waits, in no order; a failure is tried again until the eighth."""
        waiting = []
        while not self.outbox.empty():
            waiting.append(self.outbox.get())
        random.shuffle(waiting)
        number = 0
        for topic, content in waiting:
            for row in list(self.subscriptions.values()):
                if row["topic"] == _TOPICS[topic]:
                    number += self._deliver(row, topic, content)
        return number

    def _deliver(self, row: Row, topic: str, content: Row) -> bool:
        body = json.dumps(content).encode()
        headers = self.sign(topic, body)
        for _try in range(MOST_FAILURES):
            if 200 <= self.send(row["uri"], body, headers) < 300:
                return True
        self.subscriptions.pop(row["id"], None)
        return False

    def sign(self, topic: str, body: bytes) -> dict[str, str]:
        digest = hmac.digest(self.secret.encode(), body, hashlib.sha256)
        return {
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-SHA256": base64.b64encode(digest).decode(),
            "X-Shopify-Shop-Domain": urlsplit(self.url).netloc,
            "X-Shopify-Webhook-Id": secrets.token_hex(16),
            "X-Shopify-Triggered-At": datetime.now(UTC).isoformat(),
        }

    def pick_fault(self, operation: str) -> str:
        with self.lock:
            if self.faults:
                return self.faults.pop(0)
        return self.choose_fault(operation)

    def _store_metafield(self, product: Row, key: str, kind: str, words: tuple[str, ...]) -> None:
        value = json.dumps(list(words))
        digest = hashlib.sha256(value.encode()).hexdigest()
        product["metafields"][key] = {"type": kind, "value": value, "compareDigest": digest}

    def _touch(self, gid: str, topic: str) -> None:
        self.products[gid]["updatedAt"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.outbox.put((topic, {"id": int(gid.rpartition("/")[2])}))

    def _show(self, product: Row) -> Row:
        metafields = [{"key": key, **each} for key, each in product["metafields"].items()]
        return {
            **product,
            "media": {"nodes": list(product["media"])},
            "metafields": {"nodes": metafields},
            "priceRangeV2": {"minVariantPrice": {"amount": "10.0", "currencyCode": "EUR"}},
        }


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        store, address = self.server.store, urlsplit(self.path)
        if address.path in store.images:
            self._send(200, store.images[address.path], "image/jpeg")
        elif address.path == "/admin/oauth/authorize":
            target = store.approve(dict(parse_qsl(address.query)))
            self._send(302, b"", "text/html", {"Location": target})
        else:
            self._send(404, b"<html></html>", "text/html")

    def do_POST(self) -> None:
        store, path = self.server.store, urlsplit(self.path).path
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/admin/oauth/access_token":
            status, content = store.give_token(dict(parse_qsl(data.decode())))
            self._send_json(status, content)
        elif path.endswith("/graphql.json"):
            self._serve_api(json.loads(data))
        else:
            self._send(404, b"<html></html>", "text/html")

    def _serve_api(self, question: Row) -> None:
        store = self.server.store
        token = self.headers.get("X-Shopify-Access-Token", "")
        if store.tokens.get(token, 0) < time.time():
            self._send_json(401, {"errors": "[API] Invalid API key or access token"})
            return
        match = _OPERATION.match(question["query"])
        fault = store.pick_fault(match.group(1) if match else "")
        if fault and not fault.startswith("late-"):
            self._fail(fault)
            return
        answer = store.answer(question["query"], question["variables"])
        if fault:
            self._fail(fault.removeprefix("late-"))
        else:
            self._send_json(200, answer)

    def _fail(self, fault: str) -> None:
        store = self.server.store
        store.after_fault(fault)
        if fault == "reset":
            self.close_connection = True
        elif fault == "throttled":
            self._send_json(200, store._throttle())
        elif fault == "html":
            self._send(200, b"<html>Maintenance</html>", "text/html")
        else:
            self._send(int(fault), b"{}", "application/json", {"Retry-After": "1.0"})

    def _send_json(self, status: int, content: Any) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

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

    def __init__(self, store: Simulator, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.store = store
        store.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def run(store: Simulator | None = None, *, port: int = 0) -> Iterator[Simulator]:
    """The store at an address of this machine; `deliver_all` sends what it has to tell."""
    store = store or Simulator()
    server = _Server(store, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
