"""From an uploaded file to the photo that is stored, or to the reason why it is refused.

Everything is decoded once within limits, and kept upright, in sRGB, with 8 bits, without metadata:
a JPEG that is so already as it is, with a header of ours; all else is encoded anew.
"""

import hashlib
import os
import struct
import threading
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Protocol
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base as Exif

from annotations import jpegs

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP")
PLAIN_FORMATS = tuple(name for name in FORMATS if name != "AVIF")
"""Those whose headers don't lie: an AVIF of some kilobytes may say that it is small, and take the
decoder as much as 268 megapixels do."""
AVIF_BRANDS = {b"avif", b"avis"}
MIN_SIDE = 8
THUMBNAIL_SIDE = 400
# Sources without loss stay so while they are small: drawings and cut-outs suffer most from JPEG.
LOSSLESS_FORMATS = ("PNG", "GIF", "BMP")
LOSSLESS_PIXELS = 2_000_000
LONGEST_JPEG_SIDE = 65_000
LONGEST_NAME = 200

# A 50 MP photo takes about 500 MB while it is turned and converted: only so much at once.
MOST_PIXELS_AT_ONCE = 100_000_000

_room = threading.Condition()
_decoding: list[int] = []

_DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    RuntimeError,  # of the AVIF decoder
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    zlib.error,
)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


WhenDecoded = Callable[[Image.Image], None]
# Its bytes, width and height.
WhenEncoded = Callable[[bytes, int, int], None]


class PhotoRefused(ValueError):
    """`code` is stable; `detail` tells the person who uploads what to do, in their language."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Upload(Protocol):
    """What is needed of Django's UploadedFile."""

    @property
    def name(self) -> str | None: ...

    @property
    def size(self) -> int | None: ...

    def read(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Photo:
    """A checked photo, ready to be stored; `extension` is the one of `data`. Where nobody may ever
    look at it, the thumbnail is empty, and made when somebody does."""

    data: bytes
    extension: str
    thumbnail: bytes
    width: int
    height: int
    upload_sha256: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def read_upload(upload: Upload) -> bytes:
    """The bytes of an uploaded file; raises PhotoRefused for an empty or too large one."""
    if upload.size and upload.size > settings.UPLOAD_MAX_BYTES:
        raise too_large()
    return upload.read()


def check_photo(
    data: bytes,
    *,
    with_thumbnail: bool = True,
    when_decoded: WhenDecoded | None = None,
    when_encoded: WhenEncoded | None = None,
    formats: tuple[str, ...] = FORMATS,
) -> Photo:
    """Decode within limits, and encode anew where that is needed; raises PhotoRefused.

    `when_decoded` gets the upright RGB pixels; `when_encoded` what will be stored, and may raise:
    within the limits, but perhaps before it is sure that it is no damaged photo.
    Codes: `empty`, `too-large`, `unsupported-format`, `heic`, `svg`, `too-many-pixels`,
    `too-small`, `damaged`.
    """
    if not data:
        raise PhotoRefused("empty", _("The file is empty. Choose the photo again."))
    if len(data) > settings.UPLOAD_MAX_BYTES:
        raise too_large()
    with _open(data, formats) as image:
        _check_size(image)
        with room_for(_count_pixels(image)):
            return _check_pixels(
                image,
                data,
                with_thumbnail=with_thumbnail,
                when_decoded=when_decoded,
                when_encoded=when_encoded,
            )


def make_thumbnail(data: bytes) -> bytes:
    """Of a photo as it is stored."""
    with Image.open(BytesIO(data)) as image:
        # A large JPEG is decoded no larger than the filter needs it.
        image.draft("RGB", (2 * THUMBNAIL_SIDE, 2 * THUMBNAIL_SIDE))
        with room_for(image.width * image.height):
            return _encode_thumbnail(image.convert("RGB"))


@contextmanager
def room_for(pixels: int) -> Iterator[None]:
    """Wait until so many may be decoded beside those that are."""
    with _room:
        _room.wait_for(lambda: not _decoding or sum(_decoding) + pixels <= MOST_PIXELS_AT_ONCE)
        _decoding.append(pixels)
    try:
        yield
    finally:
        with _room:
            _decoding.remove(pixels)
            _room.notify_all()


def clean_name(name: str | None) -> str:
    """The file's name for people to read: no folders, no control or direction characters."""
    base = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(
        c for c in unicodedata.normalize("NFC", base) if not unicodedata.category(c).startswith("C")
    ).strip(" .")
    stem, extension = os.path.splitext(visible)
    if len(extension) > 10:
        stem, extension = visible, ""
    return stem[: LONGEST_NAME - len(extension)] + extension if visible else _("photo")


def name_of_url(url: str) -> str:
    return clean_name(unquote(urlsplit(url).path))


def _check_pixels(
    image: Image.Image,
    data: bytes,
    *,
    with_thumbnail: bool,
    when_decoded: WhenDecoded | None,
    when_encoded: WhenEncoded | None,
) -> Photo:
    stored, extension = _take_over(data, image), "jpg"
    if stored and when_encoded:
        when_encoded(stored, image.width, image.height)
    pixels = _read_pixels(image)
    if when_decoded:
        when_decoded(pixels)
    if not stored:
        stored, extension = _encode(pixels, lossless=image.format in LOSSLESS_FORMATS)
        if when_encoded:
            when_encoded(stored, pixels.width, pixels.height)
    return Photo(
        data=stored,
        extension=extension,
        thumbnail=_encode_thumbnail(pixels) if with_thumbnail else b"",
        width=pixels.width,
        height=pixels.height,
        upload_sha256=hashlib.sha256(data).hexdigest(),
    )


def _take_over(data: bytes, image: Image.Image) -> bytes | None:
    """What is stored of it where nothing has to be changed but what it says about itself."""
    is_plain = image.format == "JPEG" and image.mode == "RGB" and "icc_profile" not in image.info
    if not is_plain or not _is_upright(image):
        return None
    try:
        return jpegs.take_over(data)
    except jpegs.NotPlain:
        return None


def _is_upright(image: Image.Image) -> bool:
    if not image.info.keys() & {"exif", "xmp"}:
        return True
    with suppress(*_DAMAGED):
        return bool(image.getexif().get(Exif.Orientation, 1) == 1)
    return False


def _read_pixels(image: Image.Image) -> Image.Image:
    """Upright and RGB; raises PhotoRefused."""
    try:
        image.load()
        _turn_upright(image)
        return _to_rgb(image)
    except (*_DAMAGED, *_BOMB) as error:
        raise _damaged() from error


def _count_pixels(image: Image.Image) -> int:
    """At most so many are decoded."""
    in_plain_format = image.format in PLAIN_FORMATS
    return image.width * image.height if in_plain_format else MOST_PIXELS_AT_ONCE


def _open(data: bytes, formats: tuple[str, ...]) -> Image.Image:
    """Raises PhotoRefused."""
    try:
        return Image.open(BytesIO(data), formats=formats)
    except _BOMB as error:
        raise _too_many_pixels() from error
    except UnidentifiedImageError as error:
        raise _unsupported(data, formats) from error
    except _DAMAGED as error:
        raise _damaged() from error


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > settings.UPLOAD_MAX_PIXELS:
        raise _too_many_pixels(width, height)
    if min(width, height) < MIN_SIDE:
        raise PhotoRefused(
            "too-small",
            _("The photo is only %(width)d × %(height)d pixels. Choose a larger one.")
            % {"width": width, "height": height},
        )


def _turn_upright(image: Image.Image) -> None:
    """In place, as most photos are upright and copying all pixels would cost more."""
    # Broken metadata is no reason to refuse pixels that decoded well.
    with suppress(*_DAMAGED):
        ImageOps.exif_transpose(image, in_place=True)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey at 255 when it converts; a photo means the high byte.
        wide = image.convert("I")
        return wide.point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        ground = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(ground, layered).convert("RGB")
    coloured = _to_srgb(image)
    return coloured if coloured.mode == "RGB" else coloured.convert("RGB")


def _to_srgb(image: Image.Image) -> Image.Image:
    """Colours as the photo's own profile means them; the plain pixels without a usable one."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB") or image
    except (ImageCms.PyCMSError, *_DAMAGED):
        return image


def _encode(image: Image.Image, *, lossless: bool) -> tuple[bytes, str]:
    out = BytesIO()
    small = image.width * image.height <= LOSSLESS_PIXELS
    if (lossless and small) or max(image.size) > LONGEST_JPEG_SIDE:
        _without_metadata(image).save(out, "PNG")
        return out.getvalue(), "png"
    _without_metadata(image).save(out, "JPEG", quality=92, subsampling=0)
    return out.getvalue(), "jpg"


def _encode_thumbnail(image: Image.Image) -> bytes:
    """As JPEG: WebP is a third smaller, but would take most of the time that a photo takes. So
    would a Lanczos filter, for sharpness that nobody sees at this size."""
    scale = min(1.0, THUMBNAIL_SIDE / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    small = image.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)
    out = BytesIO()
    _without_metadata(small).save(out, "JPEG", quality=85)
    return out.getvalue()


def _without_metadata(image: Image.Image) -> Image.Image:
    """Pillow's encoders write what `info` holds (profile, EXIF, comment) unless it is emptied."""
    image.info = {}
    return image


def too_large() -> PhotoRefused:
    return PhotoRefused(
        "too-large",
        _("The file is larger than %(limit)d MB. Save it smaller and try again.")
        % {"limit": settings.UPLOAD_MAX_BYTES // 1024**2},
    )


def _too_many_pixels(width: int = 0, height: int = 0) -> PhotoRefused:
    limit = settings.UPLOAD_MAX_PIXELS // 1_000_000
    if not width:
        return PhotoRefused(
            "too-many-pixels",
            _("The photo has far more than %(limit)d megapixels. Save it smaller and try again.")
            % {"limit": limit},
        )
    return PhotoRefused(
        "too-many-pixels",
        _(
            "The photo has %(width)d × %(height)d pixels; %(limit)d megapixels are the limit."
            " Save it smaller and try again."
        )
        % {"width": width, "height": height, "limit": limit},
    )


def _damaged() -> PhotoRefused:
    return PhotoRefused(
        "damaged", _("The file is damaged or incomplete. Export or upload the photo again.")
    )


def _unsupported(data: bytes, formats: tuple[str, ...]) -> PhotoRefused:
    if data[4:8] == b"ftyp":
        return _refuse_heif(data, formats)
    if b"<svg" in data[:2048].lower():
        return PhotoRefused("svg", _("SVG is a drawing, not a photo. Export it as PNG or JPEG."))
    return PhotoRefused(
        "unsupported-format",
        _("This is no JPEG, PNG, WebP, AVIF, GIF or BMP photo. Choose another."),
    )


def _refuse_heif(data: bytes, formats: tuple[str, ...]) -> PhotoRefused:
    """What begins as HEIC does, and AVIF."""
    if not AVIF_BRANDS & set(_list_brands(data)):
        return PhotoRefused(
            "heic",
            _(
                "HEIC photos can't be read. Save the photo as JPEG; on an iPhone choose"
                " Settings › Camera › Formats › Most Compatible."
            ),
        )
    if "AVIF" in formats:
        return _damaged()
    return PhotoRefused(
        "unsupported-format", _("AVIF photos are not read here. Save the photo as JPEG.")
    )


def _list_brands(data: bytes) -> Iterator[bytes]:
    """What the first box of such a file says that it is."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    yield data[8:12]
    for start in range(16, end, 4):
        yield data[start : start + 4]
