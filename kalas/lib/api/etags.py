import hashlib
from typing import Any

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from kalas.lib.api.problems import Problem

# Shared caches never; the client's own asks each time whether it is still so.
PRIVATE = "private, no-cache"

IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of what was looked at, got without `fields`: 412 if it is another by now."
    " `*`: whatever it is.",
)


def answer_with_etag(request: Request, data: Any) -> HttpResponse:
    """The JSON with the hash of its bytes as ETag, or 304 for who has it already."""
    body = JSONRenderer().render(data)
    return answer_rendered(request, body, build_etag(body))


def etag_of(data: Any) -> str:
    """As `answer_with_etag` sends it."""
    return build_etag(JSONRenderer().render(data))


def has_match(request: Request) -> bool:
    return "If-Match" in request.headers


def check_match(request: Request, data: Any) -> None:
    """Raises Problem where `If-Match` names others than this, what a GET answers; the caller has
    locked what it is about."""
    wanted = parse_etags(request.headers["If-Match"])
    if wanted != ["*"] and etag_of(data) not in wanted:
        raise Problem("precondition-failed")


def answer_rendered(request: Request, body: bytes, etag: str) -> HttpResponse:
    response = HttpResponse(body, content_type="application/json")
    response["ETag"] = etag
    response["Cache-Control"] = PRIVATE
    return find_unchanged(request, etag, response) or response


def build_etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def find_unchanged(
    request: Request, etag: str, response: HttpResponse | None = None
) -> HttpResponse | None:
    """304 for who has it already; without a response None for who has not."""
    found = get_conditional_response(request._request, etag=etag, response=response)
    return found if isinstance(found, HttpResponse) else None
