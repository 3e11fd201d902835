import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, Tenant
from annotations.models.annotations import Annotation
from annotations.models.rows import TenantQuerySet


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
