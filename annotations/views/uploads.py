from collections.abc import Sequence

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from annotations import photos, selectors, services
from annotations.models import Annotation
from annotations.views.cards import build_cards

OTHER_SHOP = "other-shop"


@require_safe
@tenant_required
def show_annotate(request: TenantRequest) -> HttpResponse:
    annotations = selectors.list_recent(tenant=request.tenant)
    return render(
        request,
        "annotations/annotate.html",
        {
            "cards": build_cards(annotations=annotations, now=timezone.now()),
            "max_bytes": settings.UPLOAD_MAX_BYTES,
            # Says which shop the page was opened in: another tab may have switched since.
            "upload_url": f"{reverse('upload_photos')}?shop={request.tenant.id}",
        },
    )


@require_POST
@tenant_required
def upload_photos(request: TenantRequest) -> HttpResponse:
    """One file from the page's script (a fragment or a problem), or all files of the plain form."""
    uploads = request.FILES.getlist("photo")
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return _answer_script(request, uploads)
    return _answer_form(request, uploads)


def _answer_script(request: TenantRequest, uploads: Sequence[photos.Upload]) -> HttpResponse:
    if len(uploads) != 1:
        return _problem("no-file", _("No file arrived. Choose the photo again."))
    try:
        annotation, created = _store(request, uploads[0])
    except photos.PhotoRefused as error:
        # The photo itself is as good as ever in its own shop.
        return _problem(error.code, error.detail, 409 if error.code == OTHER_SHOP else 422)
    annotation = selectors.get_annotation(tenant=request.tenant, annotation_id=annotation.id)
    (card,) = build_cards(annotations=[annotation], now=timezone.now(), known_already=not created)
    return render(request, "annotations/_card.html", {"card": card}, status=201)


def _answer_form(request: TenantRequest, uploads: Sequence[photos.Upload]) -> HttpResponse:
    stored = 0
    for upload in uploads:
        name = photos.clean_name(upload.name)
        try:
            _annotation, created = _store(request, upload)
        except photos.PhotoRefused as error:
            messages.error(request, f"{name}: {error.detail}")
        else:
            stored += created
            if not created:
                messages.info(request, _("%s is here already.") % name)
    if stored:
        text = ngettext("%d photo was uploaded.", "%d photos were uploaded.", stored)
        messages.success(request, text % stored)
    if not uploads:
        messages.error(request, _("No file arrived. Choose the photo again."))
    return redirect("annotate")


def _store(request: TenantRequest, upload: photos.Upload) -> tuple[Annotation, bool]:
    """Raises PhotoRefused."""
    if request.GET.get("shop", str(request.tenant.id)) != str(request.tenant.id):
        words = _("You work in another shop by now. Open this page again, then upload.")
        raise photos.PhotoRefused(OTHER_SHOP, words)
    return services.store_photo(
        tenant=request.tenant,
        photo=photos.check_photo(photos.read_upload(upload)),
        name=photos.clean_name(upload.name),
        uploaded_by=request.user,
        now=timezone.now(),
    )


def _problem(code: str, detail: str, status: int = 422) -> HttpResponse:
    """RFC 9457."""
    return JsonResponse(
        {"type": "about:blank", "title": _("Photo refused"), "code": code, "detail": detail},
        status=status,
        content_type="application/problem+json",
    )
