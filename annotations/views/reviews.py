"""The review page and what its script asks for."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from rest_framework import serializers

from accounts.decorators import role_required
from accounts.http import TenantRequest
from annotations import sources
from annotations.api.reviews import build_corrections
from annotations.models import Annotation, Review
from annotations.review_forms import QueueForm
from annotations.reviewing import claims, history, items, queue, seconds
from annotations.reviewing.corrections import CorrectionRefused
from annotations.reviewing.queue import REVIEWERS, Wanted
from annotations.reviewing.services import (
    NotReviewable,
    NotUndoable,
    Remark,
    ReviewedMeanwhile,
    Reviewer,
    review_annotation,
    undo_review,
)
from annotations.views import review_texts
from annotations.views.review_requests import (
    ClaimInput,
    KeepInput,
    SaveInput,
    UndoInput,
    flatten,
    in_shop_of_page,
    read_input,
    refuse,
)

UNDO_SINCE = timedelta(days=7)
UNDO_MOST = 50


@require_safe
@role_required(*REVIEWERS)
def show_review(request: TenantRequest) -> HttpResponse:
    form = _build_form(request, categories=queue.count_categories(tenant=request.tenant))
    return render(
        request,
        "annotations/review.html",
        {
            "form": form,
            "filtered": form.is_filtered,
            "counts": _count(request),
            "only": _read_only(request),
            "texts": json.dumps(review_texts.build_page_texts()),
            "panel_texts": json.dumps(review_texts.build_panel_texts()),
            "help_texts": json.dumps(review_texts.build_help_texts()),
            "actions": review_texts.list_actions(),
        },
    )


@require_safe
@role_required(*REVIEWERS)
def send_words(request: TenantRequest) -> HttpResponse:
    response = JsonResponse(items.build_words(language=get_language() or "en"))
    patch_cache_control(response, private=True, max_age=300)
    response["Vary"] = "Cookie, Accept-Language"
    return response


@require_safe
@role_required(*REVIEWERS)
def send_counts(request: TenantRequest) -> HttpResponse:
    return JsonResponse(_count(request))


@require_POST
@role_required(*REVIEWERS)
@in_shop_of_page
def claim_items(request: TenantRequest) -> HttpResponse:
    asked = read_input(request, ClaimInput)
    if isinstance(asked, HttpResponse):
        return asked
    now = timezone.now()
    number = asked["number"]
    first: list[UUID] = []
    if only := asked.get("only"):
        first = _claim_first(request, only)
    ids = claims.claim_next(
        tenant=request.tenant,
        reviewer=request.user,
        number=number,
        now=now,
        wanted=_read_wanted(request),
        without=[*asked["without"], *first],
        skipped=asked.get("skipped", True),
    )
    found = items.list_items(tenant=request.tenant, annotation_ids=[*first, *ids])
    if len(found) < number:
        found += _list_seconds(request, asked["without"], number - len(found))
    return JsonResponse({"items": found, "counts": _count(request)})


@require_POST
@role_required(*REVIEWERS)
@in_shop_of_page
def keep_items(request: TenantRequest) -> HttpResponse:
    """What an open page has at hand stays this person's; the answer names what it has lost."""
    asked = read_input(request, KeepInput)
    if isinstance(asked, HttpResponse):
        return asked
    kept = claims.keep(
        tenant=request.tenant,
        reviewer=request.user,
        annotation_ids=asked["items"],
        now=timezone.now(),
    )
    return JsonResponse({"lost": [str(each) for each in asked["items"] if each not in kept]})


@require_POST
@role_required(*REVIEWERS)
def return_items(request: TenantRequest) -> HttpResponse:
    """By a beacon of a page that is being closed, as a form."""
    try:
        ids = [UUID(each) for each in request.POST.getlist("id")[: claims.MOST]]
    except ValueError:
        return refuse(_("This is no id."), 400)
    claims.return_claims(tenant=request.tenant, reviewer=request.user, annotation_ids=ids)
    return HttpResponse(status=204)


@require_POST
@role_required(*REVIEWERS)
@in_shop_of_page
def save_review(request: TenantRequest, annotation_id: UUID) -> HttpResponse:
    _get(request, annotation_id)
    asked = read_input(request, SaveInput)
    if isinstance(asked, HttpResponse):
        return asked
    try:
        review = _say(request, annotation_id, asked)
    except Annotation.DoesNotExist as error:
        raise Http404 from error
    except ReviewedMeanwhile as error:
        return _tell_meanwhile(request, annotation_id, error)
    except (NotReviewable, NotUndoable, seconds.NotAsked):
        return refuse(_("This annotation has no result to review."), 422)
    except CorrectionRefused as error:
        return refuse(error.detail, 422, field=error.field)
    except serializers.ValidationError as error:
        return refuse(flatten(error.detail), 422)
    return JsonResponse({"version": review.version, "counts": _count(request)})


@require_POST
@role_required(*REVIEWERS)
@in_shop_of_page
def skip_item(request: TenantRequest, annotation_id: UUID) -> HttpResponse:
    try:
        claims.skip(
            tenant=request.tenant,
            reviewer=request.user,
            annotation_id=annotation_id,
            now=timezone.now(),
        )
    except Annotation.DoesNotExist as error:
        raise Http404 from error
    return JsonResponse({"counts": _count(request)})


@require_POST
@role_required(*REVIEWERS)
@in_shop_of_page
def undo_last(request: TenantRequest) -> HttpResponse:
    """What this person said last, wherever they said it; the annotation is theirs again."""
    asked = read_input(request, UndoInput)
    if isinstance(asked, HttpResponse):
        return asked
    now = timezone.now()
    same = Review.objects.for_tenant(request.tenant).filter(id=asked["review"]).first()
    since = now - UNDO_SINCE
    said = queue.list_undoable(
        tenant=request.tenant, user=request.user, since=since, most=UNDO_MOST
    )
    if same is None and not said:
        return refuse(_("There is nothing to undo."), 422)
    # What somebody else has reviewed since stays, and what was said before can be undone.
    undoable = history.find_undoable(tenant=request.tenant, reviews=said)
    target = same or next((review for review in said if review.id in undoable), said[0])
    if same is None:
        try:
            undo_review(
                tenant=request.tenant,
                review_id=target.id,
                by=_reviewer(request),
                now=now,
                remark=Remark(review_id=asked["review"]),
            )
        except NotUndoable:
            detail = _("Somebody else has reviewed %s since; their review has to be undone first.")
            return refuse(detail % target.annotation.image.name, 422)
    claims.claim_one(
        tenant=request.tenant,
        reviewer=request.user,
        annotation_id=target.annotation_id,
        now=now,
    )
    found = items.list_items(tenant=request.tenant, annotation_ids=[target.annotation_id])
    return JsonResponse({"item": found[0], "counts": _count(request)})


def _list_seconds(
    request: TenantRequest, without: Sequence[UUID], number: int
) -> list[dict[str, Any]]:
    """What others have reviewed and this person is asked about too, as the model had said it."""
    now = timezone.now()
    asked = seconds.list_asked(
        tenant=request.tenant, user=request.user, now=now, most=number + len(without)
    )
    found = []
    for annotation_id in [each for each in asked if each not in without][:number]:
        first = seconds.find_first(
            tenant=request.tenant, annotation_id=annotation_id, user=request.user
        )
        is_mine = first and claims.claim_one(
            tenant=request.tenant, reviewer=request.user, annotation_id=annotation_id, now=now
        )
        if first and is_mine:
            found.append(items.build_second(tenant=request.tenant, first=first))
    return found


def _say(request: TenantRequest, annotation_id: UUID, asked: dict[str, Any]) -> Review:
    """Raises whatever keeps it from being saved."""
    corrections = build_corrections(asked)
    if asked.get("second"):
        return seconds.give_second(
            tenant=request.tenant,
            annotation_id=annotation_id,
            reviewer=request.user,
            corrections=corrections,
            review_id=asked["review"],
            seconds=asked.get("seconds"),
            comment=asked.get("comment", ""),
            now=timezone.now(),
        )
    return review_annotation(
        tenant=request.tenant,
        annotation_id=annotation_id,
        by=_reviewer(request),
        now=timezone.now(),
        corrections=corrections,
        remark=Remark(
            review_id=asked["review"],
            version=asked.get("version"),
            comment=asked.get("comment", ""),
            seconds=asked.get("seconds"),
        ),
    )


def _claim_first(request: TenantRequest, annotation_id: UUID) -> list[UUID]:
    """The one that the address names; nothing where it is gone or somebody else has it."""
    try:
        claimed = claims.claim_one(
            tenant=request.tenant,
            reviewer=request.user,
            annotation_id=annotation_id,
            now=timezone.now(),
        )
    except Annotation.DoesNotExist:
        return []
    return [annotation_id] if claimed else []


def _tell_meanwhile(
    request: TenantRequest, annotation_id: UUID, error: ReviewedMeanwhile
) -> HttpResponse:
    found = items.list_items(tenant=request.tenant, annotation_ids=[annotation_id])
    latest = error.latest
    by = latest.reviewer.get_full_name() if latest and latest.reviewer else _("Somebody else")
    return JsonResponse({"by": by, "version": error.version, "item": found[0]}, status=409)


def _count(request: TenantRequest) -> dict[str, int]:
    now = timezone.now()
    today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    # Each of these addresses has the page's filter.
    wanted = _read_wanted(request) if request.GET else queue.ALL
    counts = queue.count_queue(tenant=request.tenant, user=request.user, now=now, wanted=wanted)
    done = queue.count_done(tenant=request.tenant, user=request.user, since=today)
    return {
        "waiting": counts["waiting"],
        "claimed": counts["claimed"],
        "mine": counts["mine"],
        "suggested": counts["suggested"],
        "done": done,
    }


def _read_wanted(request: TenantRequest) -> Wanted:
    return _build_form(request, categories=[]).as_wanted()


def _build_form(request: TenantRequest, *, categories: list[tuple[str, int]]) -> QueueForm:
    stores = sources.list_stores(request.tenant)
    return QueueForm(request.GET, categories=categories, stores=stores)


def _read_only(request: HttpRequest) -> str:
    try:
        return str(UUID(request.GET.get("item", "")))
    except ValueError:
        return ""


def _reviewer(request: TenantRequest) -> Reviewer:
    return Reviewer(user=request.user, source=Review.Source.QUEUE)


def _get(request: TenantRequest, annotation_id: UUID) -> None:
    """Raises Http404 for another shop's."""
    if not Annotation.objects.for_tenant(request.tenant).filter(id=annotation_id).exists():
        raise Http404
