"""Composed reads for the pages and the API."""

from uuid import UUID

from accounts.models import Tenant
from integrations.models import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryQuerySet,
    WebhookEndpoint,
)

SHOWN_ATTEMPTS = 30


def list_endpoints(*, tenant: Tenant) -> list[WebhookEndpoint]:
    return list(WebhookEndpoint.objects.for_tenant(tenant).order_by("created_at", "id"))


def get_endpoint(*, tenant: Tenant, endpoint_id: UUID) -> WebhookEndpoint:
    """Raises WebhookEndpoint.DoesNotExist, also for another shop's."""
    return WebhookEndpoint.objects.for_tenant(tenant).get(id=endpoint_id)


def list_deliveries(*, tenant: Tenant, endpoint: WebhookEndpoint) -> WebhookDeliveryQuerySet:
    """Newest first, with their messages."""
    deliveries = WebhookDelivery.objects.for_tenant(tenant).filter(endpoint=endpoint)
    return deliveries.select_related("message").order_by("-created_at", "-id")


def get_delivery(*, tenant: Tenant, delivery_id: UUID) -> WebhookDelivery:
    """Raises WebhookDelivery.DoesNotExist, also for another shop's."""
    deliveries = WebhookDelivery.objects.for_tenant(tenant)
    return deliveries.select_related("message", "endpoint").get(id=delivery_id)


def list_attempts(*, delivery: WebhookDelivery) -> list[WebhookAttempt]:
    """The last ones, newest first."""
    return list(delivery.log.order_by("-started_at", "-id")[:SHOWN_ATTEMPTS])
