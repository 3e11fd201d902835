"""Who reviews what, and from which confidence on nobody has to."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from annotations.models.annotations import Annotation
from annotations.models.reviews import Review
from annotations.models.rows import TenantQuerySet


class ReviewThreshold(models.Model):
    """Below it a value of this key waits for a person; of one category where it names one."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="review_thresholds")
    key = models.CharField(
        _("attribute"), max_length=40, help_text=_("“category” or an attribute's key.")
    )
    category = models.CharField(_("category"), max_length=60, blank=True)
    value = models.FloatField(
        _("review below"), validators=[MinValueValidator(0), MaxValueValidator(1)]
    )

    objects = TenantQuerySet["ReviewThreshold"].as_manager()

    class Meta:
        verbose_name = _("review threshold")
        verbose_name_plural = _("review thresholds")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "key", "category"], name="review_threshold_once"
            ),
            models.CheckConstraint(
                condition=models.Q(value__gte=0, value__lte=1),
                name="review_threshold_is_probability",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.category} < {self.value}".replace("  ", " ")


class ReviewSettings(models.Model):
    """What a shop has said about its reviews; without a row it has said nothing."""

    tenant = models.OneToOneField(
        Tenant, models.CASCADE, primary_key=True, related_name="review_settings"
    )
    training_consent = models.BooleanField(_("train the model with our reviews"), default=False)
    consent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    consent_at = models.DateTimeField(_("said"), null=True, blank=True)
    second_review_percent = models.PositiveSmallIntegerField(
        _("reviewed twice (percent)"),
        default=5,
        validators=[MaxValueValidator(100)],
        help_text=_("Of what one person reviewed, another sees so much without the answer."),
    )

    objects = TenantQuerySet["ReviewSettings"].as_manager()

    class Meta:
        verbose_name = _("review settings")
        verbose_name_plural = _("review settings")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(second_review_percent__lte=100), name="second_review_is_percent"
            )
        ]

    def __str__(self) -> str:
        return str(self.tenant)


class ReviewTask(models.Model):
    """Who works on an annotation that waits for a review, or is meant to.

    There is a row only once somebody claimed, skipped, suggested or was assigned it.
    """

    annotation = models.OneToOneField(
        Annotation, models.CASCADE, primary_key=True, related_name="task"
    )
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("claimed by"),
    )
    claimed_until = models.DateTimeField(_("claimed until"), null=True, blank=True)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("assigned to"),
    )
    skipped_by = ArrayField(models.BigIntegerField(), default=list, blank=True)
    suggested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    note = models.CharField(_("note"), max_length=1000, blank=True)
    # The first opinion, where somebody else is to give theirs without seeing it.
    second_of = models.OneToOneField(
        Review, models.SET_NULL, null=True, blank=True, related_name="second_task"
    )
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects = TenantQuerySet["ReviewTask"].as_manager()

    class Meta:
        verbose_name = _("review task")
        verbose_name_plural = _("review tasks")
        indexes = [
            models.Index(
                fields=["tenant", "claimed_by"],
                name="review_task_claimed",
                condition=models.Q(claimed_by__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return str(self.annotation_id)


class ReviewItem(Annotation):
    """An annotation as the admin's reviewers see it."""

    class Meta:
        proxy = True
        verbose_name = _("item to review")
        verbose_name_plural = _("review queue")


class ReviewOutcome(models.Model):
    """Whether the model was right about one value, as a review said; what quality is counted from.

    `value` is empty where the model said nothing and a person did, `said` where there is none.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    review = models.ForeignKey(Review, models.CASCADE, related_name="outcomes")
    annotation = models.ForeignKey(Annotation, models.CASCADE, related_name="+")
    garment_id = models.UUIDField()
    key = models.CharField(max_length=40)
    # Of the garment, as the model said.
    category = models.CharField(max_length=60)
    value = models.CharField(max_length=60, blank=True)
    said = models.CharField(max_length=60, blank=True)
    confidence = models.FloatField(null=True)
    right = models.BooleanField()
    model = models.CharField(max_length=81, blank=True)
    version = models.PositiveIntegerField(default=0)

    objects = TenantQuerySet["ReviewOutcome"].as_manager()

    class Meta:
        verbose_name = _("outcome of a review")
        verbose_name_plural = _("outcomes of reviews")
        indexes = [
            models.Index(
                fields=["tenant", "key", "garment_id", "-version"], name="review_outcome_by_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.value} → {self.said}"
