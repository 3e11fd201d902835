"""The catalogue as a file, sent while it is written."""

from collections.abc import AsyncIterator, Callable, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from retrieval import exporting


@require_safe
@tenant_required
def export_csv(request: TenantRequest) -> StreamingHttpResponse:
    return _send(request, exporting.write_csv, "csv", "text/csv; charset=utf-8")


@require_safe
@tenant_required
def export_ndjson(request: TenantRequest) -> StreamingHttpResponse:
    return _send(request, exporting.write_ndjson, "ndjson", "application/x-ndjson")


@require_safe
@tenant_required
def export_coco(request: TenantRequest) -> StreamingHttpResponse:
    return _send(request, exporting.write_coco, "coco.json", "application/json")


def _send(
    request: TenantRequest, write: Callable[..., Iterator[bytes]], ending: str, content_type: str
) -> StreamingHttpResponse:
    pieces = write(tenant=request.tenant)
    # Each kind of server would gather the other's iterator in memory before it sends.
    response = StreamingHttpResponse(
        _ask_in_thread(pieces) if isinstance(request, ASGIRequest) else pieces,
        content_type=content_type,
    )
    name = f"catalogue-{timezone.localdate():%Y-%m-%d}.{ending}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


async def _ask_in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    ask: Callable[[], object] = sync_to_async(lambda: next(pieces, None))
    while (piece := await ask()) is not None:  # type: ignore[misc]
        yield piece
