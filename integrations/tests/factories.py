"""Minimal objects for tests, and a receiver that checks what it gets as a shop's would."""

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import Membership
from accounts.tests.factories import make_member
from integrations import deliveries, endpoints, messages
from integrations.models import WebhookDelivery, WebhookEndpoint, WebhookEvent

URL = "https://shop.example/hooks"


def make_endpoint(
    *, by: Membership | None = None, url: str = URL, **fields
) -> tuple[WebhookEndpoint, str]:
    by = by or make_member()
    events = fields.pop("events", WebhookEvent.values)
    return endpoints.create_endpoint(
        tenant=by.tenant, by=by, name="", url=url, events=events, now=timezone.now(), **fields
    )


def make_delivery(endpoint: WebhookEndpoint, *, event: str = "batch.finished") -> WebhookDelivery:
    messages.tell(tenant_id=endpoint.tenant_id, event=event, data={"id": "1"}, now=timezone.now())
    return endpoint.deliveries.select_related("message", "endpoint").latest("created_at")


def send_due(endpoint: WebhookEndpoint, *, now: datetime | None = None) -> None:
    """What the endpoint's job does, which is taken from the queue."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM procrastinate_jobs WHERE lock = %s", [f"webhooks.{endpoint.id}"]
        )
    deliveries.send_due(endpoint_id=endpoint.id, clock=lambda: now or timezone.now())


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    def is_signed_with(self, secret: str) -> bool:
        """Written from the documentation, not from the code that signs."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        stamp = self.headers["webhook-timestamp"]
        content = b".".join([self.headers["webhook-id"].encode(), stamp.encode(), self.body])
        expected = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
        signatures = self.headers["webhook-signature"].split(" ")
        is_fresh = abs(time.time() - int(stamp)) < 300
        return is_fresh and any(
            hmac.compare_digest(signature, f"v1,{expected}") for signature in signatures
        )


@dataclass
class Receiver:
    """A shop's own software; `answer` says status, headers and body of what it answers."""

    url: str = ""
    port: int = 0
    received: list[Received] = field(default_factory=list)
    answer: tuple[int, dict[str, str], bytes] = (204, {}, b"")
    before_answer: Callable[[], None] = lambda: None


@contextmanager
def run_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            receiver.before_answer()
            status, extra, content = receiver.answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_port
    receiver.url = f"http://127.0.0.1:{receiver.port}/hooks"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def attempt(delivery: WebhookDelivery, *, now: datetime | None = None) -> WebhookDelivery:
    """What its endpoint's job does."""
    send_due(delivery.endpoint, now=now)
    return reload(delivery)


def lanes_of(endpoint: WebhookEndpoint) -> QuerySet[ProcrastinateJob]:
    return ProcrastinateJob.objects.filter(lock=f"webhooks.{endpoint.id}")


def reload(delivery: WebhookDelivery) -> WebhookDelivery:
    return WebhookDelivery.objects.select_related("endpoint", "message").get(id=delivery.id)
