import hashlib
import uuid
from datetime import datetime
from typing import ClassVar

from django.apps import apps
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.mail import send_mail
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        """Raises ValueError without an e-mail address."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    @transaction.atomic
    def create_superuser(self, email: str, password: str, **fields: object) -> "User":
        """Who may run commands on the machine need not prove an address by e-mail."""
        user = self.create_user(email, password, is_staff=True, is_superuser=True, **fields)
        addresses = apps.get_model("account", "EmailAddress").objects
        addresses.create(user=user, email=user.email, primary=True, verified=True)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who logs in by e-mail; what they may do is said by their memberships."""

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    language = models.CharField(_("language"), max_length=8, blank=True)
    is_staff = models.BooleanField(_("operator"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_ci_unique")]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email.split("@")[0]

    def email_user(self, subject: str, message: str, from_email: str | None = None) -> None:
        send_mail(subject, message, from_email, [self.email])


class Tenant(models.Model):
    """A shop: everything else belongs to exactly one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("shop name"), max_length=120)
    review_threshold = models.FloatField(
        _("review below"),
        default=0.8,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text=_("Categories the model is less sure of than this wait for a person."),
    )
    monthly_quota = models.PositiveIntegerField(
        _("annotations a month"),
        null=True,
        blank=True,
        help_text=_("What the shop's keys may ask for in a calendar month; empty: no limit."),
    )
    # A choice of the engine's; empty: its own model.
    model_family = models.CharField(_("model family"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    users = models.ManyToManyField(User, through="Membership", related_name="tenants")

    class Meta:
        verbose_name = _("shop")
        verbose_name_plural = _("shops")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(review_threshold__gte=0, review_threshold__lte=1),
                name="tenant_threshold_is_probability",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    MANAGER = "manager", _("Manager")
    REVIEWER = "reviewer", _("Reviewer")
    DEVELOPER = "developer", _("Developer")


# Who connects other software, by keys and webhooks; a key does no more than these may themselves.
DEVELOPERS = (Role.OWNER, Role.MANAGER, Role.DEVELOPER)


class Membership(models.Model):
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=16, choices=Role)
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="membership_once_per_tenant"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="membership_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.tenant} ({self.role})"

    @property
    def manages(self) -> bool:
        """May change members, settings and delete the shop's data."""
        return self.role in (Role.OWNER, Role.MANAGER)

    @property
    def develops(self) -> bool:
        """May make keys and webhooks."""
        return self.role in DEVELOPERS

    def may_touch(self, role: str) -> bool:
        """Whether this member may give `role` to somebody or take it away."""
        return self.role == Role.OWNER or (self.role == Role.MANAGER and role != Role.OWNER)


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def unanswered(self) -> "InvitationQuerySet":
        return self.filter(accepted_at=None, revoked_at=None)

    def with_token(self, token: str) -> "InvitationQuerySet":
        return self.filter(token_sha256=hash_token(token))


class Invitation(models.Model):
    """An e-mail that lets its receiver join a shop; only the token's SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail address"))
    role = models.CharField(_("role"), max_length=16, choices=Role)
    token_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(_("sent"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"))
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    objects: ClassVar[InvitationQuerySet] = InvitationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="invitation_role"
            ),
            models.UniqueConstraint(
                Lower("email"),
                "tenant",
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="invitation_one_open_per_email",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} → {self.tenant}"

    def is_open(self, now: datetime) -> bool:
        return self.accepted_at is None and self.revoked_at is None and now < self.expires_at


class Scope(models.TextChoices):
    """What a key may do; a member's role answers the same question for a session."""

    ANNOTATE = "annotate", _("Annotate photos, read and delete the results")
    SEARCH = "search", _("Find similar items")
    CATALOGUE = "catalogue", _("Products")
    REVIEW = "review", _("Read and correct results")
    MANAGE = "manage", _("Usage, webhooks and other settings")


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, *, now: datetime) -> "ApiKeyQuerySet":
        unexpired = models.Q(expires_at=None) | models.Q(expires_at__gt=now)
        return self.filter(unexpired, revoked_at=None)


LONGEST_ORIGIN = 200


class ApiKey(models.Model):
    """`kal_<prefix>_<secret>`; only the secret's SHA-256 is kept."""

    class Kind(models.TextChoices):
        SECRET = "secret", _("Secret, for servers")
        PUBLISHABLE = "publishable", _("Publishable, for web pages")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="api_keys", verbose_name=_("shop")
    )
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind, default=Kind.SECRET)
    prefix = models.CharField(_("prefix"), max_length=8, unique=True, editable=False)
    secret_sha256 = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope), verbose_name=_("scopes"))
    origins = ArrayField(
        models.CharField(max_length=LONGEST_ORIGIN),
        default=list,
        blank=True,
        verbose_name=_("origins"),
    )
    created_by = models.ForeignKey(
        User,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    objects: ClassVar[ApiKeyQuerySet] = ApiKeyQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scopes__len__gt=0)
                & models.Q(scopes__contained_by=list(Scope.values)),
                name="api_key_scopes",
            ),
            # It stands in web pages for everybody to read.
            models.CheckConstraint(
                condition=models.Q(kind="secret", origins=[])
                | models.Q(kind="publishable", scopes=["search"], origins__len__gt=0),
                name="api_key_publishable_only_searches",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (kal_{self.prefix}_…)"

    @property
    def is_publishable(self) -> bool:
        return self.kind == self.Kind.PUBLISHABLE

    def is_usable(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class DailyUsage(models.Model):
    """What one key did on one day (UTC)."""

    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="usage", verbose_name=_("key"))
    day = models.DateField(_("day"))
    requests = models.PositiveIntegerField(_("requests"), default=0)
    refused = models.PositiveIntegerField(_("refused by rate limits"), default=0)
    annotations = models.PositiveIntegerField(_("annotations"), default=0)

    class Meta:
        verbose_name = _("usage")
        verbose_name_plural = _("usage")
        constraints = [
            models.UniqueConstraint(fields=["key", "day"], name="usage_once_per_key_and_day")
        ]

    def __str__(self) -> str:
        return f"{self.key} · {self.day}"


class MonthlyUsage(models.Model):
    """What a shop's quota is compared with; `month` is its first day (UTC)."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="monthly_usage")
    month = models.DateField(_("month"))
    annotations = models.PositiveIntegerField(_("annotations"), default=0)

    class Meta:
        verbose_name = _("monthly usage")
        verbose_name_plural = _("monthly usage")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "month"], name="usage_once_per_month")
        ]

    def __str__(self) -> str:
        return f"{self.tenant} · {self.month:%Y-%m}"


class RateBucket(models.Model):
    """How much of a rate limit is used up: it is empty again at `empty_at` (see `limits`)."""

    name = models.CharField(max_length=60, primary_key=True)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    empty_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class IdempotentRequest(models.Model):
    """A POST that came with an Idempotency-Key, and its answer once there is one."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    caller = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    # Who works on the request; a process that died is waited for until then.
    worker = models.UUIDField()
    locked_until = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    # The photo that the answer is about, and with which it goes.
    about = models.UUIDField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once")
        ]
        indexes = [
            models.Index(fields=["created_at"], name="idempotency_by_age"),
            models.Index(fields=["about"], name="idempotency_about"),
        ]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"


def hash_token(token: str) -> str:
    """The form in which a token is stored; 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()
