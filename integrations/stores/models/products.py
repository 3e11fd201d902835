"""What a store has and tells."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from annotations.models import TenantQuerySet
from integrations.stores import failures
from integrations.stores.models.stores import Store, StoreRun
from retrieval.models import Product


class StoreProduct(models.Model):
    """A product as the store has it, and how far it has come here.

    What is due is worked off in lanes: reading (`read_due_at`), then writing (`write_due_at`).
    A hint that comes in the meantime raises `hints`, so that it is not forgotten.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting to be read")
        DRAFT = "draft", _("Not published in the store")
        ANNOTATING = "annotating", _("Being annotated")
        REVIEW = "review", _("Waits for review")
        SUGGESTED = "suggested", _("Suggestion ready")
        WRITTEN = "written", _("Written")
        UNCHANGED = "unchanged", _("Nothing to write")
        GONE = "gone", _("No longer in the store")
        FAILED = "failed", _("Failed")

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    store = models.ForeignKey(Store, models.CASCADE, related_name="products")
    external_id = models.CharField(_("product id"), max_length=200)
    product = models.ForeignKey(
        Product, models.SET_NULL, null=True, blank=True, related_name="in_stores"
    )
    run = models.ForeignKey(
        StoreRun, models.SET_NULL, null=True, blank=True, related_name="products"
    )
    lane = models.PositiveSmallIntegerField(default=0, editable=False)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.WAITING)
    problem = models.CharField(max_length=40, blank=True)
    problem_about = models.CharField(max_length=300, blank=True)
    hints = models.PositiveIntegerField(default=0, editable=False)
    tries = models.PositiveSmallIntegerField(default=0, editable=False)
    hinted_at = models.DateTimeField(null=True, editable=False)
    read_due_at = models.DateTimeField(null=True, editable=False)
    write_due_at = models.DateTimeField(null=True, editable=False)
    read_at = models.DateTimeField(null=True, editable=False)
    # Of what an annotation depends on: while it stays the same there is nothing new to say.
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    # What the store itself told, where it is not asked (`contract.RemoteProduct`), and as it was
    # last seen there.
    inbox = models.JSONField(null=True, editable=False)
    remote = models.JSONField(null=True, editable=False)
    modified_at = models.DateTimeField(null=True, editable=False)
    # What Kalas wrote and is still there (`changes.Written`), and what a person took over since.
    written = models.JSONField(default=dict, editable=False)
    taken_over = ArrayField(models.CharField(max_length=300), default=list, editable=False)
    # Somebody undid what was written: nothing more is, until its photos change or they ask for it.
    is_held = models.BooleanField(default=False, editable=False)

    objects = TenantQuerySet["StoreProduct"].as_manager()

    class Meta:
        verbose_name = _("product in a store")
        verbose_name_plural = _("products in stores")
        constraints = [
            models.UniqueConstraint(fields=["store", "external_id"], name="store_product_once"),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        *("waiting", "draft", "annotating", "review", "suggested"),
                        *("written", "unchanged", "gone", "failed"),
                    ]
                ),
                name="store_product_state",
            ),
        ]
        indexes = [
            models.Index(
                fields=["store", "lane", "read_due_at"],
                name="store_product_to_read",
                condition=Q(read_due_at__isnull=False),
            ),
            models.Index(
                fields=["store", "write_due_at"],
                name="store_product_to_write",
                condition=Q(write_due_at__isnull=False),
            ),
            models.Index(fields=["store", "state"], name="store_product_by_state"),
        ]

    def __str__(self) -> str:
        return str(self.product or self.external_id)

    @property
    def title(self) -> str:
        return (self.remote or {}).get("title") or f"#{self.external_id}"

    @property
    def problem_text(self) -> str:
        return failures.describe(self.problem, about=self.problem_about) if self.problem else ""


class StoreDelivery(models.Model):
    """A message of a store whose signature was right. The same content twice is one row."""

    class State(models.TextChoices):
        QUEUED = "queued", _("In line")
        DONE = "done", _("Done")
        IGNORED = "ignored", _("Nothing to do")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    store = models.ForeignKey(Store, models.CASCADE, related_name="deliveries")
    topic = models.CharField(_("topic"), max_length=80)
    external_id = models.CharField(_("product id"), max_length=200, blank=True)
    fingerprint = models.CharField(max_length=64, editable=False)
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.QUEUED)
    status = models.PositiveSmallIntegerField(_("answered"), default=200)
    duration_ms = models.PositiveIntegerField(_("duration, ms"), default=0)
    repeats = models.PositiveIntegerField(_("came again"), default=0)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    problem = models.CharField(max_length=40, blank=True)
    problem_about = models.CharField(max_length=300, blank=True)
    received_at = models.DateTimeField(_("received"), default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = TenantQuerySet["StoreDelivery"].as_manager()

    class Meta:
        verbose_name = _("delivery of a store")
        verbose_name_plural = _("deliveries of stores")
        constraints = [
            models.UniqueConstraint(fields=["store", "fingerprint"], name="store_delivery_once"),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "done", "ignored", "failed"]),
                name="store_delivery_state",
            ),
        ]
        indexes = [
            models.Index(fields=["store", "-received_at"], name="store_delivery_newest"),
            models.Index(fields=["received_at"], name="store_delivery_by_age"),
            models.Index(
                fields=["store", "external_id"],
                name="store_delivery_open",
                condition=Q(state="queued"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.external_id}"

    @property
    def problem_text(self) -> str:
        return failures.describe(self.problem, about=self.problem_about) if self.problem else ""
