"""What is measured of a photo besides its garments."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField

from accounts.models import Tenant
from annotations.models import FashionImage, Garment, TenantQuerySet
from retrieval.models.products import Product, ProductImage


class PhotoHash(models.Model):
    """The 64 bits that near copies of a photo nearly share (see `hashing`).

    The quarters are indexed: of two values that differ in at most 11 bits, some quarter differs
    in at most 2, so a lookup tries 137 values per quarter, however many photos there are.
    """

    image = models.OneToOneField(
        FashionImage, models.CASCADE, primary_key=True, related_name="photo_hash"
    )
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    value = models.BigIntegerField()
    # None for photos of before it was kept, until another one is near.
    brightness = models.BinaryField(null=True)
    quarter_0 = models.IntegerField()
    quarter_1 = models.IntegerField()
    quarter_2 = models.IntegerField()
    quarter_3 = models.IntegerField()

    objects = TenantQuerySet["PhotoHash"].as_manager()

    class Meta:
        verbose_name = _("hash of a photo")
        verbose_name_plural = _("hashes of photos")
        indexes = [
            models.Index(fields=["tenant", f"quarter_{i}"], name=f"photo_hash_quarter_{i}")
            for i in range(4)
        ]

    def __str__(self) -> str:
        return f"{self.value & (2**64 - 1):016x}"


class NearDuplicate(models.Model):
    """Two products with nearly the same photo, of which the first has the smaller id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    product = models.ForeignKey(Product, models.CASCADE, related_name="duplicates_after")
    other = models.ForeignKey(Product, models.CASCADE, related_name="duplicates_before")
    distance = models.PositiveSmallIntegerField(_("bits that differ"))
    mirrored = models.BooleanField(_("mirrored"), default=False)
    dismissed_at = models.DateTimeField(_("not the same"), null=True, blank=True)
    created_at = models.DateTimeField(_("found"), default=timezone.now, editable=False)

    objects = TenantQuerySet["NearDuplicate"].as_manager()

    class Meta:
        verbose_name = _("near duplicate")
        verbose_name_plural = _("near duplicates")
        constraints = [
            models.UniqueConstraint(fields=["product", "other"], name="near_duplicate_once"),
            models.CheckConstraint(
                condition=models.Q(product__lt=models.F("other")), name="near_duplicate_in_order"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "dismissed_at"], name="near_duplicate_open")]

    def __str__(self) -> str:
        return f"{self.product} · {self.other}"


class PhotoMeasures(models.Model):
    """How a photo is, whatever it shows (see `auditing.measures`)."""

    image = models.OneToOneField(
        FashionImage, models.CASCADE, primary_key=True, related_name="photo_measures"
    )
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    sharpness = models.FloatField()
    brightness = models.FloatField()
    skin = models.FloatField()
    plain = models.BooleanField()

    objects = TenantQuerySet["PhotoMeasures"].as_manager()

    class Meta:
        verbose_name = _("measures of a photo")
        verbose_name_plural = _("measures of photos")

    def __str__(self) -> str:
        return str(self.image_id)


class OutfitVector(models.Model):
    """By which a recommender tells what goes with the garment on a product's photo."""

    photo = models.OneToOneField(
        ProductImage, models.CASCADE, primary_key=True, related_name="outfit_vector"
    )
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    garment = models.ForeignKey(Garment, models.CASCADE, related_name="+")
    model = models.CharField(_("model"), max_length=80)
    # As the model gave it: its length counts. None where it saw too little.
    vector = VectorField(null=True)

    objects = TenantQuerySet["OutfitVector"].as_manager()

    class Meta:
        verbose_name = _("vector of an outfit")
        verbose_name_plural = _("vectors of outfits")

    def __str__(self) -> str:
        return f"{self.model}: {self.photo_id}"
