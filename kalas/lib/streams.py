"""Files that are sent while they are written, by either kind of server."""

from collections.abc import AsyncIterator, Callable, Iterator
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from kalas.lib.shared_connections.base import lend_connection
from kalas.lib.tenant_rows import only_rows_of

PIECE_BYTES = 64 * 1024


def stream(
    request: HttpRequest,
    pieces: Iterator[bytes],
    *,
    tenant_id: UUID,
    name: str,
    ending: str,
    content_type: str,
) -> StreamingHttpResponse:
    """`pieces` are read behind the shop's wall, long after the view has returned."""
    gathered = _gather(pieces, tenant_id)
    # Each kind of server would gather the other's iterator in memory before it sends.
    response = StreamingHttpResponse(
        _ask_in_thread(gathered) if isinstance(request, ASGIRequest) else gathered,
        content_type=content_type,
    )
    file = f"{name}-{timezone.localdate():%Y-%m-%d}.{ending}"
    response["Content-Disposition"] = f'attachment; filename="{file}"'
    response["Cache-Control"] = "no-store"
    return response


def _gather(pieces: Iterator[bytes], tenant_id: UUID) -> Iterator[bytes]:
    """Holds no connection while one is sent: whoever reads slowly would keep it from all others."""
    ended = False
    while not ended:
        part = bytearray()
        with only_rows_of(tenant_id):
            while len(part) < PIECE_BYTES and not ended:
                piece = next(pieces, None)
                part += piece or b""
                ended = piece is None
            lend_connection()
        if part:
            yield bytes(part)


async def _ask_in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    ask: Callable[[], object] = sync_to_async(lambda: next(pieces, None))
    while (piece := await ask()) is not None:  # type: ignore[misc]
        yield piece
