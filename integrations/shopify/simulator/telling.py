"""Telling others of what happened in the simulated store."""

import base64
import hashlib
import hmac
import json
import random
import secrets
from datetime import UTC, datetime
from urllib.parse import urlsplit

from integrations.shopify.simulator.state import Row
from integrations.shopify.simulator.tokens import Tokens

MOST_FAILURES = 8
_TOPICS = {
    "products/create": "PRODUCTS_CREATE",
    "products/update": "PRODUCTS_UPDATE",
    "products/delete": "PRODUCTS_DELETE",
    "app/uninstalled": "APP_UNINSTALLED",
}


class Telling(Tokens):
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
