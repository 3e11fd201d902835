"""The vectors that are searched, by the version of the model that made them."""

import uuid

from django.db import models
from django.db.models.lookups import GreaterThan
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField

from accounts.models import Tenant
from annotations.models import Garment, TenantQuerySet
from inference.contract import DETAIL_SIZE, MOST_DETAILS
from retrieval.models.products import ProductImage


class IndexVersion(models.Model):
    """The vectors that one version of a model made of a shop's products; others stand beside it."""

    class State(models.TextChoices):
        BUILDING = "building", _("Being built")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="index_versions")
    model_name = models.CharField(_("model"), max_length=60)
    model_version = models.CharField(_("model version"), max_length=20)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.BUILDING)
    error = models.CharField(_("failed because"), max_length=300, blank=True)
    # The last photo that its build has looked at, by id.
    built_to = models.UUIDField(null=True, blank=True, editable=False)
    # What is less similar (cosine) is no answer: see `services.calibration`.
    cut_off = models.FloatField(_("least similarity"), default=0.45)
    # The same of words and photos, which are never as near; none while nobody measured it.
    words_cut_off = models.FloatField(
        _("least similarity of words"), null=True, blank=True, editable=False
    )
    created_at = models.DateTimeField(_("begun"), default=timezone.now, editable=False)
    ready_at = models.DateTimeField(_("ready since"), null=True, blank=True, editable=False)

    objects = TenantQuerySet["IndexVersion"].as_manager()

    class Meta:
        verbose_name = _("search index")
        verbose_name_plural = _("search indexes")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "model_name", "model_version"], name="index_once_per_model"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["building", "ready", "failed"]), name="index_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_name} {self.model_version}"


class ActiveIndex(models.Model):
    """The index that a shop searches with; to switch is one update of this row."""

    tenant = models.OneToOneField(
        Tenant, models.CASCADE, primary_key=True, related_name="active_index"
    )
    index = models.ForeignKey(IndexVersion, models.RESTRICT, related_name="+")
    switched_at = models.DateTimeField(_("switched"), default=timezone.now, editable=False)
    # Somebody went back to it: it is searched even where it can't follow what is new.
    kept = models.BooleanField(_("kept although there is a newer one"), default=False)

    objects = TenantQuerySet["ActiveIndex"].as_manager()

    class Meta:
        verbose_name = _("active search index")
        verbose_name_plural = _("active search indexes")

    def __str__(self) -> str:
        return str(self.index)


class Embedding(models.Model):
    """What a photo of a product looks like to a model: a vector of length 1."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    index = models.ForeignKey(IndexVersion, models.CASCADE, related_name="embeddings")
    photo = models.ForeignKey(ProductImage, models.CASCADE, related_name="embeddings")
    # What of the photo it is the vector of.
    garment = models.ForeignKey(Garment, models.CASCADE, related_name="+")
    vector = VectorField()

    objects = TenantQuerySet["Embedding"].as_manager()

    class Meta:
        verbose_name = _("vector of a photo")
        verbose_name_plural = _("vectors of photos")
        constraints = [
            models.UniqueConstraint(fields=["index", "photo"], name="embedding_once_per_index")
        ]

    def __str__(self) -> str:
        return f"{self.index} {self.photo_id}"


_BYTES = models.Func("vectors", function="octet_length", output_field=models.IntegerField())


class PhotoDetails(models.Model):
    """The key points of what a photo of a product shows, for matching details."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    photo = models.OneToOneField(ProductImage, models.CASCADE, related_name="details")
    # What of the photo they are of.
    garment = models.ForeignKey(Garment, models.CASCADE, related_name="+")
    # Whose descriptors these are; empty ones stand for a photo that could not be looked at.
    model = models.CharField(max_length=100)
    vectors = models.BinaryField()

    objects = TenantQuerySet["PhotoDetails"].as_manager()

    class Meta:
        verbose_name = _("details of a photo")
        verbose_name_plural = _("details of photos")
        constraints = [
            models.CheckConstraint(
                condition=GreaterThan(models.Value(MOST_DETAILS * DETAIL_SIZE + 1), _BYTES),
                name="photo_details_are_few",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.photo_id}"


class UnseenPhoto(models.Model):
    """A photo that an index's model was asked about and sees nothing on; goes with the photo."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    index = models.ForeignKey(IndexVersion, models.CASCADE, related_name="unseen")
    photo = models.ForeignKey(ProductImage, models.CASCADE, related_name="+")
    # The model is asked again once the photo is judged to show another one.
    garment = models.ForeignKey(Garment, models.CASCADE, related_name="+")

    objects = TenantQuerySet["UnseenPhoto"].as_manager()

    class Meta:
        verbose_name = _("photo without a vector")
        verbose_name_plural = _("photos without a vector")
        constraints = [
            models.UniqueConstraint(fields=["index", "photo"], name="unseen_once_per_index")
        ]

    def __str__(self) -> str:
        return f"{self.index} {self.photo_id}"


class SearchTest(models.Model):
    """How often a shop's search found a product that it was asked for (see `services.testing`)."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    index = models.ForeignKey(IndexVersion, models.CASCADE, related_name="tests")
    asked = models.PositiveIntegerField(_("products asked for"))
    # Shares of them (0 to 1) that were the first, among the first five, among the first twenty.
    recall_1 = models.FloatField()
    recall_5 = models.FloatField()
    recall_20 = models.FloatField()
    tested_at = models.DateTimeField(_("tested"), default=timezone.now, editable=False)

    objects = TenantQuerySet["SearchTest"].as_manager()

    class Meta:
        verbose_name = _("test of the search")
        verbose_name_plural = _("tests of the search")
        indexes = [models.Index(fields=["index", "-tested_at"], name="search_test_newest")]

    def __str__(self) -> str:
        return f"{self.index} {self.tested_at:%Y-%m-%d}"
