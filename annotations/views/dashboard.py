from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import role_required, tenant_required
from accounts.http import TenantRequest
from accounts.models import Role
from annotations import selectors, services
from annotations.engine import read_status
from annotations.views.cards import build_cards


@require_safe
@tenant_required
def show_dashboard(request: TenantRequest) -> HttpResponse:
    steps = selectors.read_first_steps(tenant=request.tenant)
    context = {**_read_feed(request), "steps": steps}
    return render(request, "annotations/dashboard.html", context)


@require_safe
@tenant_required
def show_feed(request: TenantRequest) -> HttpResponse:
    """The part of the dashboard that lives: numbers, engine and the last results."""
    return render(request, "annotations/_feed.html", _read_feed(request))


@require_POST
@role_required(Role.OWNER, Role.MANAGER)
def remove_demo(request: TenantRequest) -> HttpResponse:
    removed = services.remove_demo_photos(tenant=request.tenant, now=timezone.now())
    text = ngettext("%d demo photo was removed.", "%d demo photos were removed.", removed)
    messages.success(request, text % removed)
    return redirect("dashboard")


def _read_feed(request: TenantRequest) -> dict[str, Any]:
    now = timezone.now()
    today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "numbers": selectors.count_for_dashboard(tenant=request.tenant, since=today),
        "feed": build_cards(annotations=selectors.list_feed(tenant=request.tenant), now=now),
        "engine": read_status(now=now),
        "today": today.date(),
    }
