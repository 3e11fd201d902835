import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from annotations.models.rows import TenantQuerySet


class ReviewJob(models.Model):
    """Work on many answers that takes longer than a request may, done in batches; where it stands
    is written with each of them, so that a killed one goes on from there."""

    class Kind(models.TextChoices):
        RECOUNT = "recount", _("Thresholds")
        GRID = "grid", _("Grid")
        UNDO = "undo", _("Undo")

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.WAITING)
    # Of GRID the setting and (annotation, version) of each, of UNDO the reviews.
    wish = models.JSONField(default=dict)
    # Of RECOUNT the last answer that was looked at.
    place = models.JSONField(null=True)
    total = models.PositiveIntegerField(_("answers"))
    done = models.PositiveIntegerField(_("looked at"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    # What it made; of them "undo all of it" speaks.
    reviews = ArrayField(models.UUIDField(), default=list)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("requested"), default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = TenantQuerySet["ReviewJob"].as_manager()

    class Meta:
        verbose_name = _("review job")
        verbose_name_plural = _("review jobs")
        indexes = [models.Index(fields=["tenant", "-created_at"], name="review_job_newest")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"],
                condition=models.Q(kind="recount", state__in=["waiting", "running"]),
                name="recount_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.done}/{self.total}"

    @property
    def is_open(self) -> bool:
        return self.state in (self.State.WAITING, self.State.RUNNING)

    @property
    def left(self) -> int:
        """Which were looked at and stay as they are."""
        return self.done - self.changed
