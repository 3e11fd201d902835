"""Thumbnails of one value, to be accepted or set together."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import role_required
from accounts.http import TenantRequest
from annotations import selectors
from annotations.models import Review
from annotations.review_forms import AssignForm, GridForm, SetForm
from annotations.reviewing import bulk, claims, grid, queue
from annotations.reviewing.queue import REVIEWERS
from annotations.reviewing.services import NotUndoable, Reviewer, undo_review
from annotations.views.photos import is_htmx
from annotations.views.review_jobs import find_job

PAGE = 60
# More of them are reviewed by a job, whose progress the page shows.
AT_ONCE = 60
LAST = "review_grid_last"


@require_safe
@role_required(*REVIEWERS)
def show_grid(request: TenantRequest) -> HttpResponse:
    waiting = queue.count_categories(tenant=request.tenant)
    form = GridForm(request.GET or None, waiting=waiting)
    key, value, only_waiting = form.read()
    found = grid.filter_grid(
        tenant=request.tenant,
        key=key,
        value=value,
        only_waiting=only_waiting,
        user=request.user,
        now=timezone.now(),
    )
    assign_form = AssignForm(reviewers=queue.list_reviewers(tenant=request.tenant))
    pages = Paginator(selectors.with_everything(found), PAGE)
    page = pages.get_page(request.GET.get("page"))
    return render(
        request,
        "annotations/review_grid.html",
        {
            "form": form,
            "set_form": SetForm(),
            "page_obj": page,
            "waiting": waiting[:12],
            "chosen": (key, value),
            "undoable": len(request.session.get(LAST, ())),
            "job": find_job(request, "grid"),
            "about": "grid",
            "most": grid.MOST,
            "assign_form": assign_form,
        },
    )


@require_POST
@role_required(*REVIEWERS)
def preview_grid(request: TenantRequest) -> HttpResponse:
    """What the button would do, before it is done."""
    form = SetForm(request.POST)
    chosen = _read_chosen(request)
    if not form.is_valid() or not chosen:
        message = _("Choose some photos first.") if not chosen else _("Choose what they are.")
        return _show_preview(request, {"problem": message})
    setting = form.as_setting()
    preview = grid.preview_setting(tenant=request.tenant, chosen=chosen, setting=setting)
    context = {
        "preview": preview,
        "setting": setting,
        "title": form.title,
        "total": len(chosen),
        "todo": len(preview.changing) + preview.same,
        "chosen": " ".join(f"{each}:{version}" for each, version in chosen),
        "set": request.POST.get("set", ""),
        "next": _read_next(request),
    }
    return _show_preview(request, context)


@require_POST
@role_required(*REVIEWERS)
def apply_grid(request: TenantRequest) -> HttpResponse:
    form = SetForm(request.POST)
    chosen = _read_chosen(request)
    if form.is_valid() and len(chosen) > AT_ONCE:
        request.session.pop(LAST, None)
        bulk.start_grid(
            tenant=request.tenant,
            chosen=chosen,
            setting=form.as_setting(),
            by=request.user,
            now=timezone.now(),
        )
    elif form.is_valid():
        reviews, left = grid.apply_setting(
            tenant=request.tenant,
            chosen=chosen,
            setting=form.as_setting(),
            by=_reviewer(request),
            now=timezone.now(),
        )
        request.session[LAST] = [str(review.id) for review in reviews]
        text = ngettext("%d photo was reviewed.", "%d photos were reviewed.", len(reviews))
        messages.success(request, text % len(reviews))
        if left:
            text = ngettext(
                "%d photo was left as it is: somebody else had reviewed it, or it can't be that.",
                "%d photos were left as they are: somebody else had reviewed them, or they can't "
                "be that.",
                left,
            )
            messages.warning(request, text % left)
    return redirect(_read_next(request))


@require_POST
@role_required(*REVIEWERS)
def assign_grid(request: TenantRequest) -> HttpResponse:
    """Mean the chosen ones for one reviewer, or for nobody in particular."""
    reviewers = queue.list_reviewers(tenant=request.tenant)
    form = AssignForm(request.POST, reviewers=reviewers)
    chosen = _read_chosen(request)
    if not chosen:
        messages.warning(request, _("Choose some photos first."))
    elif form.is_valid():
        number = claims.assign(
            tenant=request.tenant,
            annotation_ids=[annotation_id for annotation_id, _version in chosen],
            reviewer=form.cleaned_data["reviewer"],
            now=timezone.now(),
        )
        text = ngettext("%d photo was assigned.", "%d photos were assigned.", number)
        messages.success(request, text % number)
        if left := len(chosen) - number:
            text = ngettext("%d needs no review.", "%d need no review.", left)
            messages.info(request, text % left)
    return redirect(_read_next(request))


@require_POST
@role_required(*REVIEWERS)
def undo_grid(request: TenantRequest) -> HttpResponse:
    """All of what the last press of the button did."""
    undone = kept = 0
    for each in reversed(request.session.pop(LAST, [])):
        try:
            undo_review(
                tenant=request.tenant,
                review_id=UUID(each),
                by=_reviewer(request),
                now=timezone.now(),
            )
        except (Review.DoesNotExist, NotUndoable):
            kept += 1
        else:
            undone += 1
    text = ngettext("%d review was undone.", "%d reviews were undone.", undone)
    messages.success(request, text % undone)
    if kept:
        messages.warning(request, _("%d could not be undone: they were changed since.") % kept)
    return redirect(_read_next(request))


def _show_preview(request: TenantRequest, context: dict[str, Any]) -> HttpResponse:
    name = "_review_grid_preview" if is_htmx(request) else "review_grid_preview"
    return render(request, f"annotations/{name}.html", context)


def _read_chosen(request: TenantRequest) -> list[tuple[UUID, int]]:
    """From `id:version` of each, or all that the page's filter finds; what is not of that form is
    left out."""
    if request.POST.get("everything"):
        return _find_everything(request)
    chosen = []
    for item in " ".join(request.POST.getlist("item")).split()[: grid.MOST]:
        annotation_id, _colon, version = item.partition(":")
        try:
            chosen.append((UUID(annotation_id), int(version)))
        except ValueError:
            continue
    return chosen


def _find_everything(request: TenantRequest) -> list[tuple[UUID, int]]:
    key, _colon, value = request.POST["everything"].partition(":")
    found = grid.filter_grid(
        tenant=request.tenant,
        key=key,
        value=value,
        only_waiting=not request.POST.get("all"),
        user=request.user,
        now=timezone.now(),
    )
    return list(found.values_list("id", "version")[: grid.MOST])


def _read_next(request: TenantRequest) -> str:
    target = request.POST.get("next", "")
    grid_page = reverse("review_grid")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return target if is_ours and target.startswith(grid_page) else grid_page


def _reviewer(request: TenantRequest) -> Reviewer:
    return Reviewer(user=request.user, source=Review.Source.GRID)
