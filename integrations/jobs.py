"""Jobs are deferred here by name, so that services need not know the tasks that call them."""

from datetime import datetime
from uuid import UUID

from django.db import connection
from procrastinate.contrib.django import app

from integrations.models import WebhookEndpoint
from kalas.lib import lanes

# A queue of its own, so that receivers that take their time hold up no annotation.
QUEUE = "webhooks"
DELIVER_TASK = "integrations.deliver_webhooks"
TELL_PAUSED_TASK = "integrations.tell_webhook_paused"


def wake_endpoint(endpoint_id: UUID, *, at: datetime) -> None:
    """Send what is due to this endpoint, in a lane of its own, at `at` at the latest."""
    lanes.wake(
        f"webhooks.{endpoint_id}",
        task=DELIVER_TASK,
        args={"endpoint_id": str(endpoint_id)},
        queue=QUEUE,
        at=at,
    )


def hold_lanes(tenant_id: UUID) -> None:
    """Until the transaction ends nobody else tells this shop's endpoints of something: one that
    tells of several things wakes lanes in any order, and two could wait for each other."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"webhooks.{tenant_id}"]
        )


def defer_pause_notice(endpoint: WebhookEndpoint) -> None:
    app.configure_task(TELL_PAUSED_TASK, allow_unknown=False).defer(endpoint_id=str(endpoint.id))
