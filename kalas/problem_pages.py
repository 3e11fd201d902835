"""A page for each type of problem that the API answers with, and the API's answers to what never
reached one of its views."""

from django.core.exceptions import DisallowedHost
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views import defaults
from django.views.decorators.http import require_safe

from kalas.lib.api import problems

API = "/api/"


@require_safe
def list_problems(request: HttpRequest) -> HttpResponse:
    return render(request, "kalas/problems.html", {"types": problems.TYPES.values()})


@require_safe
def show_problem(request: HttpRequest, name: str) -> HttpResponse:
    if name not in problems.TYPES:
        raise Http404
    return render(request, "kalas/problem.html", {"type": problems.TYPES[name]})


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
