"""How good model and reviews are, and from which confidence on nobody has to look."""

import json
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts.decorators import role_required
from accounts.http import TenantRequest
from accounts.models import Role
from annotations.models import ReviewJob
from annotations.review_forms import PlannerForm, ReviewSettingsForm, ThresholdsForm
from annotations.reviewing import planner, quality, queue, settings, thresholds
from annotations.reviewing.queue import REVIEWERS
from annotations.views.review_jobs import find_job

DAYS = (0, 7, 30, 90)


@require_safe
@role_required(*REVIEWERS)
def show_quality(request: TenantRequest) -> HttpResponse:
    tenant = request.tenant
    days = _read_days(request)
    since = timezone.now() - timedelta(days=days) if days else None
    form = PlannerForm(request.GET)
    key = form.read_key()
    steps = planner.list_steps(tenant=tenant, key=key)
    threshold = thresholds.read_thresholds(tenant=tenant).find(key, "")
    bins = quality.list_bins(tenant=tenant, key=key, since=since)
    return render(
        request,
        "annotations/quality.html",
        {
            "work": quality.measure_work(tenant=tenant, since=since),
            "people": quality.measure_people(tenant=tenant, since=since),
            "categories": quality.count_by_category(tenant=tenant, since=since),
            "attributes": quality.count_by_attribute(tenant=tenant, since=since),
            "confusions": quality.count_confusions(tenant=tenant),
            "agreed": quality.measure_agreement_of(tenant=tenant),
            "dots": [_draw(each) for each in bins],
            "bins": bins,
            "form": form,
            "key": key,
            "steps": json.dumps([[s.values, round(s.right, 3)] for s in steps]),
            "reviewed": sum(step.reviewed for step in steps),
            "threshold": round(threshold * 100),
            "plan": planner.plan(steps, threshold=threshold),
            "days": days,
            "all_days": DAYS,
            "manages": request.membership.manages,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.OWNER, Role.MANAGER)
def change_settings(request: TenantRequest) -> HttpResponse:
    """Thresholds by key and category, the sample that is reviewed twice, consent to training."""
    current = thresholds.read_thresholds(tenant=request.tenant)
    saved = queue.read_settings(tenant=request.tenant)
    data = request.POST or None
    form = ThresholdsForm(data, current=current)
    other = ReviewSettingsForm(data, saved=saved)
    if request.method == "POST" and form.is_valid() and other.is_valid():
        job = settings.change_settings(
            tenant=request.tenant,
            by=request.user,
            thresholds=form.as_changes(),
            category=form.category,
            training_consent=other.cleaned_data["training_consent"],
            second_review_percent=other.cleaned_data["second_review_percent"],
            now=timezone.now(),
        )
        messages.success(request, _tell(job))
        return redirect("review_settings")
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "other": other, "saved": saved, "job": find_job(request, "recount")}
    return render(request, "annotations/review_settings.html", context, status=status)


def _tell(job: ReviewJob) -> str:
    if job.is_open or not job.changed:
        return _("Saved.")
    text = ngettext(
        "Saved. %d photo joins or leaves the queue.",
        "Saved. %d photos join or leave the queue.",
        job.changed,
    )
    return text % job.changed


def _read_days(request: TenantRequest) -> int:
    asked = request.GET.get("days", "")
    return int(asked) if asked in {str(days) for days in DAYS} else 0


def _draw(each: quality.Bin) -> dict[str, Any]:
    """Where a bin stands in a chart of 100 × 100, y downwards; numbers as SVG wants them."""
    share = each.share
    return {
        "x": f"{each.confidence * 100:.2f}",
        "y": f"{100 - (share.value or 0) * 100:.2f}",
        "low": f"{100 - share.low * 100:.2f}",
        "high": f"{100 - share.high * 100:.2f}",
        "r": f"{1.2 + min(2.4, share.number**0.5 / 8):.2f}",
    }
