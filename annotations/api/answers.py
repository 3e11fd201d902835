"""What the API answers, for its documentation; `annotations.results` builds it."""

from typing import Any

from rest_framework import serializers

from annotations.models import Annotation, Garment, Label

Fields = serializers.Serializer[Any]
CONFIDENCE = {"min_value": 0, "max_value": 1, "help_text": "A calibrated probability."}


class BoxAnswer(Fields):
    left = serializers.IntegerField()
    top = serializers.IntegerField()
    right = serializers.IntegerField()
    bottom = serializers.IntegerField()


class ImageAnswer(Fields):
    id = serializers.UUIDField()
    name = serializers.CharField()
    url = serializers.URLField(help_text="The photo itself; takes the same key.")
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()


class ModelAnswer(Fields):
    name = serializers.CharField()
    version = serializers.CharField()
    taxonomy = serializers.CharField()


class AlternativeAnswer(Fields):
    name = serializers.CharField()
    confidence = serializers.FloatField(**CONFIDENCE)  # type: ignore[arg-type]


class CategoryAnswer(Fields):
    name = serializers.CharField()
    confidence = serializers.FloatField(**CONFIDENCE)  # type: ignore[arg-type]
    origin = serializers.ChoiceField(choices=Label.Origin.values)
    alternatives = AlternativeAnswer(many=True)


class AttributeAnswer(Fields):
    key = serializers.CharField()
    name = serializers.CharField()
    confidence = serializers.FloatField(**CONFIDENCE)  # type: ignore[arg-type]
    origin = serializers.ChoiceField(choices=Label.Origin.values)


class ColourAnswer(Fields):
    name = serializers.CharField()
    hex = serializers.CharField()
    share = serializers.FloatField(help_text="Of the garment's pixels, 0 to 1.")
    origin = serializers.ChoiceField(choices=Label.Origin.values)


class GarmentAnswer(Fields):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(choices=Garment.ObjectType.values)
    confidence = serializers.FloatField(**CONFIDENCE)  # type: ignore[arg-type]
    primary = serializers.BooleanField()
    box = BoxAnswer()
    category = CategoryAnswer()
    attributes = AttributeAnswer(many=True)
    colours = ColourAnswer(many=True)


class AnnotationAnswer(Fields):
    """Version 1 of the result. With `fields` only the members that were asked for."""

    id = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(choices=Annotation.State.values, required=False)
    needs_review = serializers.BooleanField(required=False)
    created_at = serializers.DateTimeField(required=False)
    finished_at = serializers.DateTimeField(allow_null=True, required=False)
    image = ImageAnswer(required=False)
    crop = BoxAnswer(allow_null=True, required=False)
    hint = serializers.CharField(allow_null=True, required=False)
    product = serializers.CharField(allow_null=True, required=False)
    model = ModelAnswer(allow_null=True, required=False)
    garments = GarmentAnswer(many=True, required=False)
    abstained = serializers.CharField(
        allow_null=True, required=False, help_text="Why there is no answer: no-garment, too-small…"
    )
    alternatives = AlternativeAnswer(
        many=True,
        required=False,
        help_text="Where no garment was seen: what it may be nevertheless, the likeliest first.",
    )
    error = serializers.CharField(allow_null=True, required=False)
    timings_ms = serializers.DictField(child=serializers.FloatField(), required=False)
    original = serializers.DictField(
        child=serializers.DictField(child=serializers.FloatField()),
        required=False,
        help_text="What an imported model said in its own words: categories, attributes.",
    )
    version = serializers.IntegerField(
        required=False, help_text="Counts reviews; send it with yours to change what you have seen."
    )
    reviewed_at = serializers.DateTimeField(allow_null=True, required=False)


class BatchProgress(Fields):
    pending = serializers.IntegerField()
    done = serializers.IntegerField()
    abstained = serializers.IntegerField()
    failed = serializers.IntegerField()


class BatchAnswer(Fields):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=["pending", "done"])
    total = serializers.IntegerField()
    progress = BatchProgress()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class BatchItemAnswer(Fields):
    position = serializers.IntegerField()
    image_url = serializers.CharField(allow_null=True)
    product = serializers.CharField(allow_null=True)
    annotation = serializers.UUIDField(allow_null=True)
    state = serializers.ChoiceField(choices=Annotation.State.values)
    problem = serializers.CharField(allow_null=True, help_text="The name of a problem type.")
    detail = serializers.CharField(allow_null=True)


class BatchDetailAnswer(BatchAnswer):
    items = BatchItemAnswer(many=True)


class NamesAnswer(Fields):
    en = serializers.CharField()
    tr = serializers.CharField()


class NamedAnswer(Fields):
    name = serializers.CharField()
    names = NamesAnswer()


class CategoryOfTaxonomy(NamedAnswer):
    object = serializers.ChoiceField(choices=Garment.ObjectType.values)


class ColourOfTaxonomy(NamedAnswer):
    hex = serializers.CharField()
    family = serializers.CharField()


class ValueOfTaxonomy(NamedAnswer):
    applies_to = serializers.ListField(
        child=serializers.CharField(), help_text="Categories; empty: wherever the attribute does."
    )


class AttributeOfTaxonomy(Fields):
    key = serializers.CharField()
    names = NamesAnswer()
    exclusive = serializers.BooleanField()
    applies_to = serializers.ListField(child=serializers.CharField())
    values = ValueOfTaxonomy(many=True)


class TaxonomyAnswer(Fields):
    version = serializers.CharField()
    objects = NamedAnswer(many=True)
    categories = CategoryOfTaxonomy(many=True)
    attributes = AttributeOfTaxonomy(many=True)
    colours = ColourOfTaxonomy(many=True)


class OldAnnotationAnswer(Fields):
    """As Kalas-Iris answered."""

    attributes = serializers.DictField(child=serializers.FloatField())
    categories = serializers.DictField(child=serializers.FloatField())
    colors = serializers.ListField(child=serializers.CharField())
    category_probabilities = serializers.DictField(
        child=serializers.FloatField(),
        required=False,
        help_text="Of an imported model, whose own category values do not sum to 1.",
    )
    calibrated = serializers.BooleanField(
        required=False,
        help_text="Whether `category_probabilities` were fitted to labelled photos; false: they are"
        " the model's softmax as it is, which is often too sure.",
    )
