from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from annotations.models import Annotation
from retrieval import selectors

SHOWN = 8


@require_safe
@tenant_required
def show_similar(request: TenantRequest, annotation_id: UUID) -> HttpResponse:
    """A fragment of the annotation's page."""
    annotation = Annotation.objects.for_tenant(request.tenant).filter(id=annotation_id).first()
    if annotation is None:
        raise Http404
    garment = selectors.main_garment(annotation=annotation)
    similar = (
        selectors.nearest_garments(tenant=request.tenant, garment=garment, limit=SHOWN)
        if garment
        else []
    )
    return render(request, "retrieval/_similar.html", {"garment": garment, "similar": similar})
