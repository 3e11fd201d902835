"""Files of products, and what was wrong with their rows."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant, User
from annotations.models import TenantQuerySet


class CatalogueImport(models.Model):
    """A file with products on its way into the catalogue: mapped, checked, then imported.

    `rows_done` and `photos_done` are the places where a job that takes over goes on.
    """

    class Kind(models.TextChoices):
        CSV = "csv", "CSV"
        NDJSON = "ndjson", "NDJSON"
        ZIP = "zip", "ZIP"

    class State(models.TextChoices):
        MAPPING = "mapping", _("Waiting for its columns")
        CHECKING = "checking", _("Being checked")
        CHECKED = "checked", _("Checked")
        RUNNING = "running", _("Being imported")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="imports", verbose_name=_("shop")
    )
    store_id = models.UUIDField(_("store"), null=True, blank=True, editable=False)
    file = models.FileField(_("file"), upload_to="", max_length=200, editable=False)
    name = models.CharField(_("file name"), max_length=200)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    bytes = models.PositiveBigIntegerField(_("size, bytes"))
    # Of the table: the file itself, or the one inside the archive.
    table = models.CharField(max_length=500, blank=True, editable=False)
    table_kind = models.CharField(max_length=8, blank=True, editable=False)
    encoding = models.CharField(_("encoding"), max_length=20, blank=True)
    delimiter = models.CharField(_("delimiter"), max_length=1, blank=True)
    columns = models.JSONField(_("columns"), default=list, blank=True)
    # Of each column the field it fills; "" where it is left out.
    mapping = models.JSONField(_("mapping"), default=list, blank=True)
    currency = models.CharField(_("currency of prices that name none"), max_length=3, blank=True)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.MAPPING)
    error = models.CharField(_("failed because"), max_length=300, blank=True)
    rows_total = models.PositiveIntegerField(_("rows"), null=True, blank=True)
    rows_done = models.PositiveIntegerField(_("rows done"), default=0)
    photos_total = models.PositiveIntegerField(_("photos in the archive"), default=0)
    photos_done = models.PositiveIntegerField(_("photos done"), default=0)
    created = models.PositiveIntegerField(_("new products"), default=0)
    changed = models.PositiveIntegerField(_("changed products"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged products"), default=0)
    refused = models.PositiveIntegerField(_("refused rows"), default=0)
    photos_added = models.PositiveIntegerField(_("new photos"), default=0)
    photos_refused = models.PositiveIntegerField(_("refused photos"), default=0)
    requested_by = models.ForeignKey(
        User,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    created_at = models.DateTimeField(_("uploaded"), default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = TenantQuerySet["CatalogueImport"].as_manager()

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        indexes = [models.Index(fields=["tenant", "-created_at"], name="import_by_tenant_newest")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    state__in=[
                        "mapping",
                        "checking",
                        "checked",
                        "running",
                        "done",
                        "failed",
                        "cancelled",
                    ]
                ),
                name="import_state",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_working(self) -> bool:
        return self.state in (self.State.CHECKING, self.State.RUNNING)

    @property
    def share_done(self) -> float | None:
        """0 to 1; None while nobody knows how many rows there are."""
        if self.rows_total is None:
            return None
        total = self.rows_total + self.photos_total
        return (self.rows_done + self.photos_done) / total if total else 1.0

    @property
    def column_of(self) -> dict[str, list[int]]:
        """The columns that fill each field."""
        found: dict[str, list[int]] = {}
        for index, field in enumerate(self.mapping):
            if field:
                found.setdefault(field, []).append(index)
        return found


class ImportProblem(models.Model):
    """Why a row or photo of an import was refused, and what to do, in its user's language."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    catalogue_import = models.ForeignKey(
        CatalogueImport, models.CASCADE, related_name="problems", verbose_name=_("import")
    )
    # 0 for a photo of the archive: `value` is its name.
    row = models.PositiveIntegerField(_("row"))
    field = models.CharField(_("field"), max_length=40, blank=True)
    value = models.CharField(_("value"), max_length=200, blank=True)
    detail = models.CharField(_("what to do"), max_length=300)

    objects = TenantQuerySet["ImportProblem"].as_manager()

    class Meta:
        verbose_name = _("problem of an import")
        verbose_name_plural = _("problems of imports")
        constraints = [
            models.UniqueConstraint(
                fields=["catalogue_import", "row", "field", "value"], name="import_problem_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.row}: {self.detail}"
