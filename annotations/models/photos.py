import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from annotations.models.rows import TenantQuerySet


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
