"""The photos of a product, and the products that may be the same."""

from collections.abc import Sequence
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from annotations import photos as annotation_photos
from annotations.models import Annotation
from retrieval import catalogue
from retrieval.models import NearDuplicate, Product, ProductImage
from retrieval.services import duplicates, photos


@require_POST
@tenant_required
def add_photos(request: TenantRequest, product_id: UUID) -> HttpResponse:
    """One file from the page's script (a fragment or a problem), or all files of the plain form."""
    product = Product.objects.for_tenant(request.tenant).filter(id=product_id).first()
    if product is None:
        raise Http404
    uploads = request.FILES.getlist("photo")
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return _answer_script(request, product, uploads)
    added = 0
    for upload in uploads:
        try:
            added += _add(request, product, upload) is not None
        except annotation_photos.PhotoRefused as error:
            name = annotation_photos.clean_name(upload.name)
            messages.error(request, f"{name}: {error.detail}")
    if added:
        text = ngettext("%d photo was added.", "%d photos were added.", added)
        messages.success(request, text % added)
    return redirect("product", product.id)


@require_POST
@tenant_required
def remove_photo(request: TenantRequest, product_image_id: UUID) -> HttpResponse:
    try:
        photo = photos.remove_photo(
            tenant=request.tenant, product_image_id=product_image_id, now=timezone.now()
        )
    except ProductImage.DoesNotExist as error:
        raise Http404 from error
    messages.success(request, _("The photo was taken from this product."))
    return redirect("product", photo.product_id)


@require_POST
@tenant_required
def fetch_photo_again(request: TenantRequest, product_image_id: UUID) -> HttpResponse:
    try:
        photo = photos.fetch_again(tenant=request.tenant, product_image_id=product_image_id)
    except ProductImage.DoesNotExist as error:
        raise Http404 from error
    return redirect("product", photo.product_id)


@require_POST
@tenant_required
def merge_duplicate(request: TenantRequest, duplicate_id: UUID) -> HttpResponse:
    """Into the product whose page asked."""
    try:
        kept = duplicates.merge_duplicate(
            tenant=request.tenant,
            duplicate_id=duplicate_id,
            keep_id=_read_id(request.POST.get("keep", "")),
            now=timezone.now(),
        )
    except NearDuplicate.DoesNotExist as error:
        raise Http404 from error
    messages.success(request, _("The two products are one now."))
    return redirect("product", kept.id)


@require_POST
@tenant_required
def dismiss_duplicate(request: TenantRequest, duplicate_id: UUID) -> HttpResponse:
    try:
        duplicate = duplicates.dismiss_duplicate(
            tenant=request.tenant, duplicate_id=duplicate_id, now=timezone.now()
        )
    except NearDuplicate.DoesNotExist as error:
        raise Http404 from error
    back = _read_id(request.POST.get("keep", ""))
    both = (duplicate.product_id, duplicate.other_id)
    return redirect("product", back if back in both else duplicate.product_id)


def _answer_script(
    request: TenantRequest, product: Product, uploads: Sequence[annotation_photos.Upload]
) -> HttpResponse:
    if len(uploads) != 1:
        return _problem("no-file", _("No file arrived. Choose the photo again."))
    try:
        photo = _add(request, product, uploads[0])
    except annotation_photos.PhotoRefused as error:
        return _problem(error.code, error.detail)
    if photo is None:
        return _problem("repeated", _("This product has the photo already."))
    (shown,) = [
        each for each in catalogue.list_photos(product=product) if each.photo.id == photo.id
    ]
    context = {"each": shown, "product": product}
    return render(request, "retrieval/_product_photo.html", context, status=201)


def _add(
    request: TenantRequest, product: Product, upload: annotation_photos.Upload
) -> ProductImage | None:
    """None where the product has it already. Raises PhotoRefused."""
    photo, measures = photos.check_and_measure(annotation_photos.read_upload(upload))
    try:
        return photos.add_photo(
            tenant=request.tenant,
            product_id=product.id,
            photo=photo,
            measures=measures,
            name=annotation_photos.clean_name(upload.name),
            added_by=request.user,
            now=timezone.now(),
            priority=Annotation.Priority.UPLOAD,
            counts=False,
        )
    except Product.DoesNotExist as error:  # deleted a moment ago
        raise Http404 from error
    except photos.TooManyPhotos as error:
        detail = _("A product may have %d photos. Remove one first.") % photos.MOST_PHOTOS
        raise annotation_photos.PhotoRefused("too-many-photos", detail) from error


def _problem(code: str, detail: str) -> HttpResponse:
    return JsonResponse(
        {"type": "about:blank", "title": _("Not uploaded"), "code": code, "detail": detail},
        status=422,
        content_type="application/problem+json",
    )


def _read_id(text: str) -> UUID:
    """Raises Http404."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error
