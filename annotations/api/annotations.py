from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView, once_per_idempotency_key
from accounts.models import Scope
from annotations import files, overlays, photos, results, selectors, services, sources
from annotations.api import ordering
from annotations.api.answers import AnnotationAnswer
from annotations.api.inputs import (
    LONGEST_BASE64,
    AnnotationQuery,
    PhotoInput,
    ResultQuery,
    UploadForm,
    WaitQuery,
    build_wish,
)
from annotations.models import Annotation
from annotations.reviewing import queue
from kalas.lib import remote_images
from kalas.lib.api.bodies import JsonParser
from kalas.lib.api.etags import (
    IF_MATCH,
    PRIVATE,
    answer_with_etag,
    check_match,
    etag_of,
    find_unchanged,
    has_match,
)
from kalas.lib.api.inputs import read, read_query
from kalas.lib.api.pages import NewestFirst
from kalas.lib.api.problems import Problem
from kalas.lib.request_failures import RequestFailed

READERS = (Scope.ANNOTATE, Scope.REVIEW)


class AnnotationsView(ApiView):
    scopes = {"GET": READERS, "POST": (Scope.ANNOTATE,)}
    is_one_transaction = False
    parser_classes = [JsonParser, MultiPartParser]
    longest_json = LONGEST_BASE64 + 64 * 1024

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
        if store := asked.get("store"):
            found = found.filter(sources.of_store(store))
        if key := asked.get("unsure_of"):
            found = queue.only_unsure_of(
                found.filter(needs_review=True), tenant=self.tenant, key=key
            )
        fields = asked.get("fields")
        pages = NewestFirst()
        page: Sequence[Annotation] = (
            pages.paginate_queryset(found.select_related("image"), request, self) or []
        )
        described = results.build_results(page, garments=fields is None or "garments" in fields)
        return pages.get_paginated_response([_choose(each, fields) for each in described])

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

        A photo is a JPEG, PNG, WebP, AVIF, GIF or BMP of at most 25 MB and 50 megapixels; of a
        moving one the first frame counts. The same photo with the same crop, hint and product is
        the same annotation: to ask again costs nothing. Up to 20 files in one form become a batch.
        """
        wait_s: float = read_query(request, WaitQuery)["wait"]
        if request.FILES:
            uploads, wish = ordering.read_form(self)
            if len(uploads) > 1:
                return ordering.take_several(self, uploads, wish)
            return ordering.take_upload(self, uploads[0], wish, wait_s)
        asked = read(PhotoInput, request.data)
        data, name = _read_photo(asked)
        order = ordering.order(self, data, name, build_wish(asked), wait_s)
        return ordering.answer(self, order, wait_s)


class AnnotationView(ApiView):
    scopes = {"GET": READERS, "DELETE": (Scope.ANNOTATE,)}

    @extend_schema(
        operation_id="get_annotation", parameters=[ResultQuery], responses=AnnotationAnswer
    )
    def get(self, request: Request, annotation_id: UUID) -> HttpResponse:
        """One annotation, with an ETag: `If-None-Match` gets 304 while nothing has changed."""
        fields = read_query(request, ResultQuery).get("fields")
        annotation = selectors.get_annotation(tenant=self.tenant, annotation_id=annotation_id)
        return answer_with_etag(request, _choose(results.build_result(annotation), fields))

    @extend_schema(operation_id="delete_annotation", parameters=[IF_MATCH], responses={204: None})
    @transaction.atomic
    def delete(self, request: Request, annotation_id: UUID) -> Response:
        """Delete the photo with all its annotations, vectors and files."""
        if has_match(request):
            services.hold_annotation(tenant=self.tenant, annotation_id=annotation_id)
            seen = selectors.get_annotation(tenant=self.tenant, annotation_id=annotation_id)
            check_match(request, results.build_result(seen))
        annotations = Annotation.objects.for_tenant(self.tenant)
        image_id = annotations.get(id=annotation_id).image_id
        services.delete_image(tenant=self.tenant, image_id=image_id)
        return Response(status=204)


class OverlayView(ApiView):
    scopes = {"GET": READERS}

    @extend_schema(
        operation_id="get_overlay", responses={(200, "image/png"): OpenApiResponse(bytes)}
    )
    def get(self, request: Request, annotation_id: UUID) -> HttpResponse:
        """The photo with boxes in the object's colour, category and attributes written on."""
        annotation = selectors.get_annotation(tenant=self.tenant, annotation_id=annotation_id)
        etag = etag_of(results.build_result(annotation))
        if unchanged := find_unchanged(request, etag):
            return unchanged
        try:
            data = overlays.draw_overlay(annotation, files.read_photo(annotation.image))
        except FileNotFoundError as error:
            raise Problem("not-found") from error
        response = HttpResponse(data, content_type="image/png")
        response["ETag"], response["Cache-Control"] = etag, PRIVATE
        return response


def _choose(result: Mapping[str, Any], fields: Sequence[str] | None) -> Mapping[str, Any]:
    return result if fields is None else {name: result[name] for name in fields if name in result}


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
