"""Who said what, when, and how it differs from the model; each can be undone."""

import csv
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import role_required
from accounts.http import TenantRequest
from annotations.models import Annotation, Review
from annotations.review_forms import PastForm
from annotations.reviewing import history, queue
from annotations.reviewing.queue import REVIEWERS
from annotations.reviewing.services import NotUndoable, Reviewer, undo_review
from kalas.lib.formulas import escape_formula
from kalas.lib.streams import stream

PAGE = 25
CHUNK = 500
COLUMNS = (
    "review",
    "annotation",
    "photo",
    "product",
    "reviewed",
    "reviewer",
    "kind",
    "by_way_of",
    "verdict",
    "undone",
    "seconds",
    "comment",
    "garment",
    "category",
    "key",
    "from",
    "to",
    "origin",
    "confidence",
    "model",
)


@require_safe
@role_required(*REVIEWERS)
def show_past_reviews(request: TenantRequest) -> HttpResponse:
    form = _build_form(request)
    found = history.filter_reviews(tenant=request.tenant, wanted=form.as_wanted())
    page = Paginator(found.defer("before", "after"), PAGE).get_page(request.GET.get("page"))
    reviews = list(page.object_list)
    undoable = history.find_undoable(tenant=request.tenant, reviews=reviews)
    return render(
        request,
        "annotations/past_reviews.html",
        {
            "form": form,
            "page_obj": page,
            "rows": [
                {
                    "review": review,
                    "may_undo": review.id in undoable,
                    "undone": history.is_undone(review),
                }
                for review in reviews
            ],
            "filtered": any(form.cleaned_data.values()),
            "query": request.GET.urlencode(),
        },
    )


@require_POST
@role_required(*REVIEWERS)
def undo_past_review(request: TenantRequest, review_id: UUID) -> HttpResponse:
    try:
        undo = undo_review(
            tenant=request.tenant,
            review_id=review_id,
            by=Reviewer(user=request.user, source=Review.Source.QUEUE),
            now=timezone.now(),
        )
    except (Review.DoesNotExist, Annotation.DoesNotExist) as error:
        raise Http404 from error
    except NotUndoable:
        messages.warning(
            request,
            _("That can't be undone: it was undone before, or a later review stands on it."),
        )
    else:
        name = undo.annotation.image.name
        messages.success(request, _("Undone: %s is as it was before.") % name)
    return redirect(_read_next(request))


@require_safe
@role_required(*REVIEWERS)
def export_csv(request: TenantRequest) -> HttpResponseBase:
    """A line for each change, and one for each review without any."""
    return _stream(request, _write_csv(_find(request)), ending="csv", content_type="text/csv")


@require_safe
@role_required(*REVIEWERS)
def export_ndjson(request: TenantRequest) -> HttpResponseBase:
    """Each review with the whole answer before and after."""
    lines = _write_ndjson(_find(request))
    return _stream(request, lines, ending="ndjson", content_type="application/x-ndjson")


def _stream(
    request: TenantRequest, lines: Iterator[str], *, ending: str, content_type: str
) -> HttpResponseBase:
    return stream(
        request,
        (line.encode() for line in lines),
        tenant_id=request.tenant.id,
        name="reviews",
        ending=ending,
        content_type=content_type,
    )


def _write_csv(reviews: QuerySet[Review]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield str(writer.writerow(COLUMNS))
    for review in _read(reviews.defer("before", "after")):
        for row in _list_rows(review):
            yield str(writer.writerow(row))


def _write_ndjson(reviews: QuerySet[Review]) -> Iterator[str]:
    for review in _read(reviews):
        snapshots = {
            "before": history.without_vectors(review.before),
            "after": history.without_vectors(review.after),
        }
        yield json.dumps(history.describe(review) | snapshots) + "\n"


def _read(reviews: QuerySet[Review]) -> Iterator[Review]:
    """Page by page, as a cursor would keep its connection until the last line is sent."""
    ids = list(reviews.values_list("id", flat=True))
    for start in range(0, len(ids), CHUNK):
        yield from list(reviews.filter(id__in=ids[start : start + CHUNK]))


class _Echo:
    def write(self, text: str) -> str:
        return text


def _list_rows(review: Review) -> Iterator[list[Any]]:
    said = history.describe(review)
    annotation = review.annotation
    start = [
        said["id"],
        said["annotation"],
        annotation.image.name,
        annotation.product,
        said["created_at"],
        said["reviewer"] or said["key"],
        said["kind"],
        said["source"],
        said["verdict"],
        "yes" if said["undone"] else "",
        said["seconds"],
        said["comment"],
    ]
    model = f"{annotation.model_name} {annotation.model_version}".strip()
    for change in review.changes or [{}]:
        values = [change.get(name) for name in ("garment", "category", "key", "from", "to")]
        values += [change.get("origin"), change.get("confidence")]
        yield [_write(each) for each in (*start, *values, model)]


def _write(value: Any) -> str:
    if isinstance(value, list):
        value = " ".join(str(each) for each in value)
    return "" if value is None else escape_formula(str(value))


def _find(request: TenantRequest) -> QuerySet[Review]:
    return history.filter_reviews(tenant=request.tenant, wanted=_build_form(request).as_wanted())


def _build_form(request: TenantRequest) -> PastForm:
    people = queue.list_people(tenant=request.tenant)
    reviewers = [(user.email, user.get_full_name()) for user in people]
    return PastForm(request.GET, reviewers=reviewers)


def _read_next(request: TenantRequest) -> str:
    target = request.POST.get("next", "")
    page = reverse("past_reviews")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return target if is_ours and target.startswith(page) else page
