from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.decorators import role_required
from accounts.http import TenantRequest
from accounts.models import Role
from annotations import engine, shop_models


@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.OWNER)
def show_models(request: TenantRequest) -> HttpResponse:
    """Which model annotates; the owner chooses among those that the engine has."""
    status = 200
    if request.method == "POST":
        try:
            choice = request.POST.get("family", "")
            shop_models.choose_family(tenant=request.tenant, choice=choice)
        except shop_models.NotOffered:
            messages.error(request, _("The engine has no such model, or is away."))
            status = 422
        else:
            messages.success(request, _("Saved. New photos are annotated by it."))
            return redirect("shop_models")
    context = {
        "own": engine.read_model(),
        "families": shop_models.list_families(),
        "older": shop_models.list_older(tenant=request.tenant).count(),
    }
    return render(request, "annotations/shop_models.html", context, status=status)


@require_POST
@role_required(Role.OWNER)
def annotate_older(request: TenantRequest) -> HttpResponse:
    with transaction.atomic():
        shop_models.begin_again(tenant=request.tenant, by=request.user)
    messages.success(request, _("The photos are annotated again in the background."))
    return redirect("shop_models")
