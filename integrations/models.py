import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from annotations.models import TenantQuerySet
from integrations.stores.models import (
    Platform,
    Store,
    StoreDelivery,
    StoreProduct,
    StoreRun,
    StoreTerm,
    StoreWord,
    WriteBack,
)
from integrations.webhook_events import PRODUCT_ANNOTATED
from kalas.lib import request_failures

# Django looks for an app's models here.
__all__ = [
    "Platform",
    "Store",
    "StoreDelivery",
    "StoreProduct",
    "StoreRun",
    "StoreTerm",
    "StoreWord",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookDeliveryQuerySet",
    "WebhookEndpoint",
    "WebhookEvent",
    "WebhookMessage",
    "WriteBack",
]


class WebhookEvent(models.TextChoices):
    """What shops' own software can be told; the names never change."""

    ANNOTATION_FINISHED = "annotation.finished", _("An annotation is finished")
    ANNOTATION_REVIEWED = "annotation.reviewed", _("A person accepted or corrected an annotation")
    BATCH_FINISHED = "batch.finished", _("A batch is finished")
    PRODUCT_ANNOTATED = PRODUCT_ANNOTATED, _("A product of a custom integration has its words")


# Sent by the button on the page, to any endpoint.
TEST_EVENT = "webhook.test"
# An attempt's error beside those of `request_failures`.
SECRET_UNREADABLE = "secret-unreadable"  # noqa: S105


class WebhookEndpointQuerySet(TenantQuerySet["WebhookEndpoint"]):
    def listening(self, event: str) -> Self:
        """To what happens now: also those that are paused, whose messages wait."""
        states = (WebhookEndpoint.State.ACTIVE, WebhookEndpoint.State.PAUSED)
        return self.filter(state__in=states, events__contains=[event])


class WebhookEndpoint(models.Model):
    """An address of a shop's own software that gets signed messages."""

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        OFF = "off", _("Switched off")
        PAUSED = "paused", _("Paused")

    class PauseReason(models.TextChoices):
        FAILING = "failing", _("It did not take a message for three days.")
        GONE = "gone", _("It answered 410 Gone, which asks for no more messages.")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="webhook_endpoints", verbose_name=_("shop")
    )
    name = models.CharField(_("name"), max_length=120, blank=True)
    url = models.CharField(_("address"), max_length=2048)
    events = ArrayField(
        models.CharField(max_length=40, choices=WebhookEvent), verbose_name=_("events")
    )
    # Sealed by kalas.lib.crypto.
    secret = models.BinaryField(editable=False)
    previous_secret = models.BinaryField(null=True, editable=False)
    previous_secret_until = models.DateTimeField(null=True, editable=False)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.ACTIVE)
    pause_reason = models.CharField(
        _("paused because"), max_length=8, choices=PauseReason, blank=True
    )
    paused_at = models.DateTimeField(_("paused"), null=True, blank=True)
    # Since the last message that was taken.
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True)
    # Nothing but tests is sent before, so that an endpoint that is down holds nobody up.
    quiet_until = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = WebhookEndpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        indexes = [models.Index(fields=["tenant", "created_at"], name="webhook_by_tenant")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(events__len__gt=0)
                & models.Q(events__contained_by=list(WebhookEvent.values)),
                name="webhook_events",
            ),
            models.CheckConstraint(
                condition=models.Q(state="paused", paused_at__isnull=False)
                & ~models.Q(pause_reason="")
                | models.Q(state__in=["active", "off"], paused_at=None, pause_reason=""),
                name="webhook_paused_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.url

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE

    @property
    def is_paused(self) -> bool:
        return self.state == self.State.PAUSED

    def is_quiet(self, now: datetime) -> bool:
        return self.quiet_until is not None and self.quiet_until > now

    @property
    def event_labels(self) -> list[str]:
        return [str(WebhookEvent(event).label) for event in self.events]


class WebhookMessage(models.Model):
    """What is told, byte for byte the same each time it is sent."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", verbose_name=_("shop"))
    event = models.CharField(_("event"), max_length=40)
    # The annotation whose result it holds, and with which it goes.
    about = models.UUIDField(null=True, editable=False)
    body = models.TextField(_("body"))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")
        indexes = [
            models.Index(fields=["created_at"], name="webhook_message_by_age"),
            models.Index(fields=["about"], name="webhook_message_about"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """`webhook-id`: by it receivers know a message that they have had already."""
        return f"msg_{self.id.hex}"


class WebhookDeliveryQuerySet(TenantQuerySet["WebhookDelivery"]):
    def waiting(self) -> Self:
        return self.filter(state=WebhookDelivery.State.WAITING)


class WebhookDelivery(models.Model):
    """One message on its way to one endpoint."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Failed")
        HELD = "held", _("Held back")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", verbose_name=_("shop"))
    endpoint = models.ForeignKey(
        WebhookEndpoint, models.CASCADE, related_name="deliveries", verbose_name=_("endpoint")
    )
    message = models.ForeignKey(
        WebhookMessage, models.CASCADE, related_name="deliveries", verbose_name=_("message")
    )
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    # Of all time, and since it was last asked for: the second is what is limited.
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    tries = models.PositiveSmallIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        indexes = [
            models.Index(fields=["endpoint", "-created_at"], name="delivery_by_endpoint_newest"),
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                name="delivery_due_by_endpoint",
                condition=models.Q(state="waiting"),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "message"], name="delivery_once_per_endpoint"
            ),
            models.CheckConstraint(
                condition=models.Q(state="waiting", next_attempt_at__isnull=False)
                | models.Q(state__in=["delivered", "failed", "held"], next_attempt_at=None),
                name="delivery_waiting_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message} → {self.endpoint}"

    @property
    def is_waiting(self) -> bool:
        return self.state == self.State.WAITING

    @property
    def is_test(self) -> bool:
        return self.message.event == TEST_EVENT

    @property
    def event_label(self) -> str:
        return str(_("Test") if self.is_test else WebhookEvent(self.message.event).label)


class WebhookAttempt(models.Model):
    """One request and what came back, as the log shows them: bounded, signatures masked."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", verbose_name=_("shop"))
    delivery = models.ForeignKey(
        WebhookDelivery, models.CASCADE, related_name="log", verbose_name=_("delivery")
    )
    number = models.PositiveSmallIntegerField(_("number"))
    started_at = models.DateTimeField(_("started"))
    duration_ms = models.PositiveIntegerField(_("duration, ms"))
    status = models.PositiveSmallIntegerField(_("status"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=40, blank=True)
    request_headers = models.JSONField(default=dict)
    response_headers = models.JSONField(default=dict)
    response_body = models.TextField(blank=True)

    class Meta:
        verbose_name = _("webhook attempt")
        verbose_name_plural = _("webhook attempts")

    def __str__(self) -> str:
        return f"{self.delivery} ({self.number})"

    @property
    def error_text(self) -> str:
        """In the active language."""
        if self.error == SECRET_UNREADABLE:
            return gettext("The secret can't be read: the key that sealed it is gone. Replace it.")
        return request_failures.describe(self.error) if self.error else ""
