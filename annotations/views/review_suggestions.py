"""Any member's wish that an annotation be reviewed."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from annotations import selectors
from annotations.models import Annotation
from annotations.review_forms import SuggestForm
from annotations.reviewing import suggestions
from annotations.reviewing.services import NotReviewable
from annotations.views.photos import is_htmx


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def suggest_review(request: TenantRequest, annotation_id: UUID) -> HttpResponse:
    """By any member; from the page's script a fragment, else the annotation's page again."""
    try:
        annotation = selectors.get_annotation(tenant=request.tenant, annotation_id=annotation_id)
    except Annotation.DoesNotExist as error:
        raise Http404 from error
    form = SuggestForm(request.POST if request.method == "POST" else None)
    suggested = False
    if form.is_bound and form.is_valid():
        try:
            suggestions.suggest_review(
                tenant=request.tenant,
                annotation_id=annotation_id,
                by=request.user,
                note=form.cleaned_data["note"],
                now=timezone.now(),
            )
            suggested = True
        except NotReviewable:
            form.add_error("note", _("This annotation has no result to review."))
    context = {"annotation": annotation, "suggest_form": form, "suggested": suggested}
    if is_htmx(request):
        return render(request, "annotations/_suggest.html", context)
    if suggested:
        messages.success(request, _("Thank you. A reviewer sees it next, with your words."))
        return redirect("annotation", annotation_id)
    status = 422 if form.is_bound else 200
    return render(request, "annotations/suggest.html", context, status=status)
