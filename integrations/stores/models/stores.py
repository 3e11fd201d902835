"""Stores that are connected, and the work through all of their products."""

import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from annotations.models import TenantQuerySet
from integrations.stores import failures


class Platform(models.TextChoices):
    WOOCOMMERCE = "woocommerce", "WooCommerce"
    SHOPIFY = "shopify", "Shopify"
    CUSTOM = "custom", _("Custom")


class StoreQuerySet(TenantQuerySet["Store"]):
    def listed(self) -> Self:
        """Without those that were disconnected, whose rows only wait to be connected again."""
        return self.exclude(state=Store.State.DISCONNECTED)


class Store(models.Model):
    """A shop's online store. Its credentials are sealed for this row and never shown again.

    A store that is disconnected keeps its row, without keys: connected again it has its products,
    and what Kalas wrote into them can still be undone.
    """

    class State(models.TextChoices):
        CONNECTING = "connecting", _("Being connected")
        ACTIVE = "active", _("Connected")
        PAUSED = "paused", _("Switched off")
        BROKEN = "broken", _("Needs you")
        LEAVING = "leaving", _("Being disconnected")
        DISCONNECTED = "disconnected", _("Disconnected")

    class Mode(models.TextChoices):
        NOW = "now", _("Write at once what the model is sure of")
        REVIEW = "review", _("Write after somebody has reviewed the photo")
        SUGGEST = "suggest", _("Suggest only; I press the button")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="stores", verbose_name=_("shop")
    )
    platform = models.CharField(_("platform"), max_length=16, choices=Platform)
    name = models.CharField(_("name"), max_length=120, blank=True)
    url = models.CharField(_("address"), max_length=300, blank=True)
    credentials = models.BinaryField(null=True, editable=False)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.CONNECTING)
    # A code of `failures`, and what it is about, such as an address.
    problem = models.CharField(_("problem"), max_length=40, blank=True)
    problem_about = models.CharField(max_length=300, blank=True)
    problem_at = models.DateTimeField(_("since"), null=True, blank=True)
    # Of the one-time value that the store hands back when somebody approves there.
    token_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    token_until = models.DateTimeField(null=True, editable=False)

    mode = models.CharField(_("when to write"), max_length=8, choices=Mode, default=Mode.NOW)
    threshold = models.FloatField(
        _("write from this confidence"),
        default=0.8,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
    )
    language = models.CharField(
        _("language of the store"), max_length=8, choices=settings.LANGUAGES, default="en"
    )
    write_tags = models.BooleanField(_("tags"), default=True)
    write_category = models.BooleanField(_("category, where none is set"), default=True)
    write_attributes = models.BooleanField(_("attributes"), default=True)
    write_alt = models.BooleanField(_("descriptions of photos (alt text)"), default=True)
    create_categories = models.BooleanField(_("create categories that are missing"), default=False)
    append_only = models.BooleanField(
        _("only ever add; never take away what Kalas wrote earlier"), default=True
    )
    currency = models.CharField(max_length=3, blank=True, editable=False)

    # As the store lists them: [{"id": …, "topic": …, "status": …}]
    webhooks = models.JSONField(default=list, blank=True, editable=False)
    webhooks_at = models.DateTimeField(null=True, editable=False)
    pinged_at = models.DateTimeField(null=True, editable=False)
    delivered_at = models.DateTimeField(null=True, editable=False)
    polled_at = models.DateTimeField(null=True, editable=False)
    # In the store's time: what was changed later is asked for next time.
    modified_after = models.DateTimeField(null=True, editable=False)
    # Where the list of changes is read on, and when in the store's time that reading began.
    poll_cursor = models.CharField(max_length=300, blank=True, editable=False)
    poll_began_at = models.DateTimeField(null=True, editable=False)
    # When everything it has was compared with what is known here.
    compared_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    quiet_until = models.DateTimeField(null=True, editable=False)
    alerted_at = models.DateTimeField(null=True, editable=False)
    connected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)
    connected_at = models.DateTimeField(_("connected"), null=True, blank=True)

    objects = StoreQuerySet.as_manager()

    class Meta:
        verbose_name = _("store")
        verbose_name_plural = _("stores")
        indexes = [models.Index(fields=["tenant", "created_at"], name="store_by_tenant")]
        constraints = [
            models.CheckConstraint(
                condition=Q(threshold__gte=0, threshold__lte=1), name="store_threshold"
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        *("connecting", "active", "paused", "broken"),
                        *("leaving", "disconnected"),
                    ]
                )
                & Q(platform__in=["woocommerce", "shopify", "custom"])
                & Q(mode__in=["now", "review", "suggest"]),
                name="store_choices",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["connecting", "disconnected"])
                | Q(credentials__isnull=False),
                name="store_connected_has_credentials",
            ),
            models.UniqueConstraint(
                fields=["token_sha256"], condition=~Q(token_sha256=""), name="store_token"
            ),
            models.UniqueConstraint(
                fields=["tenant", "platform", "url"],
                condition=~Q(url=""),
                name="store_once_per_address",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.url or str(self.get_platform_display())

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE

    @property
    def is_leaving(self) -> bool:
        return self.state == self.State.LEAVING

    @property
    def is_custom(self) -> bool:
        return self.platform == Platform.CUSTOM

    @property
    def problem_text(self) -> str:
        """In the active language."""
        return failures.describe(self.problem, about=self.problem_about) if self.problem else ""

    def is_quiet(self, now: datetime) -> bool:
        return self.quiet_until is not None and self.quiet_until > now


class StoreRun(models.Model):
    """All products of a store, worked through page by page: written, or suggested only."""

    class State(models.TextChoices):
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Stopped")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    store = models.ForeignKey(Store, models.CASCADE, related_name="runs")
    preview = models.BooleanField(_("suggest only"), default=True)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.RUNNING)
    # Where the store's list is read on; empty at its begin, and in the end `is_listed`.
    cursor = models.CharField(max_length=300, blank=True, editable=False)
    is_listed = models.BooleanField(default=False, editable=False)
    total = models.PositiveIntegerField(_("products"), null=True, blank=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("started"), default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = TenantQuerySet["StoreRun"].as_manager()

    class Meta:
        verbose_name = _("run over a store")
        verbose_name_plural = _("runs over stores")
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["running", "paused", "done", "cancelled"]), name="run_state"
            ),
            models.UniqueConstraint(
                fields=["store"],
                condition=Q(state__in=["running", "paused"]),
                name="run_one_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.store} {self.created_at:%Y-%m-%d}"

    @property
    def is_open(self) -> bool:
        return self.state in (self.State.RUNNING, self.State.PAUSED)
