"""A page for each type of problem that the API answers with, and the API's answers to what never
reached one of its views."""

import json
from typing import Any

from django.core.exceptions import DisallowedHost
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views import defaults
from django.views.decorators.http import require_safe

from kalas.api_docs import mark_code
from kalas.lib.api import problems

API = "/api/"
# What an answer of these types holds beside the members that all have.
EXAMPLES: dict[str, dict[str, Any]] = {
    "invalid-request": {
        "detail": "crop.left: A valid integer is required.",
        "errors": [
            {"field": "crop.left", "code": "invalid", "detail": "A valid integer is required."}
        ],
    },
    "missing-scope": {"needs": ["review"]},
    "photo-refused": {
        "detail": "The file is damaged or incomplete. Export or upload the photo again.",
        "reason": "damaged",
    },
    "image-url-failed": {
        "detail": "This host is not on the public internet, so it is not asked.",
        "reason": "private-address",
    },
    "engine-busy": {
        "annotation": "https://kalas.example.com/api/v1/annotations/"
        "0b1f6a52-6b6e-4f7e-8d1b-9f4f5d3c2a10/"
    },
    "version-required": {"version": 1},
    "reviewed-meanwhile": {"version": 1},
}


@require_safe
def list_problems(request: HttpRequest) -> HttpResponse:
    return render(request, "kalas/problems.html", {"types": problems.TYPES.values()})


@require_safe
def show_problem(request: HttpRequest, name: str) -> HttpResponse:
    if name not in problems.TYPES:
        raise Http404
    kind = problems.TYPES[name]
    answer = problems.build(kind, **EXAMPLES.get(name, {}))
    context = {
        "type": kind,
        "advice": mark_code(kind.advice),
        "answer": json.dumps(answer, indent=2, ensure_ascii=False),
    }
    return render(request, "kalas/problem.html", context)


def answer_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path_info.startswith(API):
        return problems.answer("not-found")
    return defaults.page_not_found(request, exception)


def answer_bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path_info.startswith(API):
        is_host = isinstance(exception, DisallowedHost)
        return problems.answer("unknown-host" if is_host else "malformed-body")
    return defaults.bad_request(request, exception)


def answer_error(request: HttpRequest) -> HttpResponseBase:
    if request.path_info.startswith(API):
        return problems.answer("server-error")
    return defaults.server_error(request)
