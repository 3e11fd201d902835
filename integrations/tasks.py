"""Jobs that send messages to shops' own software, and that keep their log in bounds."""

from datetime import UTC, datetime
from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from integrations import deliveries, emails, jobs
from integrations.models import WebhookEndpoint
from integrations.stores import tasks as stores_tasks

# Found here by procrastinate.
__all__ = ["stores_tasks"]


# What the receiver does wrong is noted and scheduled by `deliveries`. Where this itself fails,
# `wake_sleepers` wakes the lane again.
@app.task(name=jobs.DELIVER_TASK, queue=jobs.QUEUE)
def deliver_webhooks(*, endpoint_id: str) -> None:
    deliveries.send_due(endpoint_id=UUID(endpoint_id), clock=_now)


@app.task(
    name=jobs.TELL_PAUSED_TASK, retry=RetryStrategy(max_attempts=20, wait=30, linear_wait=120)
)
def tell_webhook_paused(*, endpoint_id: str) -> None:
    """Nothing if it was deleted or switched on meanwhile."""
    endpoint = WebhookEndpoint.objects.select_related("tenant").filter(id=endpoint_id).first()
    if endpoint and endpoint.is_paused:
        emails.send_paused(endpoint)


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="integrations.wake_sleepers")
def wake_sleepers(timestamp: int) -> None:
    """Where a job ended by a defect, or together with the database."""
    deliveries.wake_sleepers(now=datetime.fromtimestamp(timestamp, UTC))


@app.periodic(cron="23 4 * * *")
@app.task(queueing_lock="integrations.forget_old_messages")
def forget_old_messages(timestamp: int) -> None:
    deliveries.forget_old(now=datetime.fromtimestamp(timestamp, UTC))


def _now() -> datetime:
    return datetime.now(UTC)
