"""The catalogue as a file, sent while it is written."""

from collections.abc import AsyncIterator, Callable, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from accounts.models import Tenant
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
    pieces = write(tenant=tenant)
    # Each kind of server would gather the other's iterator in memory before it sends.
    response = StreamingHttpResponse(
        _ask_in_thread(pieces) if isinstance(request, ASGIRequest) else pieces,
        content_type=content_type,
    )
    file = f"catalogue-{timezone.localdate():%Y-%m-%d}.{ending}"
    response["Content-Disposition"] = f'attachment; filename="{file}"'
    response["Cache-Control"] = "no-store"
    return response


async def _ask_in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    ask: Callable[[], object] = sync_to_async(lambda: next(pieces, None))
    while (piece := await ask()) is not None:  # type: ignore[misc]
        yield piece
