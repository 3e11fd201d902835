"""The catalogue as a file, sent while it is written."""

from collections.abc import Callable, Iterator

from django.http import HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_safe

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from accounts.models import Tenant
from kalas.lib.streams import stream
from retrieval import exporting

Write = Callable[..., Iterator[bytes]]
# Name in addresses → what writes it, the file's ending and its type.
FORMATS: dict[str, tuple[Write, str, str]] = {
    "csv": (exporting.write_csv, "csv", "text/csv; charset=utf-8"),
    "ndjson": (exporting.write_ndjson, "ndjson", "application/x-ndjson"),
    "coco": (exporting.write_coco, "coco.json", "application/json"),
}


@require_safe
@tenant_required
def export_csv(request: TenantRequest) -> StreamingHttpResponse:
    return send(request, tenant=request.tenant, name="csv")


@require_safe
@tenant_required
def export_ndjson(request: TenantRequest) -> StreamingHttpResponse:
    return send(request, tenant=request.tenant, name="ndjson")


@require_safe
@tenant_required
def export_coco(request: TenantRequest) -> StreamingHttpResponse:
    return send(request, tenant=request.tenant, name="coco")


def send(request: HttpRequest, *, tenant: Tenant, name: str) -> StreamingHttpResponse:
    """The shop's catalogue in one of `FORMATS`."""
    write, ending, content_type = FORMATS[name]
    return stream(
        request,
        write(tenant=tenant),
        tenant_id=tenant.id,
        name="catalogue",
        ending=ending,
        content_type=content_type,
    )
