"""Imports: upload, say what the columns mean, look at what would change, import."""

import csv
from io import StringIO
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from kalas.lib.formulas import escape_formula
from retrieval.importing.columns import FIELDS
from retrieval.models import CatalogueImport, ProductImage
from retrieval.services import imports

RECENT = 20
SHOWN_PROBLEMS = 100


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def show_imports(request: TenantRequest) -> HttpResponse:
    """The upload form and the last imports."""
    error = ""
    if request.method == "POST":
        upload = request.FILES.get("file")
        try:
            if upload is None:
                raise imports.ImportRefused(_("No file arrived. Choose the file again."))
            run = imports.begin_import(
                tenant=request.tenant,
                upload=upload,
                requested_by=request.user,
                now=timezone.now(),
            )
        except imports.ImportRefused as refused:
            error = str(refused)
        else:
            return redirect("catalogue_import", run.id)
    recent = CatalogueImport.objects.for_tenant(request.tenant).order_by("-created_at", "id")
    context = {
        "imports": recent[:RECENT],
        "error": error,
        "max_bytes": settings.REQUEST_MAX_BYTES,
    }
    return render(request, "retrieval/imports.html", context, status=422 if error else 200)


@require_safe
@tenant_required
def show_import(request: TenantRequest, import_id: UUID) -> HttpResponse:
    return _render_import(request, _get_import(request, import_id))


@require_safe
@tenant_required
def show_import_progress(request: TenantRequest, import_id: UUID) -> HttpResponse:
    """A fragment while it works; then the whole page has something new to show."""
    run = _get_import(request, import_id)
    response = render(request, "retrieval/_import_progress.html", _describe(run))
    if not run.is_working:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@tenant_required
def check_import(request: TenantRequest, import_id: UUID) -> HttpResponse:
    run = _get_import(request, import_id)
    mapping = [request.POST.get(f"column-{i}", "") for i in range(len(run.columns))]
    currency = request.POST.get("currency", "").strip().upper()
    try:
        if currency and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
            raise imports.ImportRefused(
                _("Write the currency with three letters, such as TRY or EUR.")
            )
        imports.check_import(
            tenant=request.tenant, import_id=run.id, mapping=mapping, currency=currency
        )
    except imports.ImportRefused as refused:
        run.mapping, run.currency = mapping, currency[:3]
        return _render_import(request, run, error=str(refused), mapping=True)
    except imports.WrongState:
        messages.info(request, _("This import is further on already."))
    return redirect("catalogue_import", run.id)


@require_POST
@tenant_required
def start_import(request: TenantRequest, import_id: UUID) -> HttpResponse:
    run = _get_import(request, import_id)
    try:
        imports.start_import(tenant=request.tenant, import_id=run.id)
    except imports.WrongState:
        messages.info(request, _("This import is further on already."))
    return redirect("catalogue_import", run.id)


@require_POST
@tenant_required
def cancel_import(request: TenantRequest, import_id: UUID) -> HttpResponse:
    run = _get_import(request, import_id)
    try:
        imports.cancel_import(tenant=request.tenant, import_id=run.id, now=timezone.now())
    except imports.WrongState:
        messages.info(request, _("This import is further on already."))
    return redirect("catalogue_import", run.id)


@require_safe
@tenant_required
def download_problems(request: TenantRequest, import_id: UUID) -> HttpResponse:
    """All that are kept, as CSV: row, field, value, what to do."""
    run = _get_import(request, import_id)
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow([_("row"), _("field"), _("value"), _("what to do")])
    for problem in run.problems.order_by("row", "id"):
        title = str(FIELDS.get(problem.field, problem.field))
        cells = (str(problem.row or ""), title, problem.value, problem.detail)
        writer.writerow([escape_formula(cell) for cell in cells])
    response = HttpResponse("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="problems.csv"'
    return response


def _get_import(request: TenantRequest, import_id: UUID) -> CatalogueImport:
    """Raises Http404, also for another shop's."""
    runs = CatalogueImport.objects.for_tenant(request.tenant)
    try:
        return runs.get(id=import_id)
    except CatalogueImport.DoesNotExist as error:
        raise Http404 from error


def _render_import(
    request: TenantRequest, run: CatalogueImport, *, error: str = "", mapping: bool = False
) -> HttpResponse:
    states = CatalogueImport.State
    may_map = run.state == states.MAPPING or (
        run.state == states.CHECKED and bool(run.columns) and (mapping or "columns" in request.GET)
    )
    context = {
        **_describe(run),
        "error": error,
        "maps": may_map,
        "fields": list(FIELDS.items()),
        "columns": [
            {"name": column["name"], "samples": column["samples"], "field": field}
            for column, field in zip(run.columns, run.mapping, strict=False)
        ],
        "problems": [
            {"problem": problem, "title": FIELDS.get(problem.field, problem.field)}
            for problem in run.problems.order_by("row", "id")[:SHOWN_PROBLEMS]
        ],
        "problem_count": run.problems.count(),
    }
    return render(request, "retrieval/import.html", context, status=422 if error else 200)


def _describe(run: CatalogueImport) -> dict[str, object]:
    """Two queries."""
    waiting = run.photos.filter(source__startswith="http")
    return {
        "run": run,
        "fetched": waiting.exclude(state=ProductImage.State.WAITING).count(),
        "to_fetch": waiting.count(),
    }
