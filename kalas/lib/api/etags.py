import hashlib
from typing import Any

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

# Shared caches never; the client's own asks each time whether it is still so.
PRIVATE = "private, no-cache"


def answer_with_etag(request: Request, data: Any) -> HttpResponse:
    """The JSON with the hash of its bytes as ETag, or 304 for who has it already."""
    body = JSONRenderer().render(data)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    response = HttpResponse(body, content_type="application/json")
    response["ETag"] = etag
    response["Cache-Control"] = PRIVATE
    conditional = get_conditional_response(request._request, etag=etag, response=response)
    return conditional if isinstance(conditional, HttpResponse) else response
