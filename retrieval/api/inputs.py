"""What the catalogue's and the search's API takes: exactly these names."""

import base64
import binascii
from typing import Any

from django.conf import settings
from rest_framework import serializers

from annotations.api.inputs import BoxInput, GarmentQuery
from kalas.lib.api.inputs import Choice, StrictSerializer, UploadField
from kalas.lib.api.pages import PageQuery
from retrieval.auditing.advice import CODES
from retrieval.filters import Filters
from retrieval.forms import CURRENCY, WEB_ADDRESS
from retrieval.models import LONGEST_SOURCE, Product
from retrieval.services.photos import MOST_PHOTOS

LARGEST_BULK = 1000
MOST_FOUND = 100
DEEPEST = 1000
LANGUAGES = ("en", "tr")


class ProductFields(StrictSerializer):
    title = serializers.CharField(max_length=500, required=False, allow_blank=True)
    description = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    url = serializers.CharField(
        max_length=2000, required=False, allow_blank=True, help_text="Its page in your shop."
    )
    price = serializers.DecimalField(
        max_digits=12, decimal_places=2, min_value=0, required=False, allow_null=True
    )
    currency = serializers.CharField(
        max_length=3, required=False, allow_blank=True, help_text="Three letters, e.g. TRY."
    )
    stock = Choice(choices=Product.Stock.values, required=False)
    listed = serializers.BooleanField(
        required=False,
        help_text="False keeps it from keys that may only search, as publishable ones.",
    )
    images = serializers.ListField(
        child=serializers.CharField(max_length=2000),
        required=False,
        max_length=MOST_PHOTOS,
        help_text="Addresses of photos, which are fetched. They are added, none is removed.",
    )

    def validate_url(self, url: str) -> str:
        if url:
            WEB_ADDRESS(url)
        return url

    def validate_currency(self, currency: str) -> str:
        if currency:
            CURRENCY(currency.upper())
        return currency.upper()

    def validate_images(self, addresses: list[str]) -> list[str]:
        for address in addresses:
            WEB_ADDRESS(address)
            if len(address.encode()) > LONGEST_SOURCE:
                raise serializers.ValidationError("An address is longer than 2,000 bytes.")
        return list(dict.fromkeys(addresses))


class ProductInput(ProductFields):
    external_id = serializers.CharField(
        max_length=200, help_text="Your own id. A product with it is changed, else it is made."
    )


class ProductChange(ProductFields):
    external_id = serializers.CharField(max_length=200, required=False)


class BulkInput(StrictSerializer):
    products = serializers.ListField(
        child=ProductInput(), min_length=1, max_length=LARGEST_BULK, help_text="At most 1,000."
    )

    def validate_products(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        ids = [row["external_id"] for row in rows]
        if len(set(ids)) < len(ids):
            raise serializers.ValidationError("The same external_id stands there twice.")
        return rows


class FilterQuery(GarmentQuery):
    price_from = serializers.DecimalField(
        max_digits=12, decimal_places=2, min_value=0, required=False
    )
    price_to = serializers.DecimalField(
        max_digits=12, decimal_places=2, min_value=0, required=False
    )
    stock = Choice(choices=[value for value in Product.Stock.values if value], required=False)
    store = serializers.UUIDField(required=False)


class ProductQuery(FilterQuery, PageQuery):
    state = Choice(choices=Product.State.values, required=False)
    external_id = serializers.CharField(max_length=200, required=False)
    advice = Choice(
        choices=["faults", "gaps", *CODES],
        required=False,
        help_text="What the photos lack: one thing, any fault of a photo, or any missing view.",
    )


class AuditQuery(StrictSerializer):
    language = Choice(choices=LANGUAGES, default="en")


class TextQuery(FilterQuery):
    q = serializers.CharField(max_length=200, help_text="Words, e.g. kırmızı çizgili tişört.")
    language = Choice(
        choices=LANGUAGES, default="en", help_text="Which is read first; the other one is too."
    )
    limit = serializers.IntegerField(min_value=1, max_value=MOST_FOUND, default=20)
    offset = serializers.IntegerField(min_value=0, max_value=DEEPEST, default=0)


class SuggestQuery(StrictSerializer):
    q = serializers.CharField(max_length=200, allow_blank=True)
    language = Choice(choices=LANGUAGES, default="en")


class SimilarOptions(FilterQuery):
    limit = serializers.IntegerField(min_value=1, max_value=MOST_FOUND, default=20)
    metric = Choice(
        choices=["cosine", "l2"],
        default="cosine",
        help_text="Of `score`: the cosine, at most 1, or the distance of the two vectors, from 0."
        " Both order alike.",
    )
    least = serializers.FloatField(
        min_value=-1,
        max_value=1,
        required=False,
        help_text="The least cosine, in place of the one that was calibrated for the shop.",
    )
    match_details = serializers.BooleanField(
        default=False,
        help_text="Put the most similar in the order of the details that they share (prints,"
        " seams, buttons). The first search that asks for it lets a job look at the shop's photos.",
    )


class SimilarInput(SimilarOptions):
    """One of `image`, `image_url`, `product`, `external_id` and `annotation`."""

    image = serializers.CharField(
        required=False,
        max_length=settings.UPLOAD_MAX_BYTES * 4 // 3 + 100,
        help_text="The photo's bytes in base64; a data: URL is fine too. It is not kept.",
    )
    image_url = serializers.CharField(
        required=False,
        max_length=2048,
        help_text="With a publishable key only of hosts that are listed with it, and their"
        " subdomains; send `image` of others.",
    )
    product = serializers.UUIDField(required=False, help_text="The id of a product.")
    external_id = serializers.CharField(required=False, max_length=200)
    annotation = serializers.UUIDField(required=False)
    garment = serializers.UUIDField(required=False, help_text="Of the annotation.")
    crop = BoxInput(required=False, help_text="Only this part of the photo.")

    def validate_image(self, text: str) -> bytes:
        try:
            return base64.b64decode(text.partition("base64,")[2] or text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise serializers.ValidationError("This is not base64.", code="base64") from error

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        names = {"image", "image_url", "product", "external_id", "annotation"}
        if len(names & set(attrs)) != 1:
            raise serializers.ValidationError(
                "Give one of image, image_url, product, external_id and annotation.", code="one_of"
            )
        if "crop" in attrs and not {"image", "image_url"} & set(attrs):
            raise serializers.ValidationError("A crop needs an image.", code="one_of")
        return attrs


class SimilarUpload(SimilarOptions):
    """The fields of a multipart form beside its file; `crop` is `left,top,right,bottom`."""

    crop = serializers.RegexField(
        r"^\d{1,6},\d{1,6},\d{1,6},\d{1,6}$", required=False, help_text="left,top,right,bottom"
    )

    def validate_crop(self, text: str) -> dict[str, Any]:
        sides = zip(("left", "top", "right", "bottom"), text.split(","), strict=True)
        box = BoxInput(data=dict(sides))
        box.is_valid(raise_exception=True)
        values: dict[str, Any] = box.validated_data
        return values


class SimilarForm(SimilarUpload):
    """For the documentation: what a multipart form holds."""

    image = UploadField()


class ImportForm(StrictSerializer):
    file = UploadField(help_text="CSV, NDJSON or ZIP.")
    currency = serializers.CharField(
        max_length=3, required=False, help_text="Of prices that name none."
    )


def build_filters(asked: dict[str, Any]) -> Filters:
    return Filters(
        object_type=asked.get("object", ""),
        category=asked.get("category", ""),
        colour=asked.get("colour", ""),
        attribute=asked.get("attribute", ""),
        price_from=asked.get("price_from"),
        price_to=asked.get("price_to"),
        stock=asked.get("stock", ""),
        state=asked.get("state", ""),
        store=asked.get("store"),
        advice=asked.get("advice", ""),
    )
