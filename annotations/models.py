import uuid
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField

from accounts.models import Tenant
from inference.contract import Box


class TenantQuerySet(models.QuerySet[models.Model]):
    def for_tenant(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)


class FashionImage(models.Model):
    """One photo of a shop: upright, without metadata, as the engine and the pages see it."""

    class Source(models.TextChoices):
        UPLOAD = "upload", _("Upload")
        DEMO = "demo", _("Demo")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="images")
    file = models.FileField(upload_to="", max_length=200, editable=False)
    thumbnail = models.FileField(upload_to="", max_length=200, editable=False)
    name = models.CharField(_("file name"), max_length=200)
    sha256 = models.CharField(_("SHA-256 of the stored bytes"), max_length=64, editable=False)
    width = models.PositiveIntegerField(_("width, px"))
    height = models.PositiveIntegerField(_("height, px"))
    bytes = models.PositiveIntegerField(_("size, bytes"))
    source = models.CharField(_("source"), max_length=16, choices=Source, default=Source.UPLOAD)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("added"), auto_now_add=True)

    objects: ClassVar[models.Manager["FashionImage"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("photo")
        verbose_name_plural = _("photos")
        indexes = [models.Index(fields=["tenant", "-created_at"], name="image_by_tenant_newest")]

    def __str__(self) -> str:
        return self.name


class Annotation(models.Model):
    """One run of a model over a photo, or over a person's box on it."""

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting")
        DONE = "done", _("Done")
        ABSTAINED = "abstained", _("No answer")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="annotations")
    image = models.ForeignKey(FashionImage, models.CASCADE, related_name="annotations")
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.PENDING)
    needs_review = models.BooleanField(_("needs review"), default=False)
    crop = models.JSONField(
        _("crop"), null=True, blank=True, help_text=_("[left, top, right, bottom] in pixels")
    )
    abstained = models.CharField(_("no answer because"), max_length=16, blank=True)
    error = models.CharField(_("failed because"), max_length=300, blank=True)
    model_name = models.CharField(_("model"), max_length=60, blank=True)
    model_version = models.CharField(_("model version"), max_length=20, blank=True)
    taxonomy = models.CharField(_("taxonomy"), max_length=20, blank=True)
    timings_ms = models.JSONField(_("timings, ms"), default=dict, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("requested"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects: ClassVar[models.Manager["Annotation"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("annotation")
        verbose_name_plural = _("annotations")
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="annotation_by_tenant_newest"),
            models.Index(
                fields=["tenant", "state"],
                name="annotation_pending",
                condition=models.Q(state="pending"),
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
        ]

    def __str__(self) -> str:
        return f"{self.image} ({self.state})"

    @property
    def crop_box(self) -> Box | None:
        return Box(*self.crop) if self.crop else None


class Garment(models.Model):
    """A garment that was found: box in source pixels (right, bottom exclusive) and category."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    annotation = models.ForeignKey(Annotation, models.CASCADE, related_name="garments")
    object_type = models.CharField(_("object"), max_length=20)
    confidence = models.FloatField(_("confidence of the box"))
    primary = models.BooleanField(_("main garment"), default=False)
    left = models.PositiveIntegerField()
    top = models.PositiveIntegerField()
    right = models.PositiveIntegerField()
    bottom = models.PositiveIntegerField()
    category = models.CharField(_("category"), max_length=60)
    category_confidence = models.FloatField(_("confidence"))
    alternatives = models.JSONField(_("alternatives"), default=list, blank=True)
    embedding = VectorField(null=True, blank=True, editable=False)

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
        indexes = [models.Index(fields=["category"], name="garment_by_category")]

    def __str__(self) -> str:
        return self.category

    @property
    def box(self) -> Box:
        return Box(self.left, self.top, self.right, self.bottom)


class Label(models.Model):
    """An attribute of a garment, with where it comes from."""

    class Origin(models.TextChoices):
        MODEL = "model", _("Model")
        HUMAN = "human", _("Person")
        STORE = "store", _("Store")

    garment = models.ForeignKey(Garment, models.CASCADE, related_name="labels")
    key = models.CharField(_("attribute"), max_length=40)
    name = models.CharField(_("value"), max_length=60)
    confidence = models.FloatField(_("confidence"))
    origin = models.CharField(_("origin"), max_length=8, choices=Origin, default=Origin.MODEL)

    class Meta:
        verbose_name = _("label")
        verbose_name_plural = _("labels")
        constraints = [
            models.UniqueConstraint(fields=["garment", "key", "name"], name="label_once_per_garment")
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.name}"


class Colour(models.Model):
    """A named colour of a garment and its share (0 to 1) of the garment's pixels."""

    garment = models.ForeignKey(Garment, models.CASCADE, related_name="colours")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(_("colour"), max_length=40)
    hex = models.CharField(_("hex"), max_length=7)
    share = models.FloatField(_("share"))

    class Meta:
        verbose_name = _("colour")
        verbose_name_plural = _("colours")
        constraints = [
            models.UniqueConstraint(fields=["garment", "position"], name="colour_once_per_position"),
            models.CheckConstraint(
                condition=models.Q(share__gt=0, share__lte=1), name="colour_share_is_part"
            ),
        ]

    def __str__(self) -> str:
        return self.name
