from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from annotations import files, landmarks, selectors
from annotations.models import Annotation
from inference import client
from inference.contract import InvalidImage

NAMES = {
    "left collar": _("left collar"),
    "right collar": _("right collar"),
    "left sleeve": _("left sleeve"),
    "right sleeve": _("right sleeve"),
    "left waistline": _("left waistline"),
    "right waistline": _("right waistline"),
    "left hem": _("left hem"),
    "right hem": _("right hem"),
}


@require_safe
@tenant_required
def show_landmarks(request: TenantRequest, annotation_id: UUID) -> HttpResponse:
    """Without a detector it says what to get, and how."""
    try:
        annotation = selectors.get_annotation(tenant=request.tenant, annotation_id=annotation_id)
    except Annotation.DoesNotExist as error:
        raise Http404 from error
    context: dict[str, object] = {
        "annotation": annotation,
        "image": annotation.image,
        "radius": max(annotation.image.width, annotation.image.height) / 90,
        "letters": max(annotation.image.width, annotation.image.height) / 22,
    }
    try:
        _model, found = landmarks.find_landmarks(annotation=annotation)
    except landmarks.NoDetector:
        context["no_detector"] = True
    except (
        client.Unavailable,
        client.Overloaded,
        FileNotFoundError,
        files.StorageAway,
        InvalidImage,
        ValueError,
    ):
        context["away"] = True
    else:
        context["has_garments"] = annotation.garments.exists()
        context["found"] = [
            (each.garment, [(NAMES[point.name], point) for point in each.points]) for each in found
        ]
    return render(request, "annotations/landmarks.html", context)
