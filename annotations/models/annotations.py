import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant, User
from annotations.models.photos import FashionImage
from annotations.models.rows import TenantQuerySet
from inference.contract import Box


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
    alternatives = models.JSONField(
        _("alternatives"),
        default=list,
        blank=True,
        help_text=_("What it may be where the model saw no garment."),
    )
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
        """After a failure; the caller sees to its job."""
        self.state = self.State.PENDING
        self.error, self.faults, self.finished_at, self.awaited_until = "", 0, None, None
        self.requested_by, self.priority, self.created_at = requested_by, priority, at
        self.save(
            update_fields=[
                "state",
                "error",
                "faults",
                "finished_at",
                "awaited_until",
                "requested_by",
                "priority",
                "created_at",
            ]
        )
