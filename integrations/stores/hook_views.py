"""The addresses that stores call. Nothing here knows a session; a signature says who speaks."""

import logging
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from integrations.stores import connecting, receiving
from integrations.stores.failures import StoreFailed
from integrations.stores.models import Platform, Store

logger = logging.getLogger(__name__)

PROBLEM = "application/problem+json"


@csrf_exempt
@require_POST
def receive(request: HttpRequest, store_id: UUID) -> HttpResponse:
    """Signature, one row, an answer: whatever is to be done comes later.

    Exactly 200 for what was taken; the store's ping is content with nothing else.
    """
    try:
        body = request.body
    except RequestDataTooBig:
        return _refuse(413, "The message is too large.")
    store = Store.objects.listed().select_related("tenant").filter(id=store_id).first()
    if store is None:
        return _refuse(404, "There is no such store.")
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        receiving.receive(store=store, headers=headers, body=body, now=timezone.now())
    except receiving.BadSignature:
        return _refuse(401, "The signature is missing or wrong.")
    except StoreFailed:
        return _refuse(503, "The store's secret can't be read here.")
    return JsonResponse({})


@csrf_exempt
@require_POST
def take_keys(request: HttpRequest) -> HttpResponse:
    """Keys that a WooCommerce store hands over. It may do so twice, and takes only 200 for yes."""
    try:
        body = request.body
    except RequestDataTooBig:
        return _refuse(413, "The message is too large.")
    if connecting.take_handed_keys(body=body, now=timezone.now()) is None:
        logger.info("Keys were handed over for a value that is unknown, old or used")
    return JsonResponse({})


@csrf_exempt
@require_POST
def take_compliance(request: HttpRequest) -> HttpResponse:
    """Shopify's three compliance topics come to one address of the app, for all of its stores."""
    try:
        body = request.body
    except RequestDataTooBig:
        return _refuse(413, "The message is too large.")
    headers = {name.lower(): value for name, value in request.headers.items()}
    url = f"https://{headers.get('x-shopify-shop-domain', '')}"
    for store in Store.objects.listed().filter(platform=Platform.SHOPIFY, url=url):
        try:
            receiving.receive(store=store, headers=headers, body=body, now=timezone.now())
        except (receiving.BadSignature, StoreFailed):
            continue
        return JsonResponse({})
    return _refuse(401, "The signature is missing or wrong.")


@require_safe
def take_approval(request: HttpRequest) -> HttpResponse:
    """Where Shopify sends a merchant who has approved; signed, so that no session is needed."""
    query = request.META.get("QUERY_STRING", "")
    store = connecting.take_shopify_approval(query=query, now=timezone.now())
    return redirect("store", store.id) if store is not None else redirect("integrations")


def _refuse(status: int, title: str) -> HttpResponse:
    return JsonResponse(
        {"type": "about:blank", "title": title, "status": status},
        status=status,
        content_type=PROBLEM,
    )
