"""Stores that are connected, what they tell, and what Kalas writes into them."""

import uuid
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from annotations.models import TenantQuerySet
from integrations.stores import failures
from retrieval.models import Product


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


STORE_TABLES: tuple[type[Any], ...] = (
    Store,
    StoreRun,
    StoreProduct,
    StoreDelivery,
    WriteBack,
    StoreWord,
    StoreTerm,
)
