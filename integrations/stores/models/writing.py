"""What Kalas writes into a store, in which words."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from annotations.models import TenantQuerySet
from integrations.stores.models.products import StoreProduct
from integrations.stores.models.stores import Store, StoreRun


class WriteBack(models.Model):
    """One change of one product: suggested, written, undone; with what was there before."""

    class State(models.TextChoices):
        SUGGESTED = "suggested", _("Suggested")
        REVIEW = "review", _("Waits for review")
        DUE = "due", _("Being written")
        APPLIED = "applied", _("Written")
        REVERTING = "reverting", _("Being undone")
        REVERTED = "reverted", _("Undone")
        DISMISSED = "dismissed", _("Dismissed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    store = models.ForeignKey(Store, models.CASCADE, related_name="write_backs")
    store_product = models.ForeignKey(StoreProduct, models.CASCADE, related_name="write_backs")
    run = models.ForeignKey(
        StoreRun, models.SET_NULL, null=True, blank=True, related_name="write_backs"
    )
    state = models.CharField(_("state"), max_length=10, choices=State)
    # `contract.Change` and `contract.RemoteProduct`, twice.
    change = models.JSONField(default=dict)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)
    # Whether it is what made the product a published one.
    published = models.BooleanField(default=False, editable=False)
    applied_at = models.DateTimeField(_("written"), null=True, blank=True)
    reverted_at = models.DateTimeField(_("undone"), null=True, blank=True)

    objects = TenantQuerySet["WriteBack"].as_manager()

    class Meta:
        verbose_name = _("change of a product in a store")
        verbose_name_plural = _("changes of products in stores")
        constraints = [
            models.UniqueConstraint(
                fields=["store_product"],
                condition=Q(state__in=["suggested", "review", "due"]),
                name="write_back_one_open",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        *("suggested", "review", "due", "applied"),
                        *("reverting", "reverted", "dismissed"),
                    ]
                ),
                name="write_back_state",
            ),
            models.CheckConstraint(
                condition=Q(applied_at__isnull=False, before__isnull=False)
                | Q(state__in=["suggested", "review", "due", "dismissed"]),
                name="write_back_applied_has_snapshot",
            ),
        ]
        indexes = [
            models.Index(fields=["store", "-created_at"], name="write_back_by_store_newest"),
            models.Index(fields=["store", "state"], name="write_back_by_store_state"),
        ]

    def __str__(self) -> str:
        return f"{self.store_product} ({self.get_state_display()})"

    @property
    def undo_marker(self) -> str:
        """What the store says of its last change once this one is undone."""
        return f"{self.id.hex}-undone"

    @property
    def can_be_undone(self) -> bool:
        return self.state == self.State.APPLIED


class StoreWord(models.Model):
    """The shop's own word for a label; an empty one means that the label is not written."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    store = models.ForeignKey(Store, models.CASCADE, related_name="words")
    # "category:t-shirt", "attribute:pattern", "value:pattern:striped", "colour:navy-blue"
    label = models.CharField(_("label"), max_length=120)
    word = models.CharField(_("the shop's word"), max_length=200, blank=True)

    objects = TenantQuerySet["StoreWord"].as_manager()

    class Meta:
        verbose_name = _("word of a shop")
        verbose_name_plural = _("words of shops")
        constraints = [models.UniqueConstraint(fields=["store", "label"], name="store_word_once")]

    def __str__(self) -> str:
        return f"{self.label}: {self.word}"


class StoreTerm(models.Model):
    """The store's id of a tag, category, attribute or value, so that it is asked for once."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    store = models.ForeignKey(Store, models.CASCADE, related_name="terms")
    kind = models.CharField(max_length=16)
    # The attribute of a value.
    parent = models.CharField(max_length=60, blank=True)
    # Case folded, as stores compare names.
    name = models.CharField(max_length=300)
    title = models.CharField(max_length=300)
    remote_id = models.CharField(max_length=100)

    objects = TenantQuerySet["StoreTerm"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "kind", "parent", "name"], name="store_term_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
