from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView, once_per_idempotency_key
from accounts.models import Scope
from annotations import batches, selectors
from annotations.api.answers import BatchAnswer, BatchDetailAnswer
from annotations.api.inputs import BatchInput, BatchItemQuery, build_wish
from annotations.models import Batch, BatchItem
from kalas.lib.api.etags import answer_with_etag
from kalas.lib.api.inputs import read, read_query
from kalas.lib.api.pages import NewestFirst, PageQuery
from kalas.lib.api.problems import Problem

NOTHING_YET = {"pending": 0, "done": 0, "abstained": 0, "failed": 0}


class BatchesView(ApiView):
    scopes = {"GET": (Scope.ANNOTATE, Scope.REVIEW), "POST": (Scope.ANNOTATE,)}

    @extend_schema(
        operation_id="list_batches", parameters=[PageQuery], responses=BatchAnswer(many=True)
    )
    def get(self, request: Request) -> Response:
        """The shop's batches with their progress, newest first."""
        read_query(request, PageQuery)
        pages = NewestFirst()
        page: list[Batch] = (
            pages.paginate_queryset(Batch.objects.for_tenant(self.tenant), request, self) or []
        )
        counts = batches.count_items(batch_ids=[batch.id for batch in page])
        return pages.get_paginated_response(
            [_describe(batch, counts.get(batch.id, NOTHING_YET)) for batch in page]
        )

    @extend_schema(operation_id="create_batch", request=BatchInput, responses={202: BatchAnswer})
    @once_per_idempotency_key
    def post(self, request: Request) -> Response:
        """Annotate up to 1,000 photos by address or id; each is fetched and annotated in turn."""
        items = [_build_item(each) for each in read(BatchInput, request.data)["items"]]
        return start_batch(self, items)


class BatchView(ApiView):
    scopes = {"GET": (Scope.ANNOTATE, Scope.REVIEW)}

    @extend_schema(
        operation_id="get_batch", parameters=[BatchItemQuery], responses=BatchDetailAnswer
    )
    def get(self, request: Request, batch_id: UUID) -> HttpResponse:
        """Progress, and the photos from `offset` on in the order in which they were given."""
        asked = read_query(request, BatchItemQuery)
        batch = Batch.objects.for_tenant(self.tenant).get(id=batch_id)
        first = asked["offset"]
        items = selectors.list_items(batch=batch)[first : first + asked["limit"]]
        described = {**describe_batch(batch), "items": [_describe_item(item) for item in items]}
        return answer_with_etag(request, described)


def start_batch(view: ApiView, items: Sequence[Mapping[str, Any]]) -> Response:
    """`items` are those of `batches.order_batch`. Raises Problem."""
    with transaction.atomic():
        try:
            batch = batches.order_batch(
                tenant=view.tenant, key=view.caller.key, items=items, now=timezone.now()
            )
        except batches.TooManyOpen as error:
            raise Problem("too-many-waiting", headers={"Retry-After": "60"}) from error
        location = view.request.build_absolute_uri(reverse("api_batch", args=[batch.id]))
        response = Response(describe_batch(batch), status=202, headers={"Location": location})
        view.keep(response)
    return response


def describe_batch(batch: Batch) -> dict[str, Any]:
    """One query."""
    counts = batches.count_items(batch_ids=[batch.id])
    return _describe(batch, counts.get(batch.id, NOTHING_YET))


def _describe(batch: Batch, progress: dict[str, int]) -> dict[str, Any]:
    return {
        "id": str(batch.id),
        "state": "done" if batch.finished_at else "pending",
        "total": batch.total,
        "progress": progress,
        "created_at": batch.created_at,
        "finished_at": batch.finished_at,
    }


def _describe_item(item: BatchItem) -> dict[str, Any]:
    waiting = "pending" if item.taken_at is None else "failed"
    return {
        "position": item.position,
        "image_url": item.image_url or None,
        "product": item.product or None,
        "annotation": str(item.annotation_id) if item.annotation_id else None,
        "state": item.annotation.state if item.annotation else waiting,
        "problem": item.problem or None,
        "detail": item.detail or None,
    }


def _build_item(asked: dict[str, Any]) -> dict[str, Any]:
    wish = build_wish(asked)
    return {
        "image_url": asked.get("image_url", ""),
        "image_id": asked.get("image_id"),
        "crop": list(wish.crop.as_tuple()) if wish.crop else None,
        "hint": wish.hint,
        "product": wish.product,
    }
