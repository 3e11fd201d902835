"""The developers' page: the shop's keys, and what they do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import ObjectDoesNotExist
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts import keys, usage
from accounts.decorators import role_required
from accounts.http import TenantRequest
from accounts.key_forms import KeyForm, RotateForm
from accounts.models import DEVELOPERS, ApiKey, Membership
from accounts.services import NotAllowed


@dataclass(frozen=True, slots=True)
class Bar:
    """In the units of the chart's SVG."""

    x: int
    y: int
    height: int


developers_only = role_required(*DEVELOPERS)
SHOWN_DAYS = 30
CHART_HEIGHT = 100
BAR = 10


@developers_only
@require_GET
def show_developers(request: TenantRequest) -> HttpResponse:
    return _render(request, KeyForm())


@developers_only
@require_POST
@never_cache
def create_key(request: TenantRequest) -> HttpResponse:
    """The page that comes back is the only one that ever shows the key."""
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _render(request, form, status=422)
    now = timezone.now()
    data = form.cleaned_data
    try:
        new = keys.create_key(
            tenant=request.tenant,
            by=request.membership,
            name=data["name"],
            scopes=data["scopes"],
            origins=data["origins"],
            expires_at=form.expires_at(now=now),
            now=now,
        )
    except keys.TooManyKeys:
        form.add_error(None, _("This shop has many keys. Revoke those that nobody uses."))
        return _render(request, form, status=422)
    except NotAllowed as error:
        raise PermissionDenied from error
    return _render(request, KeyForm(), new=new, status=201)


@developers_only
@require_POST
@never_cache
def rotate_key(request: TenantRequest, key_id: UUID) -> HttpResponse:
    form = RotateForm(request.POST)
    try:
        if not form.is_valid():
            raise Http404
        new = keys.rotate_key(
            tenant=request.tenant,
            by=request.membership,
            key_id=key_id,
            overlap=form.duration,
            now=timezone.now(),
        )
    except ObjectDoesNotExist as error:
        raise Http404 from error
    except NotAllowed as error:
        raise PermissionDenied from error
    return _render(request, KeyForm(), new=new, status=201)


@developers_only
@require_POST
def revoke_key(request: TenantRequest, key_id: UUID) -> HttpResponse:
    try:
        key = keys.revoke_key(
            tenant=request.tenant, by=request.membership, key_id=key_id, now=timezone.now()
        )
    except ObjectDoesNotExist as error:
        raise Http404 from error
    except NotAllowed as error:
        raise PermissionDenied from error
    messages.success(request, _("%s is revoked.") % key.name)
    return redirect("developers")


def _render(
    request: TenantRequest, form: KeyForm, *, new: keys.NewKey | None = None, status: int = 200
) -> HttpResponse:
    now = timezone.now()
    last = now.astimezone(UTC).date()
    first = last - timedelta(days=SHOWN_DAYS - 1)
    days = usage.list_days(tenant=request.tenant, first=first, last=last)
    all_keys = usage.with_requests(
        ApiKey.objects.filter(tenant=request.tenant).select_related("created_by"), since=first
    )
    listed = list(all_keys.order_by("-created_at", "id"))
    developers = Membership.objects.filter(tenant=request.tenant, role__in=DEVELOPERS)
    context = {
        "form": form,
        "rotate_form": RotateForm(auto_id=False),
        "new": new,
        "keys": [key for key in listed if key.is_usable(now)],
        "closed_keys": [key for key in listed if not key.is_usable(now)],
        "developer_ids": set(developers.values_list("user_id", flat=True)),
        "month": usage.read_month(tenant=request.tenant, now=now),
        "days": days,
        "used_days": [day for day in days if day.requests or day.refused or day.annotations],
        "most": max(day.requests for day in days),
        "chart": _draw(days),
    }
    return render(request, "accounts/developers.html", context, status=status)


def _draw(days: Sequence[usage.DayOfUse]) -> list[Bar]:
    """A bar of each day's requests, the highest as high as the chart."""
    most = max([day.requests for day in days] + [1])
    return [
        Bar(
            x=number * BAR,
            y=CHART_HEIGHT - round(CHART_HEIGHT * day.requests / most),
            height=round(CHART_HEIGHT * day.requests / most),
        )
        for number, day in enumerate(days)
    ]
