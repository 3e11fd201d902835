import uuid
from datetime import datetime
from typing import Self, TypeVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField

from accounts.models import ApiKey, Tenant, User
from inference.contract import Box

M = TypeVar("M", bound=models.Model)


class TenantQuerySet(models.QuerySet[M]):
    """Rows that belong to a shop by a column of their own."""

    def for_tenant(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)


class FashionImageQuerySet(TenantQuerySet["FashionImage"]):
    def demo(self) -> Self:
        return self.filter(source=FashionImage.Source.DEMO)


class FashionImage(models.Model):
    """One photo of a shop: upright, sRGB, without metadata, as the engine and the pages see it."""

    class Source(models.TextChoices):
        UPLOAD = "upload", _("Upload")
        DEMO = "demo", _("Demo")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="images", verbose_name=_("shop")
    )
    file = models.FileField(_("file"), upload_to="", max_length=200, editable=False)
    thumbnail = models.FileField(_("thumbnail"), upload_to="", max_length=200, editable=False)
    name = models.CharField(_("file name"), max_length=200)
    sha256 = models.CharField(_("SHA-256 of the stored photo"), max_length=64, editable=False)
    upload_sha256 = models.CharField(
        _("SHA-256 of the uploaded file"), max_length=64, editable=False
    )
    width = models.PositiveIntegerField(_("width, px"), editable=False)
    height = models.PositiveIntegerField(_("height, px"), editable=False)
    bytes = models.PositiveIntegerField(_("size, bytes"), editable=False)
    source = models.CharField(_("source"), max_length=16, choices=Source, default=Source.UPLOAD)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("uploaded by"),
    )
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)

    objects = FashionImageQuerySet.as_manager()

    class Meta:
        verbose_name = _("photo")
        verbose_name_plural = _("photos")
        indexes = [models.Index(fields=["tenant", "-created_at"], name="image_by_tenant_newest")]
        constraints = [
            # The same file twice in a shop is the same photo, also when two uploads race.
            models.UniqueConstraint(
                fields=["tenant", "upload_sha256"], name="image_once_per_tenant"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AnnotationQuerySet(TenantQuerySet["Annotation"]):
    def pending(self) -> Self:
        return self.filter(state=Annotation.State.PENDING)

    def in_line(self) -> Self:
        """Waiting ones in the order in which the engine gets them."""
        return self.pending().order_by("-priority", "created_at", "id")


class Annotation(models.Model):
    """One run of a model over a photo, or over a person's box on it."""

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting")
        DONE = "done", _("Done")
        ABSTAINED = "abstained", _("No answer")
        FAILED = "failed", _("Failed")

    class Priority(models.IntegerChoices):
        """Of the job: the larger goes first."""

        BULK = 0, _("Bulk")
        CROP = 10, _("Crop")
        UPLOAD = 20, _("Upload")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="annotations", verbose_name=_("shop")
    )
    image = models.ForeignKey(
        FashionImage, models.CASCADE, related_name="annotations", verbose_name=_("photo")
    )
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.PENDING)
    needs_review = models.BooleanField(_("needs review"), default=False)
    priority = models.SmallIntegerField(_("priority"), choices=Priority, default=Priority.UPLOAD)
    crop = models.JSONField(
        _("crop"), null=True, blank=True, help_text=_("[left, top, right, bottom] in pixels")
    )
    hint = models.CharField(
        _("hint"), max_length=20, blank=True, help_text=_("The object that was said to be there.")
    )
    product = models.CharField(
        _("product"), max_length=200, blank=True, help_text=_("The shop's own reference.")
    )
    abstained = models.CharField(_("no answer because"), max_length=16, blank=True)
    error = models.CharField(_("failed because"), max_length=300, blank=True)
    faults = models.PositiveSmallIntegerField(
        _("faults"), default=0, help_text=_("How often the engine broke while it had this photo.")
    )
    model_name = models.CharField(_("model"), max_length=60, blank=True)
    model_version = models.CharField(_("model version"), max_length=20, blank=True)
    taxonomy = models.CharField(_("taxonomy"), max_length=20, blank=True)
    # The head, learned from this shop's reviews, that had a say in it.
    head = models.ForeignKey(
        "annotations.TrainedHead",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("head"),
    )
    timings_ms = models.JSONField(_("timings, ms"), default=dict, blank=True)
    original = models.JSONField(
        _("in the model's own words"),
        default=dict,
        blank=True,
        help_text=_("What an imported model of another system said."),
    )
    # Counts what people did to it, so that two who look at the same state don't both win.
    version = models.PositiveIntegerField(_("version"), default=0, editable=False)
    # Of the values that wait for a person; where the model says them all it needs no review.
    least_confidence = models.FloatField(_("least confidence"), null=True, editable=False)
    reviewed_at = models.DateTimeField(_("reviewed"), null=True, blank=True, editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    # Until then somebody who waits for the result asks the engine, and there is no job.
    awaited_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("requested"), default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        verbose_name = _("annotation")
        verbose_name_plural = _("annotations")
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="annotation_by_tenant_newest"),
            models.Index(
                fields=["tenant", "state", "-created_at"], name="annotation_by_tenant_state"
            ),
            models.Index(
                fields=["tenant", "-created_at"],
                name="annotation_to_review",
                condition=models.Q(needs_review=True),
            ),
            # As the queue is sorted: what a person has suggested has no confidence and is first.
            models.Index(
                models.F("tenant"),
                models.F("least_confidence").asc(nulls_first=True),
                models.F("id"),
                name="annotation_least_sure",
                condition=models.Q(needs_review=True),
            ),
            models.Index(
                fields=["tenant", "-reviewed_at"],
                name="annotation_reviewed",
                condition=models.Q(reviewed_at__isnull=False),
            ),
            models.Index(
                fields=["-priority", "created_at", "id"],
                name="annotation_in_line",
                condition=models.Q(state="pending"),
            ),
            models.Index(
                fields=["awaited_until"],
                name="annotation_awaited",
                condition=models.Q(state="pending"),
            ),
            models.Index(fields=["tenant", "-finished_at"], name="annotation_by_tenant_answered"),
            models.Index(
                fields=["tenant", "product", "-created_at"],
                name="annotation_by_product",
                condition=~models.Q(product=""),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["pending", "done", "abstained", "failed"]),
                name="annotation_state",
            ),
            models.CheckConstraint(
                condition=models.Q(state="pending") | models.Q(finished_at__isnull=False),
                name="annotation_finished_has_time",
            ),
            models.CheckConstraint(
                condition=models.Q(needs_review=False) | models.Q(state__in=["done", "abstained"]),
                name="annotation_review_when_done",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.image} ({self.get_state_display()})"

    @property
    def crop_box(self) -> Box | None:
        return Box(*self.crop) if self.crop else None

    @property
    def is_pending(self) -> bool:
        return self.state == self.State.PENDING

    def wait_again(self, *, requested_by: User, priority: Priority, at: datetime) -> None:
        """After a failure; the caller defers the job."""
        self.state = self.State.PENDING
        self.error, self.faults, self.finished_at = "", 0, None
        self.requested_by, self.priority, self.created_at = requested_by, priority, at
        self.save(
            update_fields=[
                "state",
                "error",
                "faults",
                "finished_at",
                "requested_by",
                "priority",
                "created_at",
            ]
        )


class Origin(models.TextChoices):
    MODEL = "model", _("Model")
    HUMAN = "human", _("Person")
    STORE = "store", _("Store")


class GarmentQuerySet(models.QuerySet["Garment"]):
    def for_tenant(self, tenant: Tenant) -> Self:
        return self.filter(annotation__tenant=tenant)


class Garment(models.Model):
    """A garment that was found: box in source pixels (right, bottom exclusive) and category."""

    class ObjectType(models.TextChoices):
        UPPER_BODY = "upper-body", _("Upper body")
        LOWER_BODY = "lower-body", _("Lower body")
        FULL_BODY = "full-body", _("Full body")
        FOOTWEAR = "footwear", _("Footwear")
        ACCESSORY = "accessory", _("Accessory")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    annotation = models.ForeignKey(
        Annotation, models.CASCADE, related_name="garments", verbose_name=_("annotation")
    )
    object_type = models.CharField(_("object"), max_length=20, choices=ObjectType)
    confidence = models.FloatField(_("confidence of the box"))
    primary = models.BooleanField(_("main garment"), default=False)
    left = models.PositiveIntegerField()
    top = models.PositiveIntegerField()
    right = models.PositiveIntegerField()
    bottom = models.PositiveIntegerField()
    category = models.CharField(_("category"), max_length=60)
    category_confidence = models.FloatField(_("confidence"))
    alternatives = models.JSONField(_("alternatives"), default=list, blank=True)
    category_origin = models.CharField(
        _("origin"), max_length=8, choices=Origin, default=Origin.MODEL
    )
    embedding = VectorField(null=True, blank=True, editable=False)
    # What a person has decided, by key ("category", "box", "colours", an attribute's): who and
    # when, also of a value that was taken away.
    decisions = models.JSONField(_("decisions"), default=dict, blank=True, editable=False)
    # What the model itself had said, where a head that learned from reviews said otherwise.
    model_said = models.JSONField(null=True, blank=True, editable=False)

    objects = GarmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("garment")
        verbose_name_plural = _("garments")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(left__lt=models.F("right"), top__lt=models.F("bottom")),
                name="garment_box_has_area",
            ),
            models.CheckConstraint(
                condition=models.Q(category_confidence__gte=0, category_confidence__lte=1),
                name="garment_confidence_is_probability",
            ),
        ]
        indexes = [
            models.Index(fields=["category"], name="garment_by_category"),
            models.Index(fields=["object_type"], name="garment_by_object"),
        ]

    def __str__(self) -> str:
        return self.category

    @property
    def box(self) -> Box:
        return Box(self.left, self.top, self.right, self.bottom)


class Label(models.Model):
    """An attribute of a garment, with where it comes from."""

    Origin = Origin

    garment = models.ForeignKey(
        Garment, models.CASCADE, related_name="labels", verbose_name=_("garment")
    )
    key = models.CharField(_("attribute"), max_length=40)
    name = models.CharField(_("value"), max_length=60)
    confidence = models.FloatField(_("confidence"))
    origin = models.CharField(_("origin"), max_length=8, choices=Origin, default=Origin.MODEL)

    class Meta:
        verbose_name = _("label")
        verbose_name_plural = _("labels")
        constraints = [
            models.UniqueConstraint(
                fields=["garment", "key", "name"], name="label_once_per_garment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.name}"


class Colour(models.Model):
    """A named colour of a garment and its share (0 to 1) of the garment's pixels."""

    garment = models.ForeignKey(
        Garment, models.CASCADE, related_name="colours", verbose_name=_("garment")
    )
    position = models.PositiveSmallIntegerField(_("position"))
    name = models.CharField(_("colour"), max_length=40)
    hex = models.CharField(_("hex"), max_length=7)
    share = models.FloatField(_("share"))
    origin = models.CharField(_("origin"), max_length=8, choices=Origin, default=Origin.MODEL)

    class Meta:
        verbose_name = _("colour")
        verbose_name_plural = _("colours")
        constraints = [
            models.UniqueConstraint(
                fields=["garment", "position"], name="colour_once_per_position"
            ),
            models.CheckConstraint(
                condition=models.Q(share__gt=0, share__lte=1), name="colour_share_is_part"
            ),
            # It becomes an attribute of an SVG element.
            models.CheckConstraint(
                condition=models.Q(hex__regex=r"^#[0-9a-f]{6}$"), name="colour_hex"
            ),
        ]
        indexes = [models.Index(fields=["name"], name="colour_by_name")]

    def __str__(self) -> str:
        return self.name


class Review(models.Model):
    """What a person said about an annotation; written once and never changed.

    `before` and `after` are the whole annotation (see `reviewing.snapshots`), `changes` says the
    difference in words of the taxonomy.
    """

    class Kind(models.TextChoices):
        REVIEW = "review", _("Review")
        UNDO = "undo", _("Undo")
        SECOND = "second", _("Second opinion")
        CARRIED = "carried", _("Carried over")

    class Source(models.TextChoices):
        QUEUE = "queue", _("Review page")
        GRID = "grid", _("Grid")
        ADMIN = "admin", _("Admin")
        API = "api", _("API")
        STORE = "store", _("Store")

    class Verdict(models.TextChoices):
        ANSWER = "", _("Answer")
        NOT_A_GARMENT = "not-a-garment", _("Not a garment")
        BAD_PHOTO = "bad-photo", _("Bad photo")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="reviews", verbose_name=_("shop")
    )
    annotation = models.ForeignKey(
        Annotation, models.CASCADE, related_name="reviews", verbose_name=_("annotation")
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("reviewer"),
    )
    key = models.ForeignKey(
        ApiKey,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("API key"),
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind, default=Kind.REVIEW)
    source = models.CharField(_("by way of"), max_length=8, choices=Source, default=Source.API)
    verdict = models.CharField(_("verdict"), max_length=16, choices=Verdict, blank=True)
    changes = models.JSONField(_("changes"), default=list, blank=True)
    before = models.JSONField(_("before"), default=dict, blank=True)
    after = models.JSONField(_("after"), default=dict, blank=True)
    comment = models.CharField(_("comment"), max_length=1000, blank=True)
    seconds = models.FloatField(_("seconds"), null=True, blank=True)
    # The annotation's version that it made.
    version = models.PositiveIntegerField(_("version"), default=0)
    undoes = models.OneToOneField(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="undone_by",
        verbose_name=_("undoes"),
    )
    # Of a second opinion the first; of what was carried over what was said about another answer.
    about = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("about"),
    )
    created_at = models.DateTimeField(_("reviewed"), default=timezone.now, editable=False)

    objects = TenantQuerySet["Review"].as_manager()

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="review_by_tenant_newest"),
            models.Index(fields=["tenant", "reviewer", "-created_at"], name="review_by_reviewer"),
            models.Index(fields=["annotation", "-created_at"], name="review_by_annotation"),
        ]

    def __str__(self) -> str:
        return str(self.annotation)


class Batch(models.Model):
    """Photos that were asked for together."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="batches", verbose_name=_("shop")
    )
    key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, blank=True, related_name="+")
    total = models.PositiveIntegerField(_("photos"))
    created_at = models.DateTimeField(_("requested"), default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = TenantQuerySet["Batch"].as_manager()

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="batch_by_tenant_newest"),
            models.Index(
                fields=["tenant"], name="batch_unfinished", condition=models.Q(finished_at=None)
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class BatchItem(models.Model):
    """One photo of a batch: where it comes from, and its annotation or why there is none."""

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="items")
    position = models.PositiveIntegerField(_("position"))
    image_url = models.CharField(_("address"), max_length=2048, blank=True)
    image_id = models.UUIDField(_("photo"), null=True, blank=True)
    crop = models.JSONField(_("crop"), null=True, blank=True)
    hint = models.CharField(_("hint"), max_length=20, blank=True)
    product = models.CharField(_("product"), max_length=200, blank=True)
    annotation = models.ForeignKey(
        Annotation, models.SET_NULL, null=True, blank=True, related_name="batch_items"
    )
    # Of a problem type and its sentence; empty while there is none.
    problem = models.CharField(_("failed because"), max_length=40, blank=True)
    detail = models.CharField(_("detail"), max_length=300, blank=True)
    taken_at = models.DateTimeField(_("taken"), null=True, blank=True)
    # How often its host did not answer as it should, and when it is asked again.
    tries = models.PositiveSmallIntegerField(default=0, editable=False)
    due_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("photo of a batch")
        verbose_name_plural = _("photos of a batch")
        indexes = [
            models.Index(
                fields=["batch"], name="batch_item_waiting", condition=models.Q(taken_at=None)
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["batch", "position"], name="batch_item_position")
        ]

    def __str__(self) -> str:
        return f"{self.batch} {self.position}"


class DemoShop(models.Model):
    """The shop that got the demo photos; kept when they are removed, so that they stay away."""

    tenant = models.OneToOneField(
        Tenant, models.CASCADE, primary_key=True, related_name="demo", verbose_name=_("shop")
    )
    loaded_at = models.DateTimeField(_("loaded"), null=True, blank=True)
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)

    class Meta:
        verbose_name = _("demo shop")
        verbose_name_plural = _("demo shops")

    def __str__(self) -> str:
        return str(self.tenant)
