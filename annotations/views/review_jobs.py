"""How far work on many answers is: fetched anew by the page that shows it."""

from datetime import timedelta
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import role_required
from accounts.http import TenantRequest
from annotations.models import ReviewJob
from annotations.reviewing import bulk
from annotations.reviewing.queue import REVIEWERS

KINDS = {
    "recount": [ReviewJob.Kind.RECOUNT],
    "grid": [ReviewJob.Kind.GRID, ReviewJob.Kind.UNDO],
}
SHOWN = timedelta(minutes=30)


@require_safe
@role_required(*REVIEWERS)
def show_job(request: TenantRequest) -> HttpResponse:
    about = "recount" if request.GET.get("about") == "recount" else "grid"
    context = {"job": find_job(request, about), "about": about}
    return render(request, "annotations/_review_job.html", context)


@require_POST
@role_required(*REVIEWERS)
def undo_job(request: TenantRequest, job_id: UUID) -> HttpResponse:
    try:
        bulk.start_undo(tenant=request.tenant, job_id=job_id, by=request.user, now=timezone.now())
    except ReviewJob.DoesNotExist as error:
        raise Http404 from error
    return redirect(reverse("review_grid"))


def find_job(request: TenantRequest, about: str) -> ReviewJob | None:
    """The last one, of the grid this person's own; none that has ended long ago."""
    by = request.user if about == "grid" else None
    job = bulk.find_last(tenant=request.tenant, kinds=KINDS[about], by=by)
    if job is None or (job.finished_at and job.finished_at < timezone.now() - SHOWN):
        return None
    return job
