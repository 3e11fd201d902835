from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from annotations import selectors, services
from annotations.forms import CropForm
from annotations.models import Annotation, FashionImage
from annotations.views.cards import Card, build_cards


def is_htmx(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers


@require_safe
@tenant_required
def show_annotation(request: TenantRequest, annotation_id: UUID) -> HttpResponse:
    """The annotation's photo with everything that was ever said about it."""
    annotation = _get_annotation(request, annotation_id)
    others = selectors.list_of_image(tenant=request.tenant, image_id=annotation.image_id)
    others = [other for other in others if other.id != annotation.id]
    card, *other_cards = build_cards(annotations=[annotation, *others], now=timezone.now())
    return render(
        request,
        "annotations/annotation.html",
        {"card": card, "annotation": annotation, "other_cards": other_cards},
    )


@require_safe
@tenant_required
def show_card(request: TenantRequest, annotation_id: UUID) -> HttpResponse:
    card = _get_card(request, annotation_id)
    context = {"card": card, "large": "large" in request.GET}
    return render(request, "annotations/_card.html", context)


@require_POST
@tenant_required
def annotate_again(request: TenantRequest, annotation_id: UUID) -> HttpResponse:
    try:
        annotation = services.annotate_again(
            tenant=request.tenant,
            annotation_id=annotation_id,
            requested_by=request.user,
            now=timezone.now(),
        )
    except (Annotation.DoesNotExist, FashionImage.DoesNotExist) as error:
        raise Http404 from error
    except services.StillWaiting:
        messages.info(request, _("This photo is still waiting."))
        return redirect("annotation", annotation_id)
    return _show_new(request, annotation)


@require_POST
@tenant_required
def annotate_crop(request: TenantRequest, image_id: UUID) -> HttpResponse:
    """From the page's script a fragment; else the new annotation's page."""
    image = _get_image(request, image_id)
    form = CropForm(request.POST)
    if form.is_valid():
        try:
            annotation = services.annotate_crop(
                tenant=request.tenant,
                image_id=image.id,
                box=form.box,
                requested_by=request.user,
                now=timezone.now(),
            )
        except FashionImage.DoesNotExist as error:  # deleted a moment ago
            raise Http404 from error
        except services.CropRefused as error:
            form.add_error(None, str(error))
        else:
            return _show_new(request, annotation)
    return _show_crop_form(request, image, form)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def delete_image(request: TenantRequest, image_id: UUID) -> HttpResponse:
    """Asks first; from the page's script, which has asked, nothing is left to show."""
    image = _get_image(request, image_id)
    if request.method != "POST":
        return render(request, "annotations/delete_image.html", {"image": image})
    services.delete_image(tenant=request.tenant, image_id=image_id)
    if is_htmx(request):
        return HttpResponse()
    messages.success(request, _("%s was deleted.") % image.name)
    return redirect("history")


def _get_annotation(request: TenantRequest, annotation_id: UUID) -> Annotation:
    try:
        return selectors.get_annotation(tenant=request.tenant, annotation_id=annotation_id)
    except Annotation.DoesNotExist as error:
        raise Http404 from error


def _get_image(request: TenantRequest, image_id: UUID) -> FashionImage:
    try:
        return FashionImage.objects.for_tenant(request.tenant).get(id=image_id)
    except FashionImage.DoesNotExist as error:
        raise Http404 from error


def _get_card(request: TenantRequest, annotation_id: UUID) -> Card:
    annotation = _get_annotation(request, annotation_id)
    return build_cards(annotations=[annotation], now=timezone.now())[0]


def _show_new(request: TenantRequest, annotation: Annotation) -> HttpResponse:
    if not is_htmx(request):
        return redirect("annotation", annotation.id)
    return render(
        request, "annotations/_card.html", {"card": _get_card(request, annotation.id)}, status=201
    )


def _show_crop_form(request: TenantRequest, image: FashionImage, form: CropForm) -> HttpResponse:
    annotation = image.annotations.filter(id__in=_read_ids(request)).first()
    if not is_htmx(request) or annotation is None:
        return render(request, "annotations/crop.html", {"image": image, "form": form}, status=422)
    # htmx shows nothing of an answer that is no success: the form comes back with its errors.
    response = render(
        request,
        "annotations/_crop_form.html",
        {"image": image, "annotation": annotation, "form": form},
    )
    response["HX-Retarget"] = f"#crop-{annotation.id}"
    response["HX-Reswap"] = "outerHTML"
    return response


def _read_ids(request: TenantRequest) -> list[UUID]:
    """The annotation whose card holds the form."""
    try:
        return [UUID(request.GET.get("card", ""))]
    except ValueError:
        return []
