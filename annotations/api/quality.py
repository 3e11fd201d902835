"""How good the model is, as the shop's own reviewers say."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from accounts.models import Scope
from annotations.reviewing import planner, quality
from annotations.reviewing.statistics import Agreement, Share
from annotations.reviewing.thresholds import CATEGORY
from inference import taxonomy
from kalas.lib.api.inputs import Moment, StrictSerializer, read_query

Fields = serializers.Serializer[Any]


class QualityQuery(StrictSerializer):
    since = Moment(required=False, help_text="Only reviews from then on.")
    key = serializers.CharField(
        max_length=40,
        default=CATEGORY,
        help_text="What `reliability` and `plan` are about: category or an attribute's key.",
    )
    threshold = serializers.FloatField(
        min_value=0, max_value=1, default=0.8, help_text="What `plan` is made for."
    )

    def validate_key(self, key: str) -> str:
        if key != CATEGORY:
            try:
                taxonomy.load().attribute(key)
            except taxonomy.UnknownLabel as error:
                raise serializers.ValidationError("There is no such attribute.") from error
        return key


class ShareAnswer(Fields):
    number = serializers.IntegerField(help_text="Values of the model that were reviewed.")
    right = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(help_text="Of the 95 % interval (Wilson).")
    high = serializers.FloatField()


class CategoryQuality(ShareAnswer):
    name = serializers.CharField()


class AttributeQuality(ShareAnswer):
    key = serializers.CharField()
    missed = serializers.IntegerField(help_text="Values that the model did not say.")


class BinAnswer(ShareAnswer):
    from_confidence = serializers.FloatField()
    to_confidence = serializers.FloatField()
    confidence = serializers.FloatField(help_text="The mean.")


class AgreementAnswer(Fields):
    pairs = serializers.IntegerField()
    same = serializers.IntegerField()
    kappa = serializers.FloatField(allow_null=True, help_text="Cohen's.")


class PlanAnswer(Fields):
    threshold = serializers.FloatField()
    published = serializers.IntegerField()
    expected_right = serializers.FloatField(help_text="Among the published.")
    to_review = serializers.IntegerField()


class QualityAnswer(Fields):
    reviews = serializers.IntegerField()
    accepted = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True, help_text="The median of one review.")
    categories = CategoryQuality(many=True)
    attributes = AttributeQuality(many=True)
    agreement = AgreementAnswer()
    reliability = BinAnswer(many=True)
    plan = PlanAnswer()


class QualityView(ApiView):
    scopes = {"GET": (Scope.REVIEW,)}

    @extend_schema(operation_id="get_quality", parameters=[QualityQuery], responses=QualityAnswer)
    def get(self, request: Request) -> Response:
        """Accuracy with intervals, agreement of reviewers, calibration, and what a threshold
        would publish."""
        asked = read_query(request, QualityQuery)
        tenant, since, key = self.tenant, asked.get("since"), asked["key"]
        work = quality.measure_work(tenant=tenant, since=since)
        categories = quality.count_by_category(tenant=tenant, since=since)
        attributes = quality.count_by_attribute(tenant=tenant, since=since)
        bins = quality.list_bins(tenant=tenant, key=key, since=since)
        agreed = quality.measure_agreement_of(tenant=tenant)
        steps = planner.list_steps(tenant=tenant, key=key)
        plan = planner.plan(steps, threshold=asked["threshold"])
        return Response(
            {
                "reviews": work.reviews,
                "accepted": work.accepted,
                "seconds": work.seconds,
                "categories": [{"name": row.name, **_share(row.share)} for row in categories],
                "attributes": [
                    {"key": row.name, **_share(row.share), "missed": row.missed}
                    for row in attributes
                ],
                "agreement": _agreement(agreed.category),
                "reliability": [
                    {
                        "from_confidence": each.low,
                        "to_confidence": each.high,
                        "confidence": each.confidence,
                        **_share(each.share),
                    }
                    for each in bins
                ],
                "plan": {
                    "threshold": asked["threshold"],
                    "published": plan.published,
                    "expected_right": plan.right,
                    "to_review": plan.to_review,
                },
            }
        )


def _share(share: Share) -> dict[str, Any]:
    return {
        "number": share.number,
        "right": share.right,
        "share": share.value,
        "low": share.low,
        "high": share.high,
    }


def _agreement(agreement: Agreement) -> dict[str, Any]:
    return {"pairs": agreement.pairs, "same": agreement.same, "kappa": agreement.kappa}
