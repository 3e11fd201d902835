"""What a shop's reviews teach the model: heads, with their comparison, promoted and taken back."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import role_required
from accounts.http import TenantRequest
from accounts.models import Role
from annotations.models import TrainedHead
from annotations.reviewing import examples, queue, training

MOST = 20
MANAGERS = (Role.OWNER, Role.MANAGER)


@require_safe
@role_required(*MANAGERS)
def show_training(request: TenantRequest) -> HttpResponse:
    return render(request, "annotations/training.html", _read(request))


@require_safe
@role_required(*MANAGERS)
def show_heads(request: TenantRequest) -> HttpResponse:
    """The part that is fetched anew while something is trained."""
    return render(request, "annotations/_heads.html", _read(request))


@require_POST
@role_required(*MANAGERS)
def start_training(request: TenantRequest) -> HttpResponse:
    try:
        training.request_training(tenant=request.tenant, by=request.user, now=timezone.now())
    except training.NoConsent:
        messages.warning(
            request, _("Give your consent first: on the page Thresholds, for your reviews.")
        )
    except training.TooFewReviews as error:
        text = ngettext(
            "There is %(number)d reviewed garment; it takes %(fewest)d to learn from.",
            "There are %(number)d reviewed garments; it takes %(fewest)d to learn from.",
            error.number,
        )
        messages.warning(request, text % {"number": error.number, "fewest": training.FEWEST})
    except training.AlreadyTraining:
        messages.info(request, _("It is being trained already."))
    return redirect("review_training")


@require_POST
@role_required(*MANAGERS)
def promote_head(request: TenantRequest, head_id: UUID) -> HttpResponse:
    try:
        head = training.promote_head(tenant=request.tenant, head_id=head_id, now=timezone.now())
    except TrainedHead.DoesNotExist as error:
        raise Http404 from error
    except training.NotPromotable:
        messages.warning(request, _("Only what is better than what is in use can be used."))
    else:
        text = _("Version %d is in use for new photos. What people said stays as it is.")
        messages.success(request, text % head.number)
    return redirect("review_training")


@require_POST
@role_required(*MANAGERS)
def roll_back(request: TenantRequest) -> HttpResponse:
    head = training.roll_back(tenant=request.tenant)
    if head:
        messages.success(request, _("Version %d is in use again.") % head.number)
    else:
        messages.success(request, _("The model is in use as delivered."))
    return redirect("review_training")


@require_safe
@role_required(*MANAGERS)
def show_changes(request: TenantRequest, head_id: UUID) -> HttpResponse:
    """A dry run: whose category would be another."""
    heads = TrainedHead.objects.for_tenant(request.tenant)
    head = heads.filter(id=head_id, state=TrainedHead.State.READY).first()
    if head is None:
        raise Http404
    changes = training.list_would_change(head)
    return render(request, "annotations/head_changes.html", {"head": head, "changes": changes})


def _read(request: TenantRequest) -> dict[str, object]:
    rows = TrainedHead.objects.for_tenant(request.tenant).defer("weights", "labels")
    heads = list(rows.select_related("created_by").order_by("-number")[:MOST])
    model = examples.find_model(tenant=request.tenant)
    return {
        "heads": [{"head": head, "erased": training.count_erased(head)} for head in heads],
        "in_use": next((head for head in heads if head.is_in_use), None),
        "is_training": any(head.state in ("waiting", "running") for head in heads),
        "examples": examples.count_examples(tenant=request.tenant, model=model),
        "fewest": training.FEWEST,
        "consent": queue.read_settings(tenant=request.tenant).training_consent,
    }
