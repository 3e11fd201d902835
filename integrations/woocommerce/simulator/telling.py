"""Telling others of what happened in the simulated store."""

import base64
import hashlib
import hmac
import html
import json
import queue
import time
from typing import Any
from urllib.parse import urlencode

from integrations.woocommerce.simulator.paging import cut_page
from integrations.woocommerce.simulator.state import Refused, Row, Webhook
from integrations.woocommerce.simulator.terms import Terms

# After so many failures in a row a webhook is switched off.
MOST_FAILURES = 6
TOPICS = ("product.created", "product.updated", "product.deleted", "product.restored")


class Telling(Terms):
    def deliver_all(self) -> int:
        """Send what waits, one after another, as WP-Cron does; return how many went out."""
        number = 0
        while True:
            try:
                webhook_id, topic, fallback = self.outbox.get_nowait()
            except queue.Empty:
                return number
            number += self._deliver(webhook_id, topic, fallback)

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

    def _answer_webhooks(
        self, method: str, parts: list[str], params: dict[str, str], body: Any
    ) -> tuple[Any, Row]:
        if not parts:
            if method == "POST":
                return self._make_webhook(body), {"status": 201}
            return cut_page([each.show() for each in self.webhooks.values()], params)
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


def _brief(term: Row) -> Row:
    return {"id": term["id"], "name": term["name"], "slug": term["slug"]}
