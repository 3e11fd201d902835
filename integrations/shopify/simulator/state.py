"""What the simulated store holds, and what goes wrong with it."""

import hashlib
import itertools
import json
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SCOPES = "read_files,read_products,write_files,write_products"
FAULTS = ("late-reset", "reset", "429", "500", "html", "throttled")

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
class State:
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
