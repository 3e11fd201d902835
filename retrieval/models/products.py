"""What the shop sells, and its photos."""

import uuid
from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from annotations.models import FashionImage, Garment, TenantQuerySet
from retrieval.models.imports import CatalogueImport

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
