from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts.api.base import ApiView, once_per_idempotency_key
from accounts.models import Scope
from accounts.usage import QuotaUsedUp
from annotations import (
    batches,
    files,
    orders,
    overlays,
    photos,
    results,
    reviews,
    selectors,
    services,
    waiting,
)
from annotations.api.answers import AnnotationAnswer
from annotations.api.batches import describe_batch
from annotations.api.inputs import (
    MOST_FILES,
    AnnotationQuery,
    PhotoInput,
    ResultQuery,
    ReviewInput,
    UploadForm,
    UploadInput,
    WaitQuery,
    build_wish,
)
from annotations.models import Annotation
from kalas.lib import remote_images
from kalas.lib.api.etags import PRIVATE, answer_with_etag
from kalas.lib.api.inputs import read, read_query
from kalas.lib.api.pages import NewestFirst
from kalas.lib.api.problems import Problem
from kalas.lib.request_failures import RequestFailed

READERS = (Scope.ANNOTATE, Scope.REVIEW)


class AnnotationsView(ApiView):
    scopes = {"GET": READERS, "POST": (Scope.ANNOTATE,)}
    parser_classes = [JSONParser, MultiPartParser]

    @extend_schema(
        operation_id="list_annotations",
        parameters=[AnnotationQuery],
        responses=AnnotationAnswer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The shop's annotations, newest first."""
        asked = read_query(request, AnnotationQuery)
        found = selectors.filter_history(
            tenant=self.tenant,
            state=asked.get("state", ""),
            review=bool(asked["needs_review"]),
            object_type=asked.get("object", ""),
            category=asked.get("category", ""),
            colour=asked.get("colour", ""),
            attribute=asked.get("attribute", ""),
            product=asked.get("product", ""),
            image_id=asked.get("image"),
            since=asked.get("since"),
            until=asked.get("until"),
        )
        if asked["needs_review"] is False:
            found = found.filter(needs_review=False)
        fields = asked.get("fields")
        found = selectors.with_everything(found, garments=fields is None or "garments" in fields)
        pages = NewestFirst()
        page: Sequence[Annotation] = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response([_describe(each, fields) for each in page])

    @extend_schema(
        operation_id="create_annotation",
        parameters=[WaitQuery],
        request={"application/json": PhotoInput, "multipart/form-data": UploadForm},
        responses={
            201: OpenApiResponse(AnnotationAnswer, "The result; only with `wait`."),
            202: OpenApiResponse(
                AnnotationAnswer, "It waits in line. Several files: a batch, as in /batches/."
            ),
        },
    )
    @once_per_idempotency_key
    def post(self, request: Request) -> Response:
        """Annotate a photo: a file, base64, or an address on the public internet.

        The same photo with the same crop, hint and product is the same annotation: to ask again
        costs nothing. Several files in one form become a batch.
        """
        wait_s: float = read_query(request, WaitQuery)["wait"]
        if request.FILES:
            return self.take_files(request, wait_s)
        asked = read(PhotoInput, request.data)
        data, name = _read_photo(asked)
        return self._answer(self._order(data, name, build_wish(asked), wait_s), wait_s)

    def take_files(self, request: Request, wait_s: float) -> Response:
        """What a form asks for; raises Problem."""
        fields = {name: text for name, text in request.POST.items() if name not in request.FILES}
        wish = build_wish(read(UploadInput, fields))
        uploads = request.FILES.getlist("image")
        if set(request.FILES) != {"image"} or len(uploads) > MOST_FILES:
            raise ValidationError({"image": [f"1 to {MOST_FILES} files of this name, no others."]})
        if len(uploads) == 1:
            name = photos.clean_name(uploads[0].name)
            order = self._order(_read_upload(uploads[0]), name, wish, wait_s)
            return self._answer(order, wait_s)
        items = []
        for upload in uploads:
            order = self._order(_read_upload(upload), photos.clean_name(upload.name), wish, 0)
            items.append({"annotation": order, "taken_at": timezone.now(), "product": wish.product})
        batch = batches.order_batch(
            tenant=self.tenant, key=self.caller.key, items=items, now=timezone.now()
        )
        location = self.request.build_absolute_uri(reverse("api_batch", args=[batch.id]))
        return Response(describe_batch(batch), status=202, headers={"Location": location})

    def _order(self, data: bytes, name: str, wish: orders.Wish, wait_s: float) -> Annotation:
        """Raises the problem that keeps it from being annotated."""
        try:
            return orders.order_photo(
                tenant=self.tenant,
                photo=photos.check_photo(data),
                name=name,
                wish=wish,
                by=orders.Client(key=self.caller.key, user=self.caller.user),
                now=timezone.now(),
                wait_s=wait_s,
            )
        except photos.PhotoRefused as error:
            raise Problem("photo-refused", error.detail, reason=error.code) from error
        except services.CropRefused as error:
            raise ValidationError({"crop": [str(error)]}) from error
        except QuotaUsedUp as error:
            wait = max(1, int((error.renewed_at - timezone.now()).total_seconds()))
            headers = {"Retry-After": str(wait)}
            raise Problem("quota-used-up", str(error), headers=headers) from error

    def _answer(self, annotation: Annotation, wait_s: float) -> Response:
        location = self.request.build_absolute_uri(reverse("api_annotation", args=[annotation.id]))
        headers = {"Location": location}
        if wait_s and annotation.is_pending:
            try:
                waiting.wait_for(annotation=annotation, wait_s=wait_s)
            except waiting.EngineBusy as error:
                headers["Retry-After"] = str(error.retry_after_s)
                raise Problem(
                    "engine-busy", headers=headers, annotation=location, id=str(annotation.id)
                ) from error
        try:
            result = selectors.get_annotation(tenant=self.tenant, annotation_id=annotation.id)
        except Annotation.DoesNotExist as error:  # deleted meanwhile
            raise Problem("not-found") from error
        status = 201 if wait_s and not result.is_pending else 202
        return Response(results.build_result(result), status=status, headers=headers)


class AnnotationView(ApiView):
    scopes = {"GET": READERS, "DELETE": (Scope.ANNOTATE,)}

    @extend_schema(
        operation_id="get_annotation", parameters=[ResultQuery], responses=AnnotationAnswer
    )
    def get(self, request: Request, annotation_id: UUID) -> HttpResponse:
        """With an ETag: `If-None-Match` gets 304 while nothing has changed."""
        fields = read_query(request, ResultQuery).get("fields")
        return answer_with_etag(request, _describe(_get(self, annotation_id), fields))

    @extend_schema(operation_id="delete_annotation", responses={204: None})
    def delete(self, request: Request, annotation_id: UUID) -> Response:
        """Delete the photo with all its annotations, vectors and files."""
        annotation = _get(self, annotation_id)
        services.delete_image(tenant=self.tenant, image_id=annotation.image_id)
        return Response(status=204)


class OverlayView(ApiView):
    scopes = {"GET": READERS}

    @extend_schema(
        operation_id="get_overlay", responses={(200, "image/png"): OpenApiResponse(bytes)}
    )
    def get(self, request: Request, annotation_id: UUID) -> HttpResponse:
        """The photo with boxes in the object's colour, category and attributes written on."""
        annotation = _get(self, annotation_id)
        try:
            data = overlays.draw_overlay(annotation, files.read_photo(annotation.image))
        except FileNotFoundError as error:
            raise Problem("not-found") from error
        response = HttpResponse(data, content_type="image/png")
        response["Cache-Control"] = PRIVATE
        return response


class ReviewView(ApiView):
    scopes = {"POST": (Scope.REVIEW,)}

    @extend_schema(
        operation_id="review_annotation", request=ReviewInput, responses=AnnotationAnswer
    )
    @once_per_idempotency_key
    def post(self, request: Request, annotation_id: UUID) -> Response:
        """Accept the result, with corrections where there are any."""
        asked = read(ReviewInput, request.data)
        corrections = [
            reviews.Correction(
                garment_id=each["id"],
                category=each.get("category", ""),
                attributes=each.get("attributes", {}),
            )
            for each in asked.get("garments", ())
        ]
        try:
            reviews.review_annotation(
                tenant=self.tenant,
                annotation_id=annotation_id,
                corrections=corrections,
                reviewer=self.caller.user,
                key=self.caller.key,
                now=timezone.now(),
            )
        except Annotation.DoesNotExist as error:
            raise Problem("not-found") from error
        except reviews.NotReviewable as error:
            raise Problem("not-reviewable") from error
        except reviews.CorrectionRefused as error:
            raise ValidationError({error.field: [error.detail]}) from error
        return Response(results.build_result(_get(self, annotation_id)))


def _get(view: ApiView, annotation_id: UUID) -> Annotation:
    """Raises the problem; somebody else's is as unknown as a made-up id."""
    try:
        return selectors.get_annotation(tenant=view.tenant, annotation_id=annotation_id)
    except Annotation.DoesNotExist as error:
        raise Problem("not-found") from error


def _describe(annotation: Annotation, fields: Sequence[str] | None) -> Mapping[str, Any]:
    result = results.build_result(annotation, garments=fields is None or "garments" in fields)
    return result if fields is None else {name: result[name] for name in fields}


def _read_photo(asked: dict[str, Any]) -> tuple[bytes, str]:
    """The bytes and a name for them. Raises Problem."""
    if "image" in asked:
        return asked["image"], photos.clean_name(asked.get("name"))
    url = asked["image_url"]
    try:
        data = remote_images.fetch_image(url=url)
    except RequestFailed as error:
        raise Problem("image-url-failed", error.detail, reason=error.code) from error
    name = asked.get("name")
    return data, photos.clean_name(name) if name else photos.name_of_url(url)


def _read_upload(upload: photos.Upload) -> bytes:
    try:
        return photos.read_upload(upload)
    except photos.PhotoRefused as error:
        raise Problem("photo-refused", error.detail, reason=error.code) from error
