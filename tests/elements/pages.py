"""A page of its own for an element, under the house's strict policy."""

from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from playwright.sync_api import Page, Route

ORIGIN = "http://127.0.0.1:1"
_POLICY = "default-src 'self'; img-src 'self' data:"


def serve_static(route: Route) -> None:
    found = finders.find(
        route.request.url.removeprefix(f"{ORIGIN}/{settings.STATIC_URL.lstrip('/')}")
    )
    route.fulfill(path=Path(str(found)))


def show(page: Page, body: str, *modules: str) -> None:
    scripts = "".join(
        f'<script type="module" src="/static/js/{name}.js"></script>' for name in modules
    )
    styles = "".join(
        f'<link rel="stylesheet" href="/static/css/{name}.css">'
        for name in ("tokens", "base", "components", "photos")
    )
    html = (
        '<!doctype html><meta name="htmx-config" content=\'{"includeIndicatorStyles":false}\'>'
        f'<link rel="icon" href="data:,">{styles}'
        f'<script src="/static/django_htmx/htmx-2.min.js" defer></script>{scripts}{body}'
    )
    headers = {"Content-Security-Policy": _POLICY}
    page.route(
        f"{ORIGIN}/",
        lambda route: route.fulfill(body=html, content_type="text/html", headers=headers),
    )
    page.goto(f"{ORIGIN}/")
