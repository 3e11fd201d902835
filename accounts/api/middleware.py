"""The short way of requests with a key, and which web pages may read the answers."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from corsheaders.signals import check_request_enabled
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils import timezone, translation

from accounts.models import LONGEST_ORIGIN, ApiKey
from kalas.lib import after_answer
from kalas.lib.api import problems

PREFIX = "/api/"


class KeyRequestMiddleware:
    """Answers requests with a key before sessions, cookies, CSRF and pages' languages are looked
    at: a key needs none of it, and it is most of what a small request costs.

    Stands behind what concerns every answer (security headers, CORS).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX) or "Authorization" not in request.headers:
            return self.get_response(request)
        match = _find(request.path_info)
        if match is None:
            return problems.answer("not-found")
        request.resolver_match = match
        # The thread may still speak the language of another request's page.
        with translation.override("en"), after_answer.collect() as later:
            response: HttpResponse = match.func(request, *match.args, **match.kwargs)
            render = getattr(response, "render", None)
            response = render() if callable(render) else response
        after_answer.attach(later, response)
        return response


def _find(path: str) -> ResolverMatch | None:
    """With and without the slash at its end: a program can't see which it is, and a redirect
    would lose what it posts."""
    for each in (path, path.removesuffix("/") if path.endswith("/") else f"{path}/"):
        with suppress(Resolver404):
            return resolve(each)
    return None


@receiver(check_request_enabled)
def allow_listed_origin(sender: object, request: HttpRequest, **_: Any) -> bool:
    """A browser asks first without the key, so any usable key's list counts; the key's own list is
    compared when it comes (see authentication). One query for requests of other origins."""
    origin = request.headers.get("Origin", "")
    if not request.path_info.startswith(PREFIX) or not origin:
        return False
    if not origin.isascii() or "\0" in origin or len(origin) > LONGEST_ORIGIN:
        return False
    listed = ApiKey.objects.usable(now=timezone.now()).filter(
        kind=ApiKey.Kind.PUBLISHABLE, origins__contains=[origin]
    )
    return listed.exists()
