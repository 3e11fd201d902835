"""Jobs are deferred here by name, so that services need not know the tasks that call them."""

from collections.abc import Iterable

from procrastinate.contrib.django import app
from procrastinate.types import JSONDict

from integrations.models import WebhookDelivery, WebhookEndpoint

# A queue of its own, so that receivers that take their time hold up no annotation.
QUEUE = "webhooks"
DELIVER_TASK = "integrations.deliver_webhook"
TELL_PAUSED_TASK = "integrations.tell_webhook_paused"


def defer_delivery(delivery: WebhookDelivery) -> None:
    """Defer the next attempt in the running transaction."""
    app.configure_task(
        DELIVER_TASK, allow_unknown=False, queue=QUEUE, schedule_at=delivery.next_attempt_at
    ).defer(delivery_id=str(delivery.id))


def defer_deliveries(deliveries: Iterable[WebhookDelivery]) -> int:
    """Defer an attempt of each as soon as possible; return how many."""
    arguments: list[JSONDict] = [{"delivery_id": str(delivery.id)} for delivery in deliveries]
    if arguments:
        app.configure_task(DELIVER_TASK, allow_unknown=False, queue=QUEUE).batch_defer(*arguments)
    return len(arguments)


def defer_pause_notice(endpoint: WebhookEndpoint) -> None:
    app.configure_task(TELL_PAUSED_TASK, allow_unknown=False).defer(endpoint_id=str(endpoint.id))
