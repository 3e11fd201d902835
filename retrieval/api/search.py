from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts.api.base import ApiView, once_per_idempotency_key
from accounts.models import ApiKey, Scope
from annotations.api.images import visible_images
from annotations.models import Annotation
from inference.contract import Box
from kalas.lib import remote_images
from kalas.lib.api.bodies import JsonParser
from kalas.lib.api.inputs import read, read_query
from kalas.lib.api.problems import Problem
from kalas.lib.request_failures import RequestFailed
from retrieval import catalogue, coverage, matches, similar, suggesting, wanting, words
from retrieval.api import engine
from retrieval.api.answers import (
    SimilarAnswer,
    SuggestionsAnswer,
    TextAnswer,
    describe_found,
    describe_match,
    describe_wanted,
    round_down,
)
from retrieval.api.inputs import (
    SimilarForm,
    SimilarInput,
    SimilarUpload,
    SuggestQuery,
    TextQuery,
    build_filters,
)
from retrieval.api.shoppers import narrow, visible_products
from retrieval.details import Asked
from retrieval.models import Product
from retrieval.services import details

Look = Callable[[wanting.Wanted], Asked | None]
"""The details of what is wanted; None where its photo is gone."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks for, what that looks like, and how its details are found."""

    asked: dict[str, Any]
    wanted: wanting.Wanted | None
    look: Look
    reason: str | None
    """Why there is nothing to look for."""


class SimilarView(ApiView):
    scopes = {"POST": (Scope.SEARCH,)}
    parser_classes = [JsonParser, MultiPartParser]
    longest_json = settings.UPLOAD_MAX_BYTES * 4 // 3 + 10_000
    # Nothing is written, and the engine takes its time.
    is_one_transaction = False

    @extend_schema(
        operation_id="search_similar",
        request={"application/json": SimilarInput, "multipart/form-data": SimilarForm},
        responses=SimilarAnswer,
    )
    @once_per_idempotency_key
    def post(self, request: Request) -> Response:
        """Products that look like a photo, a product or an annotation, the most similar first.

        Only the own shop's, and none where nothing is similar. Photos are not kept.
        """
        question = self._read(request)
        asked, wanted = question.asked, question.wanted
        found: list[matches.Match] = []
        index = seen = None
        if wanted is not None:
            if asked["match_details"]:
                seen = engine.find_details(partial(question.look, wanted))
            try:
                index = similar.find_index(tenant=self.tenant, model=wanted.model)
            except similar.BeingBuilt as error:
                raise Problem("index-being-built", str(error)) from error
        if wanted is not None and index is not None:
            found = similar.find_in(
                index=index,
                wanted=wanted,
                filters=narrow(build_filters(asked), self.caller),
                limit=asked["limit"],
                cut_off=asked.get("least"),
                asked=seen,
            )
        metric, now = asked["metric"], timezone.now()
        covered = (
            coverage.measure_coverage(index)
            if wanted
            else coverage.find_coverage(tenant=self.tenant, model=None)
        )
        return Response(
            {
                "asked": describe_wanted(wanted) if wanted else None,
                "reason": question.reason,
                "metric": metric,
                "complete": round_down(covered.share),
                "index": covered.state,
                "details_complete": (
                    round_down(details.find_share(tenant=self.tenant, model=seen.model))
                    if seen
                    else None
                ),
                "details_region": (seen.region or None) if seen else None,
                "results": [describe_match(match, metric=metric, now=now) for match in found],
            }
        )

    def _read(self, request: Request) -> Question:
        """Raises Problem and ValidationError."""
        if request.FILES:
            fields = {
                name: text for name, text in request.POST.items() if name not in request.FILES
            }
            asked = read(SimilarUpload, fields)
            uploads = request.FILES.getlist("image")
            if set(request.FILES) != {"image"} or len(uploads) != 1:
                raise ValidationError({"image": ["Send one file in this field, no others."]})
            return self._want_photo(engine.read_upload(uploads[0]), asked)
        asked = read(SimilarInput, request.data)
        if "image" in asked:
            return self._want_photo(asked["image"], asked)
        if "image_url" in asked:
            try:
                hosts = list_hosts(self.caller.key)
                data = remote_images.fetch_image(url=asked["image_url"], hosts=hosts)
            except RequestFailed as error:
                raise Problem("image-url-failed", error.detail, reason=error.code) from error
            return self._want_photo(data, asked)
        if "annotation" in asked:
            return self._want_annotation(asked)
        return self._want_product(asked)

    def _want_photo(self, data: bytes, asked: dict[str, Any]) -> Question:
        crop = asked.get("crop")
        box = Box(**crop) if crop else None
        found = engine.annotate(data, caller=self.caller, crop=box)
        wanted = wanting.want_found(found)
        return Question(
            asked,
            wanted,
            lambda wanted: details.ask_engine(data, wanted.box),
            None if wanted else _explain_none(has_garment=bool(found.garments)),
        )

    def _want_annotation(self, asked: dict[str, Any]) -> Question:
        annotation, garment_id = self._get_annotation(asked["annotation"]), asked.get("garment")
        garments = annotation.garments.filter(**({"id": garment_id} if garment_id else {}))
        wanted = wanting.want_annotation(annotation, garment_id=garment_id)
        return Question(
            asked,
            wanted,
            lambda wanted: details.ask_annotation(annotation, wanted.box),
            None if wanted else _explain_none(has_garment=garments.exists()),
        )

    def _want_product(self, asked: dict[str, Any]) -> Question:
        product = self._get_product(asked)
        wanted = wanting.want_product(product)
        reason = None if wanted else wanting.explain_none(product)
        return Question(asked, wanted, lambda _: details.ask_product(product), reason)

    def _get_annotation(self, annotation_id: UUID) -> Annotation:
        annotations = Annotation.objects.for_tenant(self.tenant)
        seen = annotations.filter(image__in=visible_images(self.caller))
        annotation = seen.filter(id=annotation_id).first()
        if annotation is None:
            raise Problem("not-found")
        return annotation

    def _get_product(self, asked: dict[str, Any]) -> Product:
        mine = visible_products(self.caller)
        product = (
            mine.filter(id=asked["product"]).first()
            if "product" in asked
            else mine.filter(external_id=asked["external_id"]).order_by("created_at").first()
        )
        if product is None:
            raise Problem("not-found")
        return product


class TextView(ApiView):
    scopes = {"GET": (Scope.SEARCH,)}

    @extend_schema(operation_id="search_text", parameters=[TextQuery], responses=TextAnswer)
    def get(self, request: Request) -> Response:
        """Products by words of English or Turkish, with what they were understood as.

        `facets` count all products that match, whatever page is asked for.
        """
        asked, now = read_query(request, TextQuery), timezone.now()
        filters = narrow(build_filters(asked), self.caller)
        found = words.search(
            tenant=self.tenant,
            text=asked["q"],
            language=asked["language"],
            now=now,
            filters=filters,
            limit=asked["limit"],
            offset=asked["offset"],
        )
        facets = words.count_found(found)
        covers = catalogue.find_covers([product.id for product in found.products])
        return Response(describe_found(found, facets, covers, now=now))


class SuggestView(ApiView):
    scopes = {"GET": (Scope.SEARCH,)}

    @extend_schema(
        operation_id="suggest_text", parameters=[SuggestQuery], responses=SuggestionsAnswer
    )
    def get(self, request: Request) -> Response:
        """What a text could become, while somebody types it."""
        asked = read_query(request, SuggestQuery)
        found = suggesting.suggest(
            tenant=self.tenant,
            text=asked["q"],
            language=asked["language"],
            only_listed=self.caller.only_searches,
        )
        return Response(
            {
                "suggestions": [
                    {
                        "text": each.text,
                        "kind": each.kind,
                        "number": each.number,
                        "product": str(each.product_id) if each.product_id else None,
                    }
                    for each in found
                ]
            }
        )


def _explain_none(*, has_garment: bool) -> str:
    return "no-retriever" if has_garment else "no-garment"


def list_hosts(key: ApiKey | None) -> frozenset[str] | None:
    """Of which photos may be fetched: everybody can read a publishable key, and would use it to
    let this server ask any address."""
    if key is None or not key.is_publishable:
        return None
    hosts = (urlsplit(origin).hostname or "" for origin in key.origins)
    return frozenset(host.removeprefix("www.") for host in hosts if host)
