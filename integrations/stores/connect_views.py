"""Connecting a store, in four steps at most."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.http import TenantRequest
from integrations.stores import addresses, connecting, selectors
from integrations.stores.forms import AddressForm, KeysForm, NameForm, ShopifyForm
from integrations.stores.models import Platform, Store
from integrations.stores.page_tools import developers_only, get_store, one_transaction


@developers_only
@require_safe
@one_transaction
def show_integrations(request: TenantRequest) -> HttpResponse:
    context = {"stores": selectors.list_stores(tenant=request.tenant)}
    return render(request, "integrations/stores/integrations.html", context)


@developers_only
@require_http_methods(["GET", "POST"])
@one_transaction
def add_woocommerce(request: TenantRequest) -> HttpResponse:
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            store = connecting.begin(
                tenant=request.tenant,
                by=request.membership,
                platform=Platform.WOOCOMMERCE,
                url=form.cleaned_data["url"],
                now=timezone.now(),
            )
        except connecting.AlreadyConnected as error:
            messages.info(request, _("This store is connected already."))
            return redirect("store", error.store.id)
        except connecting.TooManyStores:
            form.add_error(None, _("This shop has many stores. Disconnect those you don't need."))
        else:
            return redirect("store", store.id)
    status = 422 if form.is_bound else 200
    return render(
        request, "integrations/stores/add_woocommerce.html", {"form": form}, status=status
    )


@developers_only
@require_http_methods(["GET", "POST"])
@one_transaction
def add_shopify(request: TenantRequest) -> HttpResponse:
    form = ShopifyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            store = connecting.begin_shopify(
                tenant=request.tenant,
                by=request.membership,
                url=form.cleaned_data["domain"],
                client_id=form.cleaned_data["client_id"],
                secret=form.cleaned_data["secret"],
                now=timezone.now(),
            )
        except connecting.AlreadyConnected as error:
            messages.info(request, _("This store is connected already."))
            return redirect("store", error.store.id)
        except connecting.TooManyStores:
            form.add_error(None, _("This shop has many stores. Disconnect those you don't need."))
        else:
            if request.POST.get("how") == "approve":
                return redirect("store", store.id)
            connecting.test_keys(
                tenant=request.tenant,
                by=request.membership,
                store_id=store.id,
                now=timezone.now(),
            )
            return redirect("store", store.id)
    page, status = "integrations/stores/add_shopify.html", 422 if form.is_bound else 200
    context = {"form": form, "is_reachable": selectors.is_reachable()}
    return render(request, page, context, status=status)


@developers_only
@require_http_methods(["GET", "POST"])
@never_cache
@one_transaction
def add_custom(request: TenantRequest) -> HttpResponse:
    """The page that comes back is the only one that ever shows the secret."""
    form = NameForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            store, secret = connecting.add_custom(
                tenant=request.tenant,
                by=request.membership,
                name=form.cleaned_data["name"],
                now=timezone.now(),
            )
        except connecting.TooManyStores:
            form.add_error(None, _("This shop has many stores. Disconnect those you don't need."))
        else:
            return _render_secret(request, store, secret)
    page, status = "integrations/stores/add_custom.html", 422 if form.is_bound else 200
    return render(request, page, {"form": form}, status=status)


@developers_only
@require_POST
@never_cache
@one_transaction
def replace_store_secret(request: TenantRequest, store_id: UUID) -> HttpResponse:
    store, secret = connecting.replace_secret(
        tenant=request.tenant, by=request.membership, store_id=store_id
    )
    return _render_secret(request, store, secret)


@developers_only
@require_safe
@never_cache
@one_transaction
def approve_store(request: TenantRequest, store_id: UUID) -> HttpResponse:
    """To the store's own page, where its owner lets Kalas in. A link, not a form: the pages' policy
    lets forms lead nowhere else."""
    store = get_store(request, store_id)
    build = {
        Platform.WOOCOMMERCE.value: connecting.build_approval_address,
        Platform.SHOPIFY.value: connecting.build_shopify_approval_address,
    }.get(store.platform)
    if build is None:
        return redirect("store", store.id)
    return redirect(build(store=store, by=request.membership, now=timezone.now()))


@developers_only
@require_POST
@one_transaction
def take_store_keys(request: TenantRequest, store_id: UUID) -> HttpResponse:
    store = get_store(request, store_id)
    form = KeysForm(request.POST)
    if not form.is_valid():
        context = {"store": store, "form": form, "is_reachable": selectors.is_reachable()}
        return render(request, "integrations/stores/connect.html", context, status=422)
    connecting.take_keys(
        tenant=request.tenant,
        by=request.membership,
        store_id=store_id,
        values={"key": form.cleaned_data["key"], "secret": form.cleaned_data["secret"]},
        now=timezone.now(),
    )
    return redirect("store", store_id)


@developers_only
@require_POST
@one_transaction
def try_store_again(request: TenantRequest, store_id: UUID) -> HttpResponse:
    connecting.try_again(
        tenant=request.tenant, by=request.membership, store_id=store_id, now=timezone.now()
    )
    return redirect("store", store_id)


@developers_only
@require_POST
@one_transaction
def reconnect_store(request: TenantRequest, store_id: UUID) -> HttpResponse:
    """Back to where keys are given, for a store whose keys don't work any more."""
    connecting.begin_again(tenant=request.tenant, by=request.membership, store_id=store_id)
    return redirect("store", store_id)


def _render_secret(request: TenantRequest, store: Store, secret: str) -> HttpResponse:
    context = {"store": store, "secret": secret, "hook_url": addresses.build_hook_url(store)}
    return render(request, "integrations/stores/secret.html", context, status=201)
