"""Catalogues as files: imported in the background, exported while they are written."""

from uuid import UUID

from django.http import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts.api.base import ApiView, once_per_idempotency_key
from accounts.models import Scope
from kalas.lib.api.inputs import read, read_query
from kalas.lib.api.pages import NewestFirst, PageQuery
from kalas.lib.api.problems import Problem
from retrieval.api.answers import ImportAnswer, ImportDetailAnswer, describe_import
from retrieval.api.inputs import ImportForm
from retrieval.models import CatalogueImport
from retrieval.services import imports
from retrieval.views import exports

SHOWN_PROBLEMS = 100


class ImportsView(ApiView):
    scopes = {"GET": (Scope.CATALOGUE,), "POST": (Scope.CATALOGUE,)}
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="list_imports", parameters=[PageQuery], responses=ImportAnswer(many=True)
    )
    def get(self, request: Request) -> Response:
        """The shop's imports, newest first."""
        read_query(request, PageQuery)
        pages = NewestFirst()
        runs = CatalogueImport.objects.for_tenant(self.tenant)
        page: list[CatalogueImport] = pages.paginate_queryset(runs, request, self) or []
        return pages.get_paginated_response([describe_import(run) for run in page])

    @extend_schema(
        operation_id="create_import",
        request={"multipart/form-data": ImportForm},
        responses={202: ImportAnswer},
    )
    @once_per_idempotency_key
    def post(self, request: Request) -> Response:
        """Upload a CSV, NDJSON or ZIP file; it is checked, without changing a product yet.

        Columns are known by their names. Read the import until its state is `checked`, look at
        what it would do, and `start` it.
        """
        asked = read(ImportForm, request.data)
        try:
            run = imports.begin_import(
                tenant=self.tenant,
                upload=asked["file"],
                requested_by=self.caller.user,
                now=timezone.now(),
            )
            if run.columns:
                run = imports.check_import(
                    tenant=self.tenant,
                    import_id=run.id,
                    mapping=run.mapping,
                    currency=asked.get("currency", "").upper(),
                )
        except imports.ImportRefused as error:
            raise ValidationError({"file": [str(error)]}) from error
        location = request.build_absolute_uri(reverse("api_import", args=[run.id]))
        return Response(describe_import(run), status=202, headers={"Location": location})


class ImportView(ApiView):
    scopes = {"GET": (Scope.CATALOGUE,), "DELETE": (Scope.CATALOGUE,)}

    @extend_schema(operation_id="get_import", responses=ImportDetailAnswer)
    def get(self, request: Request, import_id: UUID) -> Response:
        """How far it is, and which rows were refused and why."""
        run = _get(self, import_id)
        problems = run.problems.order_by("row", "id")[:SHOWN_PROBLEMS]
        return Response(
            {
                **describe_import(run),
                "problems": [
                    {"row": p.row, "field": p.field, "value": p.value, "detail": p.detail}
                    for p in problems
                ],
            }
        )

    @extend_schema(operation_id="cancel_import", responses={204: None})
    def delete(self, request: Request, import_id: UUID) -> Response:
        """Stop it; what is imported stays."""
        run = _get(self, import_id)
        try:
            imports.cancel_import(tenant=self.tenant, import_id=run.id, now=timezone.now())
        except imports.WrongState as error:
            raise Problem("import-not-ready") from error
        return Response(status=204)


class ImportStartView(ApiView):
    scopes = {"POST": (Scope.CATALOGUE,)}

    @extend_schema(operation_id="start_import", request=None, responses={202: ImportAnswer})
    @once_per_idempotency_key
    def post(self, request: Request, import_id: UUID) -> Response:
        """Import what was checked: rows with problems are left out."""
        run = _get(self, import_id)
        try:
            run = imports.start_import(tenant=self.tenant, import_id=run.id)
        except imports.WrongState as error:
            raise Problem("import-not-ready") from error
        return Response(describe_import(run), status=202)


class CsvExportView(ApiView):
    scopes = {"GET": (Scope.CATALOGUE,)}

    @extend_schema(operation_id="export_csv", responses={(200, "text/csv"): OpenApiResponse(bytes)})
    def get(self, request: Request) -> HttpResponseBase:
        """The whole catalogue, sent while it is read; importing it again changes nothing."""
        return exports.send(request._request, tenant=self.tenant, name="csv")


class NdjsonExportView(ApiView):
    scopes = {"GET": (Scope.CATALOGUE,)}

    @extend_schema(
        operation_id="export_ndjson",
        responses={(200, "application/x-ndjson"): OpenApiResponse(bytes)},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """The whole catalogue, a product a line, sent while it is read."""
        return exports.send(request._request, tenant=self.tenant, name="ndjson")


class CocoExportView(ApiView):
    scopes = {"GET": (Scope.CATALOGUE,)}

    @extend_schema(
        operation_id="export_coco",
        responses={(200, "application/json"): OpenApiResponse(OpenApiTypes.OBJECT)},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Photos and boxes for training: COCO detection."""
        return exports.send(request._request, tenant=self.tenant, name="coco")


def _get(view: ApiView, import_id: UUID) -> CatalogueImport:
    run = CatalogueImport.objects.for_tenant(view.tenant).filter(id=import_id).first()
    if run is None:
        raise Problem("not-found")
    return run
