"""Jobs that send messages to shops' own software, and that keep their log in bounds."""

import logging
from datetime import UTC, datetime
from uuid import UUID

from django.db import Error as DatabaseError
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from integrations import deliveries, emails, jobs
from integrations.models import WebhookEndpoint

logger = logging.getLogger(__name__)


# What the receiver does wrong is noted and scheduled by `deliveries`; this is about ourselves.
@app.task(
    name=jobs.DELIVER_TASK,
    queue=jobs.QUEUE,
    retry=RetryStrategy(max_attempts=50, wait=5, linear_wait=5, retry_exceptions=[DatabaseError]),
)
def deliver_webhook(*, delivery_id: str) -> None:
    deliveries.attempt(delivery_id=UUID(delivery_id), now=datetime.now(UTC))


@app.task(
    name=jobs.TELL_PAUSED_TASK, retry=RetryStrategy(max_attempts=20, wait=30, linear_wait=120)
)
def tell_webhook_paused(*, endpoint_id: str) -> None:
    """Nothing if it was deleted or switched on meanwhile."""
    endpoint = WebhookEndpoint.objects.select_related("tenant").filter(id=endpoint_id).first()
    if endpoint and endpoint.is_paused:
        emails.send_paused(endpoint)


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="integrations.requeue_forgotten")
def requeue_forgotten(timestamp: int) -> None:
    found = deliveries.requeue_forgotten(now=datetime.fromtimestamp(timestamp, UTC))
    if found:
        logger.warning("%d webhook deliveries had no job and were queued again", found)


@app.periodic(cron="23 4 * * *")
@app.task(queueing_lock="integrations.forget_old_messages")
def forget_old_messages(timestamp: int) -> None:
    deliveries.forget_old(now=datetime.fromtimestamp(timestamp, UTC))
