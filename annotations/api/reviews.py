"""What people say about results, and what they have said."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts.api.base import ApiView, once_per_idempotency_key
from accounts.models import Scope
from annotations import results, selectors
from annotations.api.answers import AnnotationAnswer
from annotations.api.inputs import ReviewInput
from annotations.models import Review
from annotations.reviewing import history
from annotations.reviewing.corrections import (
    Addition,
    Correction,
    CorrectionRefused,
    Corrections,
)
from annotations.reviewing.services import (
    NotReviewable,
    NotUndoable,
    Remark,
    ReviewedMeanwhile,
    Reviewer,
    review_annotation,
    undo_review,
)
from inference.contract import Box
from kalas.lib.api.etags import IF_MATCH, check_match, etag_of, has_match
from kalas.lib.api.inputs import Moment, StrictSerializer, read, read_query
from kalas.lib.api.pages import NewestFirst, PageQuery
from kalas.lib.api.problems import Problem

READERS = (Scope.REVIEW,)
Fields = serializers.Serializer[Any]


class ChangeAnswer(Fields):
    garment = serializers.CharField(help_text="Empty where it is about the whole photo.")
    category = serializers.CharField(help_text="The garment's before.")
    key = serializers.CharField(
        help_text="category, object, box, colours, primary, garment, answer or an attribute."
    )
    origin = serializers.CharField(required=False, help_text="Of what was there.")
    confidence = serializers.FloatField(required=False, help_text="Of what was there.")

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word that Python keeps for itself."""
        value = serializers.JSONField(allow_null=True)
        return {**super().get_fields(), "from": value, "to": serializers.JSONField(allow_null=True)}


class ReviewAnswer(Fields):
    id = serializers.UUIDField()
    annotation = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Review.Kind.values)
    source = serializers.ChoiceField(choices=Review.Source.values)  # type: ignore[assignment]
    verdict = serializers.ChoiceField(choices=["not-a-garment", "bad-photo"], allow_null=True)
    reviewer = serializers.CharField(allow_null=True, help_text="A member's e-mail address.")
    key = serializers.CharField(allow_null=True, help_text="The prefix of an API key.")
    changes = ChangeAnswer(many=True)
    comment = serializers.CharField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    version = serializers.IntegerField(help_text="The annotation's that it made.")
    undoes = serializers.UUIDField(allow_null=True)
    undone = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class ReviewDetailAnswer(ReviewAnswer):
    before = serializers.DictField(help_text="The whole answer before.")
    after = serializers.DictField(help_text="The whole answer after.")


class ReviewQuery(PageQuery):
    annotation = serializers.UUIDField(required=False)
    reviewer = serializers.EmailField(required=False)
    key = serializers.CharField(
        max_length=40, required=False, help_text="Reviews that changed this: category, pattern…"
    )
    changed = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="false: accepted as it was."
    )
    since = Moment(required=False)
    until = Moment(required=False)


class UndoInput(StrictSerializer):
    comment = serializers.CharField(max_length=1000, required=False, allow_blank=True)


class ReviewView(ApiView):
    scopes = {"POST": (Scope.REVIEW,)}

    @extend_schema(
        operation_id="review_annotation",
        parameters=[IF_MATCH],
        request=ReviewInput,
        responses=AnnotationAnswer,
    )
    @once_per_idempotency_key
    def post(self, request: Request, annotation_id: UUID) -> Response:
        """Accept the result, with corrections where there are any.

        `version`, or the ETag in `If-Match`, says what was looked at, so that nobody replaces what
        a colleague said unseen: 409 or 412 where it is another by now, 428 where neither is given
        and somebody has reviewed it.
        """
        asked = read(ReviewInput, request.data)
        version, moved = asked.get("version"), "reviewed-meanwhile"
        if has_match(request):
            seen = selectors.get_annotation(tenant=self.tenant, annotation_id=annotation_id)
            check_match(request, results.build_result(seen))
            if version is None:  # from here on it must stay as it is
                version, moved = seen.version, "precondition-failed"
        elif version is None:
            version, moved = 0, "version-required"
        try:
            review_annotation(
                tenant=self.tenant,
                annotation_id=annotation_id,
                corrections=build_corrections(asked),
                by=Reviewer(self.caller.user, self.caller.key, Review.Source.API),
                now=timezone.now(),
                remark=Remark(
                    version=version,
                    comment=asked.get("comment", ""),
                    seconds=asked.get("seconds"),
                ),
            )
        except NotReviewable as error:
            raise Problem("not-reviewable") from error
        except ReviewedMeanwhile as error:
            raise Problem(moved, version=error.version) from error
        except CorrectionRefused as error:
            raise ValidationError({error.field: [error.detail]}) from error
        annotation = selectors.get_annotation(tenant=self.tenant, annotation_id=annotation_id)
        self.about = annotation.image_id
        result = results.build_result(annotation)
        return Response(result, headers={"ETag": etag_of(result)})


class ReviewsView(ApiView):
    scopes = {"GET": READERS}

    @extend_schema(
        operation_id="list_reviews", parameters=[ReviewQuery], responses=ReviewAnswer(many=True)
    )
    def get(self, request: Request) -> Response:
        """Everything that was ever said about the shop's annotations, newest first."""
        asked = read_query(request, ReviewQuery)
        found = history.filter_reviews(
            tenant=self.tenant,
            wanted=history.Wanted(
                annotation_id=asked.get("annotation"),
                email=asked.get("reviewer", ""),
                key=asked.get("key", ""),
                changed=asked["changed"],
                since=asked.get("since"),
                until=asked.get("until"),
            ),
        )
        pages = NewestFirst()
        page = pages.paginate_queryset(found.defer("before", "after"), request, self) or []
        return pages.get_paginated_response([history.describe(review) for review in page])


class OneReviewView(ApiView):
    scopes = {"GET": READERS}

    @extend_schema(operation_id="get_review", responses=ReviewDetailAnswer)
    def get(self, request: Request, review_id: UUID) -> Response:
        """With the whole answer before and after."""
        review = history.get_review(tenant=self.tenant, review_id=review_id)
        return Response(
            history.describe(review)
            | {
                "before": history.without_vectors(review.before),
                "after": history.without_vectors(review.after),
            }
        )


class UndoView(ApiView):
    scopes = {"POST": (Scope.REVIEW,)}

    @extend_schema(operation_id="undo_review", request=UndoInput, responses=ReviewAnswer)
    @once_per_idempotency_key
    def post(self, request: Request, review_id: UUID) -> Response:
        """Bring back what was there before. What was said later has to be undone first."""
        asked = read(UndoInput, request.data)
        try:
            undo = undo_review(
                tenant=self.tenant,
                review_id=review_id,
                by=Reviewer(self.caller.user, self.caller.key, Review.Source.API),
                now=timezone.now(),
                remark=Remark(comment=asked.get("comment", "")),
            )
        except NotUndoable as error:
            raise Problem("not-undoable") from error
        return Response(history.describe(history.get_review(tenant=self.tenant, review_id=undo.id)))


def build_corrections(asked: dict[str, Any]) -> Corrections:
    """From what `ReviewInput` has checked. Raises ValidationError for what is no box."""
    return Corrections(
        garments=[
            Correction(
                garment_id=each["id"],
                category=each.get("category", ""),
                attributes=each.get("attributes", {}),
                object_type=each.get("object", ""),
                box=_build_box(each, f"garments.{number}.box"),
                colours=each.get("colours"),
                primary=each.get("primary"),
                removed=each["removed"],
            )
            for number, each in enumerate(asked.get("garments", ()))
        ],
        added=[
            Addition(
                category=each["category"],
                box=_build_box(each, f"added.{number}.box"),  # type: ignore[arg-type]
                attributes=each.get("attributes", {}),
                object_type=each.get("object", ""),
                colours=each.get("colours"),
                **({"garment_id": each["id"]} if "id" in each else {}),
            )
            for number, each in enumerate(asked.get("added", ()))
        ],
        verdict=Review.Verdict(asked.get("verdict", "")),
    )


def _build_box(each: dict[str, Any], path: str) -> Box | None:
    if "box" not in each:
        return None
    try:
        return Box(**each["box"])
    except ValueError as error:
        raise ValidationError({path: [str(error)]}) from error
