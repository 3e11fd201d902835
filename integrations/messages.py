"""What shops' own software is told: messages, written in the transaction of what they tell."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.models import Tenant
from integrations import jobs
from integrations.models import (
    TEST_EVENT,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    WebhookMessage,
)


def has_listeners(*, tenant_id: UUID, event: str) -> bool:
    """One query; asked first, as most events have none."""
    return WebhookEndpoint.objects.filter(tenant_id=tenant_id).listening(event).exists()


def word_listeners(event: WebhookEvent) -> str:
    """The same as SQL for `annotations.interests`."""
    return f"""EXISTS (
        SELECT FROM integrations_webhookendpoint
        WHERE tenant_id = %(tenant)s AND state IN ('active', 'paused')
            AND events @> ARRAY['{event.value}']::varchar[]
    )"""


def tell(
    *,
    tenant_id: UUID,
    event: str,
    data: dict[str, Any],
    now: datetime,
    about: UUID | None = None,
) -> int:
    """Write a message, its deliveries and their jobs; return how many endpoints get it.

    In the caller's transaction: what is rolled back is never told, and what is committed is told
    even if every process is killed the moment after.
    """
    endpoints = WebhookEndpoint.objects.filter(tenant_id=tenant_id).listening(event).order_by("id")
    if not endpoints:
        return 0
    jobs.hold_lanes(tenant_id)
    message = _write_message(tenant_id=tenant_id, event=event, data=data, now=now, about=about)
    WebhookDelivery.objects.bulk_create(
        _build_delivery(message, endpoint, now=now) for endpoint in endpoints
    )
    for endpoint in endpoints:
        if endpoint.is_active:
            jobs.wake_endpoint(endpoint.id, at=max(now, endpoint.quiet_until or now))
    return len(endpoints)


def tell_test(*, tenant: Tenant, endpoint: WebhookEndpoint, now: datetime) -> WebhookDelivery:
    """A message of no importance to one endpoint, whatever its state and events."""
    data = {"text": "This is a test. Nothing has happened."}
    message = _write_message(tenant_id=tenant.id, event=TEST_EVENT, data=data, now=now)
    delivery = WebhookDelivery.objects.create(
        tenant=tenant, endpoint=endpoint, message=message, next_attempt_at=now, created_at=now
    )
    jobs.wake_endpoint(endpoint.id, at=now)
    return delivery


def forget(*, tenant_id: UUID, about: Sequence[UUID]) -> None:
    """Delete the messages about these annotations, also those that wait to be sent."""
    WebhookMessage.objects.filter(tenant_id=tenant_id, about__in=about).delete()


def _write_message(
    *,
    tenant_id: UUID,
    event: str,
    data: dict[str, Any],
    now: datetime,
    about: UUID | None = None,
) -> WebhookMessage:
    body = {
        "type": event,
        "timestamp": now.isoformat().replace("+00:00", "Z"),
        "data": data,
    }
    return WebhookMessage.objects.create(
        tenant_id=tenant_id,
        event=event,
        about=about,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        created_at=now,
    )


def _build_delivery(
    message: WebhookMessage, endpoint: WebhookEndpoint, *, now: datetime
) -> WebhookDelivery:
    active = endpoint.is_active
    return WebhookDelivery(
        tenant_id=message.tenant_id,
        endpoint=endpoint,
        message=message,
        state=WebhookDelivery.State.WAITING if active else WebhookDelivery.State.HELD,
        next_attempt_at=now if active else None,
        created_at=now,
    )
