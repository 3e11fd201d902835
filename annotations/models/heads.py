import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from annotations.models.rows import TenantQuerySet


class TrainedHead(models.Model):
    """What reviews teach about categories and attributes: linear layers over the model's embedding
    (see `reviewing.lessons`). At most one of a shop is in use. Without a shop it was learned from
    all that consented, and serves every shop that uses none of its own."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Training")
        READY = "ready", _("Ready")
        REFUSED = "refused", _("Not better")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="+", null=True, blank=True, verbose_name=_("shop")
    )
    number = models.PositiveIntegerField(_("number"))
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.WAITING)
    progress = models.FloatField(_("progress"), default=0)
    error = models.CharField(_("failed because"), max_length=300, blank=True)
    # The model whose embeddings it reads.
    model_name = models.CharField(_("model"), max_length=60)
    model_version = models.CharField(_("model version"), max_length=20)
    size = models.PositiveSmallIntegerField(default=256)
    # By key what its head chooses from, in the order of the weights.
    labels = models.JSONField(default=dict)
    weights = models.BinaryField(default=b"")
    report = models.JSONField(_("report"), default=dict)
    # Lineage: the reviews that it learned from.
    reviews = ArrayField(models.UUIDField(), default=list)
    is_in_use = models.BooleanField(_("in use"), default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("requested"), default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    promoted_at = models.DateTimeField(_("promoted"), null=True, blank=True)

    objects = TenantQuerySet["TrainedHead"].as_manager()

    class Meta:
        verbose_name = _("trained head")
        verbose_name_plural = _("trained heads")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "number"], name="head_number_once", nulls_distinct=False
            ),
            models.UniqueConstraint(
                fields=["tenant"],
                condition=models.Q(is_in_use=True),
                name="head_in_use_once",
                nulls_distinct=False,
            ),
            models.UniqueConstraint(
                fields=["tenant"],
                condition=models.Q(state__in=["waiting", "running"]),
                name="head_in_training_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(is_in_use=False) | models.Q(state="ready"),
                name="head_in_use_is_ready",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_name} {self.model_version} + {self.number}"
