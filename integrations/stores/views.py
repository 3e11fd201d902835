"""The page of one store: what is written, how far it is, and whether all is well."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts.http import TenantRequest
from integrations.stores import addresses, selectors, services, words
from integrations.stores.forms import KeysForm, SettingsForm
from integrations.stores.models import Store, StoreRun
from integrations.stores.page_tools import developers_only, get_store, one_transaction

RUN_STATES = {"pause": "paused", "resume": "running", "stop": "cancelled"}


@developers_only
@require_safe
@one_transaction
def show_store(request: TenantRequest, store_id: UUID) -> HttpResponse:
    if selectors.was_disconnected(tenant=request.tenant, store_id=store_id):
        return _go_on(request)
    store = get_store(request, store_id)
    if store.is_leaving:
        return render(request, "integrations/stores/leaving.html", {"store": store})
    if store.state == Store.State.CONNECTING:
        context = {
            "store": store,
            "form": KeysForm(),
            "is_reachable": selectors.is_reachable(),
            "is_testing": selectors.is_testing(store),
        }
        return render(request, "integrations/stores/connect.html", context)
    return _render_store(request, store)


@developers_only
@require_safe
@one_transaction
def show_store_progress(request: TenantRequest, store_id: UUID) -> HttpResponse:
    """The part of the page that lives."""
    store = get_store(request, store_id)
    return render(request, "integrations/stores/_progress.html", _build_progress(store))


@developers_only
@require_POST
@one_transaction
def change_store(request: TenantRequest, store_id: UUID) -> HttpResponse:
    store = get_store(request, store_id)
    form = SettingsForm(request.POST, instance=store)
    if not form.is_valid():
        store.refresh_from_db()
        return _render_store(request, store, form=form, status=422)
    services.change_settings(
        tenant=request.tenant,
        by=request.membership,
        store_id=store_id,
        values=form.cleaned_data,
    )
    messages.success(request, _("Saved. It holds for what is written from now on."))
    return redirect("store", store_id)


@developers_only
@require_POST
@one_transaction
def pause_store(request: TenantRequest, store_id: UUID) -> HttpResponse:
    services.pause(tenant=request.tenant, by=request.membership, store_id=store_id)
    messages.success(request, _("Switched off. What the store tells is kept for later."))
    return redirect("store", store_id)


@developers_only
@require_POST
@one_transaction
def resume_store(request: TenantRequest, store_id: UUID) -> HttpResponse:
    services.resume(
        tenant=request.tenant, by=request.membership, store_id=store_id, now=timezone.now()
    )
    messages.success(request, _("Switched on. Kalas asks the store what it missed."))
    return redirect("store", store_id)


@developers_only
@require_POST
@one_transaction
def poll_store(request: TenantRequest, store_id: UUID) -> HttpResponse:
    try:
        services.poll_now(
            tenant=request.tenant, by=request.membership, store_id=store_id, now=timezone.now()
        )
    except services.NotConnected:
        messages.error(request, _("Connect the store first."))
    else:
        messages.success(request, _("Kalas asks the store what changed."))
    return redirect("store", store_id)


@developers_only
@require_POST
@one_transaction
def disconnect_store(request: TenantRequest, store_id: UUID) -> HttpResponse:
    store = services.disconnect(
        tenant=request.tenant, by=request.membership, store_id=store_id, now=timezone.now()
    )
    if store.is_leaving:
        return redirect("store", store_id)
    messages.success(request, _("Disconnected. Products and photos stay in the catalogue."))
    return redirect("integrations")


@developers_only
@require_POST
@one_transaction
def start_store_run(request: TenantRequest, store_id: UUID) -> HttpResponse:
    preview = request.POST.get("kind") != "write"
    try:
        services.start_run(
            tenant=request.tenant,
            by=request.membership,
            store_id=store_id,
            preview=preview,
            now=timezone.now(),
        )
    except services.NotConnected:
        messages.error(request, _("Connect the store first."))
    except services.RunGoesOn:
        messages.error(request, _("The last run is not done yet."))
    return redirect("store", store_id)


@developers_only
@require_POST
@one_transaction
def change_store_run(request: TenantRequest, store_id: UUID) -> HttpResponse:
    state = RUN_STATES.get(request.POST.get("do", ""))
    if state is not None:
        services.set_run_state(
            tenant=request.tenant,
            by=request.membership,
            store_id=store_id,
            state=StoreRun.State(state),
            now=timezone.now(),
        )
    else:
        get_store(request, store_id)
    return redirect("store", store_id)


@developers_only
@require_POST
@one_transaction
def write_store_suggestions(request: TenantRequest, store_id: UUID) -> HttpResponse:
    number = services.write_suggestions(
        tenant=request.tenant, by=request.membership, store_id=store_id, now=timezone.now()
    )
    text = ngettext("%d product is being written.", "%d products are being written.", number)
    messages.success(request, text % number)
    return redirect("store", store_id)


@developers_only
@require_POST
@one_transaction
def undo_store(request: TenantRequest, store_id: UUID) -> HttpResponse:
    """Everything, or what one run wrote."""
    run_id = request.POST.get("run", "")
    number = services.undo(
        tenant=request.tenant,
        by=request.membership,
        store_id=store_id,
        run_id=_read_id(run_id),
        now=timezone.now(),
    )
    text = ngettext("%d change is being undone.", "%d changes are being undone.", number)
    messages.success(request, text % number)
    return redirect("store_changes", store_id)


@developers_only
@require_safe
@one_transaction
def show_store_words(request: TenantRequest, store_id: UUID) -> HttpResponse:
    store = get_store(request, store_id)
    context = {
        "store": store,
        "groups": selectors.list_words(store=store, language=get_language() or "en"),
        "categories": selectors.list_category_names(store),
    }
    return render(request, "integrations/stores/words.html", context)


@developers_only
@require_POST
@one_transaction
def change_store_words(request: TenantRequest, store_id: UUID) -> HttpResponse:
    """What is as Kalas would say it is nobody's own word; an emptied field leaves the label out."""
    store = get_store(request, store_id)
    usual = words.Dictionary(language=store.language, own={})
    wanted: dict[str, str | None] = {}
    for labels in words.list_labels().values():
        for label in labels:
            word = request.POST.get(label)
            if word is not None:
                word = " ".join(word.split())[:200]
                wanted[label] = None if word == usual.suggest(label) else word
    services.change_words(
        tenant=request.tenant, by=request.membership, store_id=store_id, words=wanted
    )
    messages.success(request, _("Saved. It holds for what is written from now on."))
    return redirect("store_words", store_id)


def _render_store(
    request: TenantRequest, store: Store, *, form: SettingsForm | None = None, status: int = 200
) -> HttpResponse:
    recent = list(selectors.list_changes(store=store)[: selectors.RECENT])
    context = {
        **_build_progress(store),
        "form": form or SettingsForm(instance=store),
        "changes": selectors.show_changes(recent),
        "problems": selectors.list_problems(store=store)[:5],
        "hook_url": addresses.build_hook_url(store),
        "is_reachable": selectors.is_reachable(),
        "is_ping_missing": selectors.is_ping_missing(store, now=timezone.now()),
    }
    return render(request, "integrations/stores/store.html", context, status=status)


def _build_progress(store: Store) -> dict[str, Any]:
    run, progress = selectors.find_run(store=store)
    counts = selectors.count_states(store=store)
    is_moving = bool(counts["waiting"] or counts["annotating"]) or bool(run and run.is_open)
    return {
        "store": store,
        "run": run,
        "progress": progress,
        "counts": counts,
        "in_store": sum(number for state, number in counts.items() if state != "gone"),
        "is_moving": is_moving and store.is_active,
    }


def _read_id(text: str) -> UUID | None:
    """Of a run; another text is that of none."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return UUID(int=0)


def _go_on(request: TenantRequest) -> HttpResponse:
    """From the page of a store that is disconnected by now."""
    messages.success(request, _("Disconnected. Products and photos stay in the catalogue."))
    if "HX-Request" in request.headers:
        return HttpResponseClientRedirect(reverse("integrations"))
    return redirect("integrations")
