"""What the API takes: exactly these names."""

import base64
import binascii
import copy
from typing import Any

from django.conf import settings
from rest_framework import serializers

from annotations.models import Annotation, Garment, Review
from annotations.orders import Wish
from annotations.reviewing.corrections import MOST_COLOURS
from annotations.reviewing.thresholds import CATEGORY
from inference import taxonomy
from inference.contract import Box
from kalas.lib.api.inputs import Choice, FieldList, Moment, StrictSerializer, UploadField
from kalas.lib.api.pages import PageQuery

LONGEST_WAIT_S = 60
LARGEST_SIDE = 100_000
LARGEST_BATCH = 1000
MOST_FILES = 20
LONGEST_BASE64 = settings.UPLOAD_MAX_BYTES * 4 // 3 + 100
RESULT_FIELDS = (
    "id",
    "state",
    "needs_review",
    "created_at",
    "finished_at",
    "image",
    "crop",
    "hint",
    "product",
    "model",
    "garments",
    "abstained",
    "alternatives",
    "error",
    "timings_ms",
    "original",
    "version",
    "reviewed_at",
)


class BoxInput(StrictSerializer):
    """Pixels of the upright photo; right and bottom are exclusive."""

    left = serializers.IntegerField(min_value=0, max_value=LARGEST_SIDE)
    top = serializers.IntegerField(min_value=0, max_value=LARGEST_SIDE)
    right = serializers.IntegerField(min_value=1, max_value=LARGEST_SIDE)
    bottom = serializers.IntegerField(min_value=1, max_value=LARGEST_SIDE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not (attrs["left"] < attrs["right"] and attrs["top"] < attrs["bottom"]):
            raise serializers.ValidationError("right must exceed left, and bottom top.")
        return attrs


class WishInput(StrictSerializer):
    crop = BoxInput(required=False, help_text="Only this part of the photo.")
    hint = Choice(
        choices=Garment.ObjectType.values, required=False, help_text="What is there to be found."
    )
    product = serializers.CharField(
        max_length=200, required=False, help_text="Your own reference, to find the result by."
    )


class PhotoInput(WishInput):
    """Either `image` or `image_url`."""

    image = serializers.CharField(
        required=False,
        max_length=LONGEST_BASE64,
        help_text="The photo's bytes in base64; a data: URL is fine too.",
    )
    image_url = serializers.CharField(
        required=False, max_length=2048, help_text="Where the photo lies on the public internet."
    )
    name = serializers.CharField(max_length=200, required=False, help_text="The file's name.")

    def validate_image(self, text: str) -> bytes:
        try:
            return base64.b64decode(text.partition("base64,")[2] or text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise serializers.ValidationError(
                "This is not base64. In a form it is a file: curl -F image=@shirt.jpg.",
                code="base64",
            ) from error

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("image" in attrs) == ("image_url" in attrs):
            raise serializers.ValidationError("Give either image or image_url.", code="one_of")
        return attrs


class UploadInput(WishInput):
    """The fields of a multipart form beside its files; `crop` is `left,top,right,bottom`."""

    crop = serializers.RegexField(  # type: ignore[assignment]
        r"^\d{1,6},\d{1,6},\d{1,6},\d{1,6}$",
        required=False,
        help_text="left,top,right,bottom: only this part of the photo.",
        error_messages={"invalid": "Write left,top,right,bottom in whole pixels."},
    )

    def validate_crop(self, text: str) -> dict[str, Any]:
        sides = zip(("left", "top", "right", "bottom"), text.split(","), strict=True)
        box = BoxInput(data=dict(sides))
        box.is_valid(raise_exception=True)
        values: dict[str, Any] = box.validated_data
        return values


class UploadForm(UploadInput):
    """For the documentation: what a multipart form holds."""

    image = serializers.ListField(child=UploadField(), min_length=1, max_length=MOST_FILES)


class WaitQuery(StrictSerializer):
    wait = serializers.FloatField(
        default=0,
        min_value=0,
        max_value=LONGEST_WAIT_S,
        help_text="Seconds to wait for the result; 0 answers 202 at once.",
    )


class ResultQuery(StrictSerializer):
    fields_ = FieldList(names=RESULT_FIELDS)

    def get_fields(self) -> dict[str, Any]:
        """`fields` is a name that serializers keep for themselves."""
        known = dict(super().get_fields())
        return {name.rstrip("_"): field for name, field in known.items()}


class GarmentQuery(StrictSerializer):
    """By what the taxonomy names; what it does not name is a mistake, not a search for nothing."""

    object = Choice(
        choices=Garment.ObjectType.values, required=False, help_text="A garment of this kind."
    )
    category = serializers.CharField(
        max_length=60, required=False, help_text="A category's name in the taxonomy."
    )
    attribute = serializers.RegexField(
        r"^[a-z-]+:[a-z0-9-]+$",
        max_length=120,
        required=False,
        help_text="key:value of the taxonomy, such as `pattern:striped`.",
        error_messages={"invalid": "Write key:value, such as pattern:striped."},
    )
    colour = serializers.CharField(
        max_length=40, required=False, help_text="A colour's name in the taxonomy."
    )

    def validate_category(self, name: str) -> str:
        try:
            return taxonomy.load().category(name).name
        except taxonomy.UnknownLabel as error:
            raise serializers.ValidationError("There is no such category.") from error

    def validate_attribute(self, text: str) -> str:
        key, _colon, value = text.partition(":")
        try:
            taxonomy.load().attribute(key).value(value)
        except taxonomy.UnknownLabel as error:
            raise serializers.ValidationError("There is no such attribute.") from error
        return text

    def validate_colour(self, name: str) -> str:
        if all(name != colour.name for colour in taxonomy.load().colours):
            raise serializers.ValidationError("There is no such colour.")
        return name


class AnnotationQuery(ResultQuery, GarmentQuery, PageQuery):
    state = Choice(choices=Annotation.State.values, required=False)
    needs_review = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="Waits for a person, or does not."
    )
    product = serializers.CharField(
        max_length=200, required=False, help_text="The reference that was given with the photo."
    )
    store = serializers.UUIDField(required=False, help_text="The id of a connected store.")
    unsure_of = serializers.CharField(
        max_length=40,
        required=False,
        help_text="Waits for a person because of this: category or an attribute's key.",
    )
    image = serializers.UUIDField(required=False, help_text="The id of a photo.")
    since = Moment(required=False, help_text="Requested at or after this.")
    until = Moment(required=False, help_text="Requested before this.")

    def validate_unsure_of(self, key: str) -> str:
        try:
            return key if key == CATEGORY else taxonomy.load().attribute(key).key
        except taxonomy.UnknownLabel as error:
            raise serializers.ValidationError("There is no such attribute.") from error


COLOURS = serializers.ListField(
    child=serializers.CharField(max_length=40),
    max_length=MOST_COLOURS,
    required=False,
    help_text="Names of the taxonomy, the main one first.",
)
ATTRIBUTES = serializers.DictField(
    child=serializers.CharField(max_length=60, allow_null=True),
    required=False,
    help_text="Key and value, e.g. pattern: striped; null takes the attribute away.",
)


class GarmentReview(StrictSerializer):
    id = serializers.UUIDField()
    category = serializers.CharField(max_length=60, required=False)
    object = Choice(choices=Garment.ObjectType.values, required=False)
    box = BoxInput(required=False)
    attributes = copy.deepcopy(ATTRIBUTES)
    colours = copy.deepcopy(COLOURS)
    primary = serializers.BooleanField(
        required=False, help_text="true: this one is the main garment."
    )
    removed = serializers.BooleanField(
        default=False, help_text="true: there is no such garment in the photo."
    )


class GarmentAddition(StrictSerializer):
    """A garment that the model did not see."""

    id = serializers.UUIDField(required=False, help_text="A random one of yours.")
    category = serializers.CharField(max_length=60)
    object = Choice(choices=Garment.ObjectType.values, required=False)
    box = BoxInput()
    attributes = copy.deepcopy(ATTRIBUTES)
    colours = copy.deepcopy(COLOURS)


class ReviewInput(StrictSerializer):
    """Without garments the result is accepted as it is."""

    garments = serializers.ListField(
        child=GarmentReview(), required=False, max_length=50, help_text="Only what changes."
    )
    added = serializers.ListField(child=GarmentAddition(), required=False, max_length=50)
    verdict = Choice(
        choices=[Review.Verdict.NOT_A_GARMENT.value, Review.Verdict.BAD_PHOTO.value],
        required=False,
        help_text="Instead of an answer.",
    )
    comment = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    version = serializers.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        help_text="The result's `version` that was looked at; 409 if it is another by now. Without "
        "it the result must be one that nobody has reviewed; else 428.",
    )
    seconds = serializers.FloatField(
        min_value=0, max_value=86400, required=False, help_text="How long it took."
    )


class BatchItemInput(WishInput):
    image_url = serializers.CharField(required=False, max_length=2048)
    image_id = serializers.UUIDField(required=False, help_text="A photo that the shop has.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("image_id" in attrs) == ("image_url" in attrs):
            raise serializers.ValidationError("Give either image_url or image_id.", code="one_of")
        return attrs


class BatchInput(StrictSerializer):
    items = serializers.ListField(child=BatchItemInput(), min_length=1, max_length=LARGEST_BATCH)


class BatchItemQuery(StrictSerializer):
    limit = serializers.IntegerField(min_value=1, max_value=LARGEST_BATCH, default=100)
    offset = serializers.IntegerField(min_value=0, max_value=LARGEST_BATCH, default=0)


def build_wish(values: dict[str, Any]) -> Wish:
    crop = values.get("crop")
    return Wish(
        crop=Box(**crop) if crop else None,
        hint=values.get("hint", ""),
        product=values.get("product", ""),
    )
