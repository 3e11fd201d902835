from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.authentication import Caller
from accounts.api.base import ApiView
from accounts.models import Scope
from annotations import files, results, services, visibility
from annotations.api.answers import ImageAnswer
from annotations.models import FashionImage
from annotations.views.media import CONTENT_TYPES
from kalas.lib.api.etags import (
    IF_MATCH,
    PRIVATE,
    answer_with_etag,
    check_match,
    find_unchanged,
    has_match,
)
from kalas.lib.api.inputs import read_query
from kalas.lib.api.pages import NewestFirst, PageQuery
from kalas.lib.api.problems import Problem

READERS = (Scope.ANNOTATE, Scope.REVIEW, Scope.SEARCH)


def visible_images(caller: Caller) -> QuerySet[FashionImage]:
    """Who may only search sees what a search may find."""
    images: QuerySet[FashionImage] = FashionImage.objects.for_tenant(caller.tenant)
    if caller.scopes.intersection((Scope.ANNOTATE, Scope.REVIEW)):
        return images
    return visibility.only_shown(images, to_shoppers=caller.only_searches)


class ImagesView(ApiView):
    scopes = {"GET": (Scope.ANNOTATE, Scope.REVIEW)}

    @extend_schema(
        operation_id="list_images", parameters=[PageQuery], responses=ImageAnswer(many=True)
    )
    def get(self, request: Request) -> Response:
        """The shop's photos, newest first."""
        read_query(request, PageQuery)
        pages = NewestFirst()
        images = FashionImage.objects.for_tenant(self.tenant)
        page: list[FashionImage] = pages.paginate_queryset(images, request, self) or []
        return pages.get_paginated_response([results.build_image(image) for image in page])


class ImageView(ApiView):
    scopes = {"GET": READERS, "DELETE": (Scope.ANNOTATE,)}

    @extend_schema(operation_id="get_image", responses=ImageAnswer)
    def get(self, request: Request, image_id: UUID) -> HttpResponse:
        """One photo, with an ETag; `sha256` is that of the file at `url`."""
        image = visible_images(self.caller).get(id=image_id)
        return answer_with_etag(request, results.build_image(image))

    @extend_schema(operation_id="delete_image", parameters=[IF_MATCH], responses={204: None})
    @transaction.atomic
    def delete(self, request: Request, image_id: UUID) -> Response:
        """Delete the photo with all its annotations, vectors and files."""
        if has_match(request):
            seen = services.keep_image(tenant=self.tenant, image_id=image_id)
            check_match(request, results.build_image(seen))
        services.delete_image(tenant=self.tenant, image_id=image_id)
        return Response(status=204)


class ImageFileView(ApiView):
    scopes = {"GET": READERS}

    @extend_schema(
        operation_id="get_image_file",
        responses={
            (200, "image/jpeg"): OpenApiResponse(bytes),
            (200, "image/png"): OpenApiResponse(bytes),
        },
    )
    def get(self, request: Request, image_id: UUID) -> HttpResponse:
        """The photo as it is kept: upright, sRGB, without metadata."""
        image = visible_images(self.caller).get(id=image_id)
        etag = f'"{image.sha256}"'
        if unchanged := find_unchanged(request, etag):
            return unchanged
        try:
            data = files.read_photo(image)
        except FileNotFoundError as error:
            raise Problem("not-found") from error
        extension = str(image.file.name).rsplit(".", 1)[-1]
        response = HttpResponse(data, content_type=CONTENT_TYPES[extension])
        response["ETag"], response["Cache-Control"] = etag, PRIVATE
        return response
