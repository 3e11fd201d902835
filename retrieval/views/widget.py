"""What pages of shops load: the widget's modules, and the thumbnails of what it found."""

import gzip
import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.views.decorators.http import require_safe

from annotations import files
from annotations.models import FashionImage
from annotations.views.media import read_file
from retrieval import thumbnails

FOLDER = settings.BASE_DIR / "static" / "js" / "widget"
# The entry's address never changes, so a new version of it is seen within the hour.
ENTRY = "public, max-age=3600"
FOR_EVER = "public, max-age=31536000, immutable"
NOT_KEPT = "no-cache"
A_DAY = "public, max-age=86400"
_IMPORT = re.compile(r'(from "\./[a-z-]+\.js)"')


@dataclass(frozen=True, slots=True)
class Module:
    body: bytes
    compressed: bytes
    etag: str


@require_safe
def send_module(request: HttpRequest, name: str) -> HttpResponseBase:
    """A module of the widget, for pages of any origin: what it may ask is its key's matter."""
    module = read_modules().get(name)
    if module is None:
        raise Http404
    etag = f'"{module.etag}"'
    response: HttpResponseBase | None = get_conditional_response(request, etag=etag)
    if response is None:
        takes_gzip = "gzip" in request.headers.get("Accept-Encoding", "")
        response = HttpResponse(
            module.compressed if takes_gzip else module.body,
            content_type="text/javascript; charset=utf-8",
        )
        if takes_gzip:
            response["Content-Encoding"] = "gzip"
    response["ETag"] = etag
    response["Cache-Control"] = _choose_lifetime(request)
    patch_vary_headers(response, ["Accept-Encoding"])
    return _open_to_all(response)


@require_safe
def send_shown_thumbnail(request: HttpRequest, token: str) -> HttpResponseBase:
    """The token says which photo, and that its shop shows it."""
    try:
        image_id = thumbnails.read_token(token, now=timezone.now())
    except thumbnails.Expired as error:
        raise Http404 from error
    image = FashionImage.objects.filter(id=image_id).only("file", "thumbnail").first()
    if image is None:
        raise Http404
    response = HttpResponse(read_file(image, files.read_thumbnail), content_type="image/jpeg")
    response["Cache-Control"] = A_DAY
    return _open_to_all(response)


@cache
def list_modules() -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.js"))}


@cache
def find_version() -> str:
    return sha256(b"".join(list_modules().values())).hexdigest()[:12]


@cache
def read_modules() -> dict[str, Module]:
    """What they import is named with a version, so that no page gets modules of different ones."""
    return {name: _build_module(body) for name, body in list_modules().items()}


def _build_module(source: bytes) -> Module:
    body = _IMPORT.sub(rf'\1?v={find_version()}"', source.decode()).encode()
    return Module(body, gzip.compress(body, mtime=0), sha256(body).hexdigest()[:24])


def _choose_lifetime(request: HttpRequest) -> str:
    """While a new version is put into place, either process may be asked for the other's."""
    if "v" not in request.GET:
        return ENTRY
    return FOR_EVER if request.GET["v"] == find_version() else NOT_KEPT


def _open_to_all(response: HttpResponseBase) -> HttpResponseBase:
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["X-Content-Type-Options"] = "nosniff"
    return response
