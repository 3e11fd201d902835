"""What the catalogue's and the search's API answers."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from rest_framework import serializers

from annotations import results
from annotations.api.answers import CONFIDENCE, BoxAnswer, ImageAnswer
from annotations.models import Garment
from inference.contract import Box
from retrieval import looks, matches, thumbnails, wanting, words
from retrieval.auditing.advice import CODES
from retrieval.facets import Facets
from retrieval.models import CatalogueImport, IndexVersion, Product, ProductImage

Fields = serializers.Serializer[Any]
THUMBNAIL = "Of that photo, for a page: opens without a key, for a day at least."


class ProductAnswer(Fields):
    id = serializers.UUIDField()
    external_id = serializers.CharField()
    store = serializers.UUIDField(allow_null=True)
    title = serializers.CharField()
    description = serializers.CharField()
    url = serializers.CharField()
    price = serializers.CharField(allow_null=True, help_text="With two decimals, e.g. 199.90.")
    currency = serializers.CharField()
    stock = serializers.ChoiceField(choices=Product.Stock.values)
    listed = serializers.BooleanField(help_text="Whether the shop shows it to shoppers.")
    state = serializers.ChoiceField(choices=Product.State.values)
    object = serializers.ChoiceField(choices=Garment.ObjectType.values, allow_null=True)
    category = serializers.CharField(allow_null=True)
    confidence = serializers.FloatField(allow_null=True, **CONFIDENCE)  # type: ignore[arg-type]
    colours = serializers.ListField(child=serializers.CharField())
    photos_disagree = serializers.BooleanField()
    photo_advice = serializers.ListField(
        child=serializers.ChoiceField(choices=CODES),
        help_text="What the photos lack; in words at `/products/{id}/audit`.",
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class PhotoAnswer(Fields):
    id = serializers.UUIDField()
    image = ImageAnswer(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]
    state = serializers.ChoiceField(choices=ProductImage.State.values)
    verdict = serializers.ChoiceField(choices=ProductImage.Verdict.values)
    error = serializers.CharField()


class ProductDetailAnswer(ProductAnswer):
    photos = PhotoAnswer(many=True)


class BulkRowAnswer(Fields):
    external_id = serializers.CharField()
    outcome = serializers.ChoiceField(choices=["created", "changed", "unchanged"])


class BulkAnswer(Fields):
    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    products = BulkRowAnswer(many=True)


class FoundAttribute(Fields):
    key = serializers.CharField()
    name = serializers.CharField()


class WhyAnswer(Fields):
    same_object = serializers.BooleanField()
    same_category = serializers.BooleanField()
    attributes = FoundAttribute(many=True)
    colours = serializers.ListField(child=serializers.CharField())
    colour_distance = serializers.FloatField(
        allow_null=True, help_text="CIEDE2000; below 10 is nearly the same."
    )


class MatchAnswer(Fields):
    product = ProductAnswer()
    score = serializers.FloatField(help_text="By `metric`.")
    image = ImageAnswer(help_text="The most similar photo of the product.")
    thumbnail = serializers.CharField(help_text=THUMBNAIL)
    box = BoxAnswer(help_text="Where the garment is on it.")
    why = WhyAnswer(allow_null=True)
    details = serializers.FloatField(
        allow_null=True,
        help_text="With `match_details`: the share (0 to 1) of the asked details that it has; null"
        " where its own are not known yet.",
    )


class ComparedModel(Fields):
    """Whose vectors were compared."""

    name = serializers.CharField()
    version = serializers.CharField()


class AskedAnswer(Fields):
    """What was looked for; null where no garment was found."""

    object = serializers.CharField()
    category = serializers.CharField()
    box = BoxAnswer()
    model = ComparedModel()


class SimilarAnswer(Fields):
    asked = AskedAnswer(allow_null=True)
    reason = serializers.ChoiceField(
        choices=["no-garment", "no-retriever", "not-indexed"],
        allow_null=True,
        help_text="Why nothing was looked for, where `asked` is null. `no-retriever`: the shop's"
        " model names garments but cannot compare them; search by words, or choose a family with"
        " a retriever in the shop's settings. `not-indexed`: the product's photos are not annotated"
        " or not in the search index yet.",
    )
    metric = serializers.ChoiceField(choices=["cosine", "l2"])
    complete = serializers.FloatField(
        help_text="The part of the catalogue's annotated photos that the compared model has looked"
        " at: less than 1 while its index is being built, lags behind or failed."
    )
    index = serializers.ChoiceField(
        choices=["none", *IndexVersion.State.values],
        help_text="`failed`: what `complete` leaves out is not followed up; none: nothing to find.",
    )
    details_complete = serializers.FloatField(
        allow_null=True,
        help_text="With `match_details`: the part of the catalogue's photos whose details are"
        " known; a job makes the rest.",
    )
    details_region = serializers.ChoiceField(
        choices=["parts", "foreground"],
        allow_null=True,
        help_text="What told the asked garment from its ground, where its details were found just"
        " now: a segmentation into parts, or all that stands before the ground.",
    )
    results = MatchAnswer(many=True)


class TermAnswer(Fields):
    text = serializers.CharField()
    meanings = serializers.ListField(
        child=serializers.CharField(), help_text="kind:name, e.g. category:t-shirt; none: a word."
    )


class CountAnswer(Fields):
    name = serializers.CharField()
    number = serializers.IntegerField()


class FacetsAnswer(Fields):
    categories = CountAnswer(many=True)
    objects = CountAnswer(many=True)
    colours = CountAnswer(many=True)
    attributes = CountAnswer(many=True)
    stock = CountAnswer(many=True)


class FoundProduct(ProductAnswer):
    image = serializers.UUIDField(allow_null=True, help_text="The id of its best photo.")
    thumbnail = serializers.CharField(allow_null=True, help_text=THUMBNAIL)


class TextAnswer(Fields):
    kind = serializers.ChoiceField(
        choices=["all", "some", "looks", "nothing"],
        help_text="Whether all words match, only some, or none does and the photos look like them.",
    )
    total = serializers.IntegerField()
    terms = TermAnswer(many=True)
    facets = FacetsAnswer()
    results = FoundProduct(many=True)


class SuggestionAnswer(Fields):
    text = serializers.CharField()
    kind = serializers.ChoiceField(choices=["category", "colour", "value", "product"])
    number = serializers.IntegerField(
        help_text="Products; 0 for a product itself, and after other words."
    )
    product = serializers.UUIDField(allow_null=True)


class SuggestionsAnswer(Fields):
    suggestions = SuggestionAnswer(many=True)


class ImportAnswer(Fields):
    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=CatalogueImport.Kind.values)
    state = serializers.ChoiceField(choices=CatalogueImport.State.values)
    error = serializers.CharField()
    columns = serializers.ListField(child=serializers.CharField())
    mapping = serializers.ListField(child=serializers.CharField())
    rows_total = serializers.IntegerField(allow_null=True)
    rows_done = serializers.IntegerField()
    photos_total = serializers.IntegerField()
    photos_done = serializers.IntegerField()
    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    refused = serializers.IntegerField()
    photos_added = serializers.IntegerField()
    photos_refused = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ImportProblemAnswer(Fields):
    row = serializers.IntegerField(help_text="0 for a photo of the archive.")
    field = serializers.CharField()
    value = serializers.CharField()
    detail = serializers.CharField()


class ImportDetailAnswer(ImportAnswer):
    problems = ImportProblemAnswer(many=True, help_text="The first hundred.")


def describe_product(product: Product) -> dict[str, Any]:
    return {
        "id": str(product.id),
        "external_id": product.external_id,
        "store": str(product.store_id) if product.store_id else None,
        "title": product.title,
        "description": product.description,
        "url": product.url,
        "price": None if product.price is None else f"{product.price:.2f}",
        "currency": product.currency,
        "stock": product.stock,
        "listed": product.listed,
        "state": product.state,
        "object": product.object_type or None,
        "category": product.category or None,
        "confidence": product.confidence,
        "colours": product.colours,
        "photos_disagree": product.photos_disagree,
        "photo_advice": product.photo_advice,
        "created_at": product.created_at,
        "updated_at": product.updated_at,
    }


def describe_with_photos(product: Product) -> dict[str, Any]:
    """One query."""
    photos = product.photos.in_order().select_related("image")
    return {**describe_product(product), "photos": [_describe_photo(photo) for photo in photos]}


def describe_match(match: matches.Match, *, metric: str, now: datetime) -> dict[str, Any]:
    assert match.photo.image is not None  # noqa: S101 - else it had no vector
    score = match.similarity if metric == "cosine" else match.distance
    return {
        "product": describe_product(match.product),
        "score": round(score, 4),
        "image": results.build_image(match.photo.image),
        "thumbnail": thumbnails.build_address(match.photo.image.id, now=now),
        "box": describe_box(match.garment.box),
        "why": _describe_why(match.why) if match.why else None,
        "details": None if match.details is None else round(match.details, 4),
    }


def describe_wanted(wanted: wanting.Wanted) -> dict[str, Any] | None:
    if wanted.look is None or wanted.box is None:
        return None
    return {
        "object": wanted.look.object_type,
        "category": wanted.look.category,
        "box": describe_box(wanted.box),
        "model": {"name": wanted.model.name, "version": wanted.model.version},
    }


def describe_found(
    found: words.Found, facets: Facets, covers: dict[UUID, UUID], *, now: datetime
) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "total": found.total,
        "terms": [
            {"text": term.text, "meanings": [f"{s.kind}:{s.name}" for s in term.senses]}
            for term in found.reading.terms
        ],
        "facets": {
            "categories": _describe_counts(facets.categories),
            "objects": _describe_counts(facets.objects),
            "colours": _describe_counts(facets.colours),
            "attributes": _describe_counts(facets.attributes),
            "stock": _describe_counts(facets.stock),
        },
        "results": [
            {**describe_product(product), **_describe_cover(covers.get(product.id), now=now)}
            for product in found.products
        ],
    }


def round_down(share: float) -> float:
    """To four decimals: only what is whole is 1."""
    return math.floor(share * 10_000) / 10_000


def describe_import(run: CatalogueImport) -> dict[str, Any]:
    names = (
        "name", "kind", "state", "error", "mapping", "rows_total", "rows_done", "photos_total",
        "photos_done", "created", "changed", "unchanged", "refused", "photos_added",
        "photos_refused", "created_at", "finished_at",
    )  # fmt: skip
    return {
        "id": str(run.id),
        "columns": [column["name"] for column in run.columns],
        **{name: getattr(run, name) for name in names},
    }


def describe_box(box: Box) -> dict[str, int]:
    return {"left": box.left, "top": box.top, "right": box.right, "bottom": box.bottom}


def _describe_cover(image_id: UUID | None, *, now: datetime) -> dict[str, Any]:
    address = thumbnails.build_address(image_id, now=now) if image_id else None
    return {"image": image_id, "thumbnail": address}


def _describe_photo(photo: ProductImage) -> dict[str, Any]:
    return {
        "id": str(photo.id),
        "image": results.build_image(photo.image) if photo.image else None,
        "source": photo.source,
        "state": photo.state,
        "verdict": photo.verdict,
        "error": photo.error,
    }


def _describe_why(why: looks.Why) -> dict[str, Any]:
    return {
        "same_object": why.same_object,
        "same_category": why.same_category,
        "attributes": [{"key": key, "name": name} for key, name in why.attributes],
        "colours": list(why.colours),
        "colour_distance": why.colour_distance,
    }


def _describe_counts(pairs: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"name": name, "number": number} for name, number in pairs]
