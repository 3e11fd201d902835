"""Photos as files: to members of their shop (and operators) only, wherever they are stored."""

from collections.abc import Callable
from uuid import UUID

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header, quote_etag
from django.views.decorators.http import require_safe

from accounts.models import User
from annotations import files
from annotations.models import FashionImage

CONTENT_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
# A photo never changes; a member who was removed may see what the browser keeps for so long.
CACHE_S = 3600


@require_safe
def send_photo(request: HttpRequest, image_id: UUID) -> HttpResponseBase:
    image = _get_image(request, image_id)
    return _send(request, image, str(image.file.name), read=files.read_photo, etag=image.sha256)


@require_safe
def send_thumbnail(request: HttpRequest, image_id: UUID) -> HttpResponseBase:
    image = _get_image(request, image_id)
    return _send(
        request,
        image,
        str(image.thumbnail.name),
        read=files.read_thumbnail,
        etag=f"{image.sha256}-thumbnail",
    )


def _get_image(request: HttpRequest, image_id: UUID) -> FashionImage:
    """Strangers get what a missing photo gives. Raises Http404."""
    user = request.user
    if not isinstance(user, User):
        raise Http404
    # Operators see all; a reviewer who may enter the admin only what their shops have.
    sees_all = user.is_staff and user.has_perm("annotations.view_fashionimage")
    mine = Q() if sees_all else Q(tenant__memberships__user=user)
    image = FashionImage.objects.filter(mine, id=image_id).first()
    if image is None:
        raise Http404
    return image


def _send(
    request: HttpRequest,
    image: FashionImage,
    name: str,
    *,
    read: Callable[[FashionImage], bytes],
    etag: str,
) -> HttpResponseBase:
    response = get_conditional_response(request, etag=quote_etag(etag))
    if response is None:
        response = HttpResponse(read_file(image, read))
        extension = name.rsplit(".", 1)[-1]
        response["Content-Type"] = CONTENT_TYPES[extension]
        stem = image.name.rsplit(".", 1)[0]
        response["Content-Disposition"] = (
            content_disposition_header(as_attachment=False, filename=f"{stem}.{extension}") or ""
        )
    response["ETag"] = quote_etag(etag)
    response["Cache-Control"] = f"private, max-age={CACHE_S}"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def read_file(image: FashionImage, read: Callable[[FashionImage], bytes]) -> bytes:
    """All of it: an iterator would be streamed by a sync server and not by an async one, or the
    other way round. Raises Http404 where the file is gone."""
    try:
        return read(image)
    except FileNotFoundError as error:
        raise Http404 from error
