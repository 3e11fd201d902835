import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, Tenant
from annotations.models.annotations import Annotation
from annotations.models.rows import TenantQuerySet


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
