from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils import json

from accounts.api.base import ApiView, once_per_idempotency_key
from accounts.models import Scope
from kalas.lib.api.bodies import JsonParser
from kalas.lib.api.etags import IF_MATCH, answer_with_etag, check_match, etag_of, has_match
from kalas.lib.api.inputs import read, read_query
from kalas.lib.api.pages import NewestFirst
from kalas.lib.api.problems import Problem
from retrieval.api.answers import (
    BulkAnswer,
    ProductAnswer,
    ProductDetailAnswer,
    describe_product,
    describe_with_photos,
)
from retrieval.api.inputs import (
    LARGEST_BULK,
    BulkInput,
    ProductChange,
    ProductInput,
    ProductQuery,
    build_filters,
)
from retrieval.api.shoppers import visible_products
from retrieval.filters import filter_by
from retrieval.importing.cells import ParsedRow
from retrieval.importing.writing import Target, apply_rows
from retrieval.models import Product
from retrieval.services import products
from retrieval.services.products import FIELDS

READERS = (Scope.CATALOGUE, Scope.SEARCH)


class ProductsView(ApiView):
    scopes = {"GET": (Scope.CATALOGUE,), "POST": (Scope.CATALOGUE,)}

    @extend_schema(
        operation_id="list_products",
        parameters=[ProductQuery],
        responses=ProductAnswer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The shop's products, newest first."""
        asked = read_query(request, ProductQuery)
        found = filter_by(Product.objects.for_tenant(self.tenant), build_filters(asked))
        if "external_id" in asked:
            found = found.filter(external_id=asked["external_id"])
        pages = NewestFirst()
        page: list[Product] = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response([describe_product(product) for product in page])

    @extend_schema(
        operation_id="put_product",
        request=ProductInput,
        responses={
            200: OpenApiResponse(ProductDetailAnswer, "It was there, and is so now."),
            201: OpenApiResponse(ProductDetailAnswer, "It is new."),
        },
    )
    @once_per_idempotency_key
    def post(self, request: Request) -> Response:
        """Make a product, or change the one with this `external_id`.

        What is not given stays. Photos are fetched and annotated by themselves.
        """
        asked = read(ProductInput, request.data)
        (what,) = _write(self, [asked])
        product = _find(self, asked["external_id"])
        location = request.build_absolute_uri(reverse("api_product", args=[product.id]))
        status = 201 if what == "created" else 200
        return Response(
            describe_with_photos(product), status=status, headers={"Location": location}
        )


class ProductView(ApiView):
    scopes = {
        "GET": READERS,
        "PATCH": (Scope.CATALOGUE,),
        "DELETE": (Scope.CATALOGUE,),
    }

    @extend_schema(operation_id="get_product", responses=ProductDetailAnswer)
    def get(self, request: Request, product_id: UUID) -> HttpResponse:
        """With its photos, and an ETag."""
        return answer_with_etag(request, describe_with_photos(_get(self, product_id)))

    @extend_schema(
        operation_id="change_product",
        parameters=[IF_MATCH],
        request=ProductChange,
        responses=ProductDetailAnswer,
    )
    def patch(self, request: Request, product_id: UUID) -> Response:
        """Change what is given; photos are added."""
        product = _get(self, product_id)
        asked = read(ProductChange, request.data)
        with transaction.atomic():
            _hold(self, product.id)
            try:
                products.change_product(
                    tenant=self.tenant,
                    product_id=product.id,
                    values=asked,
                    external_id=asked.get("external_id", ""),
                    now=timezone.now(),
                )
            except Product.DoesNotExist as error:
                raise Problem("not-found") from error
            except products.IdTaken as error:
                raise Problem("product-id-taken") from error
            if asked.get("images"):
                row = ParsedRow(1, _get(self, product_id).external_id, images=asked["images"])
                target = Target(self.tenant.id, product.store_id)
                apply_rows(target=target, rows=[row], dry=False, now=timezone.now())
        told = describe_with_photos(_get(self, product_id))
        return Response(told, headers={"ETag": etag_of(told)})

    @extend_schema(operation_id="delete_product", parameters=[IF_MATCH], responses={204: None})
    @transaction.atomic
    def delete(self, request: Request, product_id: UUID) -> Response:
        """Delete the product with the photos that no other product has."""
        product = _get(self, product_id)
        _hold(self, product.id)
        products.delete_products(tenant=self.tenant, product_ids=[product.id])
        return Response(status=204)


class NdjsonParser(BaseParser):
    """A product a line, as exports write them."""

    media_type = "application/x-ndjson"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Raises ParseError and Problem."""
        rows = []
        for number, line in enumerate(stream, start=1):
            if number > LARGEST_BULK + 1:
                raise Problem("too-large", f"At most {LARGEST_BULK} products at once.")
            if line.strip():
                try:
                    rows.append(json.loads(line))
                except (ValueError, RecursionError) as error:
                    raise ParseError(f"Line {number} is no JSON.") from error
        return {"products": rows}


class BulkView(ApiView):
    scopes = {"POST": (Scope.CATALOGUE,)}
    parser_classes = [JsonParser, NdjsonParser]
    longest_json = 16 * 1024 * 1024

    @extend_schema(
        operation_id="put_products",
        request={"application/json": BulkInput, "application/x-ndjson": ProductInput},
        responses=BulkAnswer,
    )
    @once_per_idempotency_key
    def post(self, request: Request) -> Response:
        """Make or change up to 1,000 products by their `external_id`, all or none of them.

        NDJSON has a product in each line.
        """
        rows = read(BulkInput, request.data)["products"]
        what = _write(self, rows)
        return Response(
            {
                **{name: what.count(name) for name in ("created", "changed", "unchanged")},
                "products": [
                    {"external_id": row["external_id"], "outcome": outcome}
                    for row, outcome in zip(rows, what, strict=True)
                ],
            }
        )


def _write(view: ApiView, rows: list[dict[str, Any]]) -> list[str]:
    """What became of each: created, changed or unchanged. All or nothing."""
    parsed = [
        ParsedRow(
            number=number,
            external_id=row["external_id"],
            values={name: row[name] for name in FIELDS if name in row},
            images=row.get("images", []),
        )
        for number, row in enumerate(rows, start=1)
    ]
    with transaction.atomic():
        target = Target(view.tenant.id)
        return apply_rows(target=target, rows=parsed, dry=False, now=timezone.now()).what


def _get(view: ApiView, product_id: UUID) -> Product:
    """Raises the problem; somebody else's is as unknown as a made-up id."""
    product = visible_products(view.caller).filter(id=product_id).first()
    if product is None:
        raise Problem("not-found")
    return product


def _hold(view: ApiView, product_id: UUID) -> None:
    """Where `If-Match` says what it must be; raises Problem."""
    if not has_match(view.request):
        return
    try:
        products.hold_product(tenant=view.tenant, product_id=product_id)
    except Product.DoesNotExist as error:
        raise Problem("not-found") from error
    check_match(view.request, describe_with_photos(_get(view, product_id)))


def _find(view: ApiView, external_id: str) -> Product:
    """The one of this id, or that it was merged into."""
    mine = Product.objects.for_tenant(view.tenant).filter(store_id=None)
    product = (
        mine.filter(external_id=external_id).first()
        or mine.filter(also_known_as__contains=[external_id]).first()
    )
    if product is None:  # deleted meanwhile
        raise Problem("not-found")
    return product
