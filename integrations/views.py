"""Webhooks on the developers' pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import ObjectDoesNotExist
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import role_required
from accounts.http import TenantRequest
from accounts.models import DEVELOPERS
from accounts.services import NotAllowed
from integrations import endpoints, selectors
from integrations.forms import EndpointForm
from integrations.models import WebhookEndpoint

P = ParamSpec("P")
PAGE = 25
developers_only = role_required(*DEVELOPERS)


def one_transaction(
    view: Callable[Concatenate[TenantRequest, P], HttpResponseBase],
) -> Callable[Concatenate[TenantRequest, P], HttpResponseBase]:
    """The view is one transaction; what is missing is a 404."""

    @wraps(view)
    def answer(request: TenantRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            with transaction.atomic():
                return view(request, *args, **kwargs)
        except ObjectDoesNotExist as error:
            raise Http404 from error
        except NotAllowed as error:
            raise PermissionDenied from error

    return answer


@developers_only
@require_safe
@one_transaction
def show_webhooks(request: TenantRequest) -> HttpResponse:
    return _render_list(request, EndpointForm())


@developers_only
@require_POST
@never_cache
@one_transaction
def create_webhook(request: TenantRequest) -> HttpResponse:
    """The page that comes back is the only one that ever shows the secret."""
    form = EndpointForm(request.POST)
    if not form.is_valid():
        return _render_list(request, form, status=422)
    try:
        endpoint, secret = endpoints.create_endpoint(
            tenant=request.tenant, by=request.membership, now=timezone.now(), **form.cleaned_data
        )
    except endpoints.TooManyEndpoints:
        form.add_error(None, _("This shop has many endpoints. Delete those that nobody uses."))
        return _render_list(request, form, status=422)
    return _render_endpoint(request, endpoint, secret=secret, status=201)


@developers_only
@require_safe
@one_transaction
def show_webhook(request: TenantRequest, endpoint_id: UUID) -> HttpResponse:
    return _render_endpoint(request, _get(request, endpoint_id))


@developers_only
@require_safe
@one_transaction
def show_webhook_log(request: TenantRequest, endpoint_id: UUID) -> HttpResponse:
    """The part of the page that lives."""
    context = _build_log(request, _get(request, endpoint_id))
    return render(request, "integrations/_webhook_log.html", context)


@developers_only
@require_POST
@one_transaction
def change_webhook(request: TenantRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = _get(request, endpoint_id)
    form = EndpointForm(request.POST)
    if not form.is_valid():
        return _render_endpoint(request, endpoint, form=form, status=422)
    endpoints.change_endpoint(
        tenant=request.tenant,
        by=request.membership,
        endpoint_id=endpoint_id,
        **form.cleaned_data,
    )
    messages.success(request, _("Saved."))
    return redirect("webhook", endpoint_id)


@developers_only
@require_POST
@never_cache
@one_transaction
def rotate_webhook_secret(request: TenantRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint, secret = endpoints.rotate_secret(
        tenant=request.tenant,
        by=request.membership,
        endpoint_id=endpoint_id,
        now=timezone.now(),
    )
    return _render_endpoint(request, endpoint, secret=secret, status=201)


@developers_only
@require_POST
@one_transaction
def switch_webhook_on(request: TenantRequest, endpoint_id: UUID) -> HttpResponse:
    endpoints.switch_on(
        tenant=request.tenant,
        by=request.membership,
        endpoint_id=endpoint_id,
        now=timezone.now(),
    )
    messages.success(request, _("Switched on. What was held back is sent now."))
    return redirect("webhook", endpoint_id)


@developers_only
@require_POST
@one_transaction
def switch_webhook_off(request: TenantRequest, endpoint_id: UUID) -> HttpResponse:
    endpoints.switch_off(tenant=request.tenant, by=request.membership, endpoint_id=endpoint_id)
    messages.success(request, _("Switched off."))
    return redirect("webhook", endpoint_id)


@developers_only
@require_POST
@one_transaction
def delete_webhook(request: TenantRequest, endpoint_id: UUID) -> HttpResponse:
    endpoints.delete_endpoint(tenant=request.tenant, by=request.membership, endpoint_id=endpoint_id)
    messages.success(request, _("The endpoint and its log are deleted."))
    return redirect("webhooks")


@developers_only
@require_POST
@one_transaction
def test_webhook(request: TenantRequest, endpoint_id: UUID) -> HttpResponse:
    endpoints.send_test(
        tenant=request.tenant,
        by=request.membership,
        endpoint_id=endpoint_id,
        now=timezone.now(),
    )
    messages.success(request, _("A test is on its way. The log shows what comes back."))
    return redirect("webhook", endpoint_id)


@developers_only
@require_safe
@one_transaction
def show_webhook_delivery(request: TenantRequest, delivery_id: UUID) -> HttpResponse:
    delivery = selectors.get_delivery(tenant=request.tenant, delivery_id=delivery_id)
    context = {
        "delivery": delivery,
        "endpoint": delivery.endpoint,
        "attempts": selectors.list_attempts(delivery=delivery),
    }
    return render(request, "integrations/webhook_delivery.html", context)


@developers_only
@require_POST
@one_transaction
def send_webhook_again(request: TenantRequest, delivery_id: UUID) -> HttpResponse:
    try:
        endpoints.send_again(
            tenant=request.tenant,
            by=request.membership,
            delivery_id=delivery_id,
            now=timezone.now(),
        )
    except endpoints.NotActive:
        messages.error(request, _("Switch the endpoint on first."))
    else:
        messages.success(request, _("The message is sent again, with the same id."))
    return redirect("webhook_delivery", delivery_id)


def _get(request: TenantRequest, endpoint_id: UUID) -> WebhookEndpoint:
    return selectors.get_endpoint(tenant=request.tenant, endpoint_id=endpoint_id)


def _render_list(request: TenantRequest, form: EndpointForm, *, status: int = 200) -> HttpResponse:
    context = {"endpoints": selectors.list_endpoints(tenant=request.tenant), "form": form}
    return render(request, "integrations/webhooks.html", context, status=status)


def _render_endpoint(
    request: TenantRequest,
    endpoint: WebhookEndpoint,
    *,
    form: EndpointForm | None = None,
    secret: str = "",
    status: int = 200,
) -> HttpResponse:
    values = {"url": endpoint.url, "name": endpoint.name, "events": endpoint.events}
    context = {
        **_build_log(request, endpoint),
        "form": form or EndpointForm(initial=values),
        "secret": secret,
        "overlap_until": endpoint.previous_secret_until,
    }
    return render(request, "integrations/webhook.html", context, status=status)


def _build_log(request: TenantRequest, endpoint: WebhookEndpoint) -> dict[str, Any]:
    deliveries = selectors.list_deliveries(tenant=request.tenant, endpoint=endpoint)
    page = Paginator(deliveries, PAGE).get_page(request.GET.get("page"))
    return {
        "endpoint": endpoint,
        "page_obj": page,
        "is_moving": any(delivery.is_waiting for delivery in page),
    }
