import uuid
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField

from accounts.models import Tenant
from annotations.models.annotations import Annotation
from inference.contract import Box


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
