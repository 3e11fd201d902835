"""Files that are sent while they are written, by either kind of server."""

from collections.abc import AsyncIterator, Callable, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone


def stream(
    request: HttpRequest, pieces: Iterator[str], *, name: str, ending: str, content_type: str
) -> StreamingHttpResponse:
    # Each kind of server would gather the other's iterator in memory before it sends.
    response = StreamingHttpResponse(
        _ask_in_thread(pieces) if isinstance(request, ASGIRequest) else pieces,
        content_type=content_type,
    )
    file = f"{name}-{timezone.localdate():%Y-%m-%d}.{ending}"
    response["Content-Disposition"] = f'attachment; filename="{file}"'
    response["Cache-Control"] = "no-store"
    return response


async def _ask_in_thread(pieces: Iterator[str]) -> AsyncIterator[str]:
    ask: Callable[[], object] = sync_to_async(lambda: next(pieces, None))
    while (piece := await ask()) is not None:  # type: ignore[misc]
        yield str(piece)
