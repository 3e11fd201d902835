import uuid
from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.lookups import GreaterThan
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField

from accounts.models import Tenant, User
from annotations.models import FashionImage, Garment, TenantQuerySet
from inference.contract import DETAIL_SIZE, MOST_DETAILS

# Bytes of a photo's address: an index of PostgreSQL takes little more.
LONGEST_SOURCE = 2000


class Product(models.Model):
    """What a shop sells; what its photos show is judged from all of them (see `judging`)."""

    class State(models.TextChoices):
        NEW = "new", _("New")
        ANNOTATED = "annotated", _("Annotated")
        IN_REVIEW = "in-review", _("In review")
        PUBLISHED = "published", _("Published")

    class Stock(models.TextChoices):
        UNKNOWN = "", _("Unknown")
        IN_STOCK = "in-stock", _("In stock")
        OUT_OF_STOCK = "out-of-stock", _("Out of stock")
        PREORDER = "preorder", _("Preorder")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="products", verbose_name=_("shop")
    )
    # A store of `integrations`, the layer above; none for what came by file or by hand.
    store_id = models.UUIDField(_("store"), null=True, blank=True, editable=False)
    external_id = models.CharField(_("product id"), max_length=200)
    url = models.URLField(_("address in the shop"), max_length=2000, blank=True)
    title = models.CharField(_("title"), max_length=500, blank=True)
    description = models.TextField(_("description"), max_length=20_000, blank=True)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    stock = models.CharField(_("stock"), max_length=16, choices=Stock, blank=True, default="")
    # Whether shoppers see it; who may only search finds no other.
    listed = models.BooleanField(_("shown in the shop"), default=True, db_default=True)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.NEW)
    # Judged from the photos:
    garment = models.ForeignKey(
        Garment, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    object_type = models.CharField(
        _("object"), max_length=20, choices=Garment.ObjectType, blank=True, editable=False
    )
    category = models.CharField(_("category"), max_length=60, blank=True, editable=False)
    confidence = models.FloatField(_("confidence"), null=True, blank=True, editable=False)
    colours = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, verbose_name=_("colours")
    )
    photos_disagree = models.BooleanField(_("photos disagree"), default=False, editable=False)
    # Codes of `auditing.advice`: what its photos lack.
    photo_advice = ArrayField(
        models.CharField(max_length=16), default=list, blank=True, editable=False
    )
    # How people ask for it, in all languages (see `describing`).
    label_words = models.TextField(blank=True, default="", editable=False)
    search = models.GeneratedField(
        expression=models.Func(
            "title", "external_id", "label_words", "description", function="kalas_search_vector"
        ),
        output_field=SearchVectorField(),
        db_persist=True,
    )
    # Ids of products that were merged into this one, so that no import brings them back.
    also_known_as = ArrayField(
        models.CharField(max_length=200), default=list, blank=True, editable=False
    )
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("changed"), default=timezone.now, editable=False)

    objects = TenantQuerySet["Product"].as_manager()

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "store_id", "external_id"],
                name="product_once_per_store",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["new", "annotated", "in-review", "published"]),
                name="product_state",
            ),
            models.CheckConstraint(
                condition=models.Q(price__isnull=True) | models.Q(price__gte=0),
                name="product_price_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(currency__regex=r"^([A-Z]{3})?$"), name="product_currency"
            ),
            models.CheckConstraint(
                condition=~models.Q(external_id=""), name="product_has_external_id"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at", "id"], name="product_by_tenant_newest"),
            models.Index(fields=["tenant", "state", "-created_at"], name="product_by_tenant_state"),
            models.Index(fields=["tenant", "category"], name="product_by_tenant_category"),
            GinIndex(fields=["also_known_as"], name="product_also_known_as"),
            GinIndex(fields=["photo_advice"], name="product_photo_advice"),
            GinIndex(fields=["search"], name="product_search"),
            models.Index(
                fields=["tenant"], name="product_unlisted", condition=models.Q(listed=False)
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.external_id

    @property
    def name(self) -> str:
        return self.title or self.external_id

    def publish(self, *, at: datetime) -> None:
        self.state, self.updated_at = self.State.PUBLISHED, at
        self.save(update_fields=["state", "updated_at"])


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


class ProductImageQuerySet(TenantQuerySet["ProductImage"]):
    def in_order(self) -> "ProductImageQuerySet":
        return self.order_by("position", "created_at", "id")


class ProductImage(models.Model):
    """A photo of a product, or the address where one is still to be fetched."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        STORED = "stored", _("Stored")
        REPEATED = "repeated", _("Same as another photo")
        REFUSED = "refused", _("Refused")

    class Verdict(models.TextChoices):
        UNKNOWN = "", _("Not judged")
        BEST = "best", _("Best view")
        AGREES = "agrees", _("Shows the product")
        OTHER_GARMENT = "other-garment", _("Shows another garment")
        NO_GARMENT = "no-garment", _("No garment found")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    product = models.ForeignKey(Product, models.CASCADE, related_name="photos")
    image = models.ForeignKey(
        FashionImage, models.CASCADE, null=True, blank=True, related_name="product_images"
    )
    position = models.PositiveIntegerField(_("position"), default=0)
    # The address it is fetched from, or its name in the archive it came with.
    source = models.CharField(_("source"), max_length=LONGEST_SOURCE, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.WAITING)
    error = models.CharField(_("refused because"), max_length=300, blank=True)
    verdict = models.CharField(
        _("verdict"), max_length=16, choices=Verdict, blank=True, default="", editable=False
    )
    # What of the photo is the product.
    garment = models.ForeignKey(
        Garment, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    catalogue_import = models.ForeignKey(
        CatalogueImport, models.SET_NULL, null=True, blank=True, related_name="photos"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[ProductImageQuerySet] = ProductImageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("photo of a product")
        verbose_name_plural = _("photos of products")
        constraints = [
            models.UniqueConstraint(fields=["product", "image"], name="photo_once_per_product"),
            models.UniqueConstraint(
                fields=["product", "source"],
                condition=~models.Q(source=""),
                name="source_once_per_product",
            ),
            models.CheckConstraint(
                condition=models.Q(state="stored", image__isnull=False)
                | models.Q(state__in=["waiting", "repeated", "refused"], image__isnull=True),
                name="product_image_stored_has_image",
            ),
        ]
        indexes = [
            models.Index(fields=["catalogue_import", "state"], name="product_image_of_import"),
            models.Index(fields=["tenant", "source"], name="product_image_by_source"),
        ]

    def __str__(self) -> str:
        return f"{self.product} {self.position + 1}"

    @property
    def is_waiting(self) -> bool:
        return self.state == self.State.WAITING


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


class IndexVersion(models.Model):
    """The vectors that one version of a model made of a shop's products; others stand beside it."""

    class State(models.TextChoices):
        BUILDING = "building", _("Being built")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="index_versions")
    model_name = models.CharField(_("model"), max_length=60)
    model_version = models.CharField(_("model version"), max_length=20)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.BUILDING)
    error = models.CharField(_("failed because"), max_length=300, blank=True)
    # The last photo that its build has looked at, by id.
    built_to = models.UUIDField(null=True, blank=True, editable=False)
    # What is less similar (cosine) is no answer: see `services.calibration`.
    cut_off = models.FloatField(_("least similarity"), default=0.45)
    # The same of words and photos, which are never as near; none while nobody measured it.
    words_cut_off = models.FloatField(
        _("least similarity of words"), null=True, blank=True, editable=False
    )
    created_at = models.DateTimeField(_("begun"), default=timezone.now, editable=False)
    ready_at = models.DateTimeField(_("ready since"), null=True, blank=True, editable=False)

    objects = TenantQuerySet["IndexVersion"].as_manager()

    class Meta:
        verbose_name = _("search index")
        verbose_name_plural = _("search indexes")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "model_name", "model_version"], name="index_once_per_model"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["building", "ready", "failed"]), name="index_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_name} {self.model_version}"


class ActiveIndex(models.Model):
    """The index that a shop searches with; to switch is one update of this row."""

    tenant = models.OneToOneField(
        Tenant, models.CASCADE, primary_key=True, related_name="active_index"
    )
    index = models.ForeignKey(IndexVersion, models.RESTRICT, related_name="+")
    switched_at = models.DateTimeField(_("switched"), default=timezone.now, editable=False)
    # Somebody went back to it: it is searched even where it can't follow what is new.
    kept = models.BooleanField(_("kept although there is a newer one"), default=False)

    objects = TenantQuerySet["ActiveIndex"].as_manager()

    class Meta:
        verbose_name = _("active search index")
        verbose_name_plural = _("active search indexes")

    def __str__(self) -> str:
        return str(self.index)


class Embedding(models.Model):
    """What a photo of a product looks like to a model: a vector of length 1."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    index = models.ForeignKey(IndexVersion, models.CASCADE, related_name="embeddings")
    photo = models.ForeignKey(ProductImage, models.CASCADE, related_name="embeddings")
    # What of the photo it is the vector of.
    garment = models.ForeignKey(Garment, models.CASCADE, related_name="+")
    vector = VectorField()

    objects = TenantQuerySet["Embedding"].as_manager()

    class Meta:
        verbose_name = _("vector of a photo")
        verbose_name_plural = _("vectors of photos")
        constraints = [
            models.UniqueConstraint(fields=["index", "photo"], name="embedding_once_per_index")
        ]

    def __str__(self) -> str:
        return f"{self.index} {self.photo_id}"


_BYTES = models.Func("vectors", function="octet_length", output_field=models.IntegerField())


class PhotoDetails(models.Model):
    """The key points of what a photo of a product shows, for matching details."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    photo = models.OneToOneField(ProductImage, models.CASCADE, related_name="details")
    # What of the photo they are of.
    garment = models.ForeignKey(Garment, models.CASCADE, related_name="+")
    # Whose descriptors these are; empty ones stand for a photo that could not be looked at.
    model = models.CharField(max_length=100)
    vectors = models.BinaryField()

    objects = TenantQuerySet["PhotoDetails"].as_manager()

    class Meta:
        verbose_name = _("details of a photo")
        verbose_name_plural = _("details of photos")
        constraints = [
            models.CheckConstraint(
                condition=GreaterThan(models.Value(MOST_DETAILS * DETAIL_SIZE + 1), _BYTES),
                name="photo_details_are_few",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.photo_id}"


class UnseenPhoto(models.Model):
    """A photo that an index's model was asked about and sees nothing on; goes with the photo."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    index = models.ForeignKey(IndexVersion, models.CASCADE, related_name="unseen")
    photo = models.ForeignKey(ProductImage, models.CASCADE, related_name="+")
    # The model is asked again once the photo is judged to show another one.
    garment = models.ForeignKey(Garment, models.CASCADE, related_name="+")

    objects = TenantQuerySet["UnseenPhoto"].as_manager()

    class Meta:
        verbose_name = _("photo without a vector")
        verbose_name_plural = _("photos without a vector")
        constraints = [
            models.UniqueConstraint(fields=["index", "photo"], name="unseen_once_per_index")
        ]

    def __str__(self) -> str:
        return f"{self.index} {self.photo_id}"


class SearchTest(models.Model):
    """How often a shop's search found a product that it was asked for (see `services.testing`)."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    index = models.ForeignKey(IndexVersion, models.CASCADE, related_name="tests")
    asked = models.PositiveIntegerField(_("products asked for"))
    # Shares of them (0 to 1) that were the first, among the first five, among the first twenty.
    recall_1 = models.FloatField()
    recall_5 = models.FloatField()
    recall_20 = models.FloatField()
    tested_at = models.DateTimeField(_("tested"), default=timezone.now, editable=False)

    objects = TenantQuerySet["SearchTest"].as_manager()

    class Meta:
        verbose_name = _("test of the search")
        verbose_name_plural = _("tests of the search")
        indexes = [models.Index(fields=["index", "-tested_at"], name="search_test_newest")]

    def __str__(self) -> str:
        return f"{self.index} {self.tested_at:%Y-%m-%d}"
