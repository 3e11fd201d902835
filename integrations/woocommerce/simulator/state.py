"""What the simulated store holds, and what goes wrong with it."""

import itertools
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integrations.woocommerce.simulator.posting import post

UNCATEGORIZED = 15
FAULTS = ("late-timeout", "timeout", "429", "500", "503", "html", "reset", "late-reset")

Row = dict[str, Any]


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
class State:
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

    def _touch(self, product: Row) -> None:
        """Each change is later than the one before, also within a second."""
        product["modified"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")

    def pick_fault(self, request: str) -> str:
        with self.lock:
            if self.faults and not request.startswith("GET"):
                return self.faults.pop(0)
        return self.choose_fault(request)
