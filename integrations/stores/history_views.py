"""What was written and what the store told: to look at, to undo, to do again."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.http import TenantRequest
from integrations.stores import receiving, selectors, services
from integrations.stores.models import StoreDelivery, WriteBack
from integrations.stores.page_tools import developers_only, get_store, one_transaction

PAGE = 25


@developers_only
@require_safe
@one_transaction
def show_store_changes(request: TenantRequest, store_id: UUID) -> HttpResponse:
    store = get_store(request, store_id)
    state = request.GET.get("state", "")
    state = state if state in WriteBack.State.values else ""
    page = Paginator(selectors.list_changes(store=store, state=state), PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "store": store,
        "page_obj": page,
        "changes": selectors.show_changes(list(page.object_list)),
        "state": state,
        "states": [each for each in WriteBack.State if each not in ("due", "reverting")],
    }
    return render(request, "integrations/stores/changes.html", context)


@developers_only
@require_safe
@one_transaction
def show_store_change(request: TenantRequest, write_back_id: UUID) -> HttpResponse:
    write_back = selectors.get_change(tenant=request.tenant, write_back_id=write_back_id)
    (shown,) = selectors.show_changes([write_back])
    context = {"store": write_back.store, "change": shown, "write_back": write_back}
    return render(request, "integrations/stores/change.html", context)


@developers_only
@require_POST
@one_transaction
def undo_store_change(request: TenantRequest, write_back_id: UUID) -> HttpResponse:
    write_back = selectors.get_change(tenant=request.tenant, write_back_id=write_back_id)
    undone = services.undo(
        tenant=request.tenant,
        by=request.membership,
        store_id=write_back.store_id,
        ids=[write_back_id],
        now=timezone.now(),
    )
    if undone:
        messages.success(request, _("It is being undone. What people changed since stays."))
    else:
        messages.info(request, _("There is nothing to undo."))
    return redirect("store_change", write_back_id)


@developers_only
@require_POST
@one_transaction
def write_store_change(request: TenantRequest, write_back_id: UUID) -> HttpResponse:
    write_back = selectors.get_change(tenant=request.tenant, write_back_id=write_back_id)
    if write_back.state == WriteBack.State.REVERTED:
        services.read_again(
            tenant=request.tenant,
            by=request.membership,
            row_id=write_back.store_product_id,
            now=timezone.now(),
        )
    else:
        services.write_suggestions(
            tenant=request.tenant,
            by=request.membership,
            store_id=write_back.store_id,
            ids=[write_back_id],
            now=timezone.now(),
        )
    messages.success(request, _("It is being written."))
    return redirect("store_change", write_back_id)


@developers_only
@require_POST
@one_transaction
def dismiss_store_change(request: TenantRequest, write_back_id: UUID) -> HttpResponse:
    write_back = selectors.get_change(tenant=request.tenant, write_back_id=write_back_id)
    services.dismiss(
        tenant=request.tenant,
        by=request.membership,
        store_id=write_back.store_id,
        ids=[write_back_id],
    )
    messages.success(request, _("Dismissed. The product stays as it is."))
    return redirect("store_changes", write_back.store_id)


@developers_only
@require_safe
@one_transaction
def show_store_log(request: TenantRequest, store_id: UUID) -> HttpResponse:
    store = get_store(request, store_id)
    state = request.GET.get("state", "")
    state = state if state in StoreDelivery.State.values else ""
    rows = selectors.list_deliveries(store=store, state=state)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {
        "store": store,
        "page_obj": page,
        "state": state,
        "states": list(StoreDelivery.State),
    }
    return render(request, "integrations/stores/log.html", context)


@developers_only
@require_safe
@one_transaction
def show_store_delivery(request: TenantRequest, store_delivery_id: UUID) -> HttpResponse:
    delivery = selectors.get_delivery(tenant=request.tenant, delivery_id=store_delivery_id)
    context = {"store": delivery.store, "delivery": delivery}
    return render(request, "integrations/stores/delivery.html", context)


@developers_only
@require_POST
@one_transaction
def replay_store_delivery(request: TenantRequest, store_delivery_id: UUID) -> HttpResponse:
    receiving.replay(tenant=request.tenant, delivery_id=store_delivery_id, now=timezone.now())
    messages.success(request, _("The product is read again."))
    return redirect("store_delivery", store_delivery_id)


@developers_only
@require_POST
@one_transaction
def read_store_product(request: TenantRequest, row_id: int) -> HttpResponse:
    row = services.read_again(
        tenant=request.tenant, by=request.membership, row_id=row_id, now=timezone.now()
    )
    messages.success(request, _("The product is read again."))
    return redirect("store", row.store_id)
