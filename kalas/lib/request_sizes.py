from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from kalas.lib.api import problems

TEXT = "All files of a form together may have {} MB. Send them in several parts.\n"


class RequestSizeMiddleware:
    """Refuses what is too much before anybody reads it; behind every kind of server."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) <= settings.REQUEST_MAX_BYTES:
            return self.get_response(request)
        if request.path_info.startswith("/api/"):
            return problems.answer("too-large")
        text = TEXT.format(settings.REQUEST_MAX_BYTES // 1024**2)
        return HttpResponse(text, status=413, content_type="text/plain; charset=utf-8")
