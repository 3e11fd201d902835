"""Minimal objects and photos for tests."""

import re
from io import BytesIO
from itertools import count

from django.utils import timezone
from PIL import Image

from accounts.models import Tenant
from annotations import photos, recording, services
from annotations.models import Annotation, FashionImage
from inference.contract import (
    Alternative,
    AnnotationResult,
    Box,
    Category,
    Colour,
    Garment,
    Label,
    ModelName,
)

_numbers = count(1)


def hide_tokens(response) -> str:
    """A page's body without its address and without what differs each time it is shown."""
    body = response.content.decode().replace(response.wsgi_request.path, "")
    return re.sub(r"[A-Za-z0-9]{64}", "", body)


def list_names(image: FashionImage) -> list[str]:
    """Of the photo's files."""
    return sorted(str(file.name) for file in (image.file, image.thumbnail))


def encode(image: Image.Image, format: str = "JPEG", **options) -> bytes:
    out = BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def make_photo_bytes(*, size: tuple[int, int] = (60, 80), format: str = "PNG") -> bytes:
    """A photo unlike all others of this test run."""
    image = Image.new("RGB", size, "white")
    number = next(_numbers)
    image.paste((number % 251, number // 251, 90), (10, 10, size[0] - 10, size[1] - 10))
    return encode(image, format)


def make_annotation(
    *, tenant: Tenant, data: bytes = b"", name: str = "shirt.png", **fields
) -> Annotation:
    """A photo that waits for its annotation."""
    annotation, _created = services.store_photo(
        tenant=tenant,
        photo=photos.check_photo(data or make_photo_bytes()),
        name=name,
        uploaded_by=None,
        now=fields.pop("now", None) or timezone.now(),
        **fields,
    )
    return annotation


def make_image(*, tenant: Tenant, **fields) -> FashionImage:
    return make_annotation(tenant=tenant, **fields).image


def make_done_annotation(
    *, tenant: Tenant, result: AnnotationResult | None = None, **fields
) -> Annotation:
    annotation = make_annotation(tenant=tenant, **fields)
    recording.record_result(
        annotation=annotation, result=result or make_result(), now=timezone.now()
    )
    annotation.refresh_from_db()
    return annotation


def make_garment(
    *,
    category: str = "t-shirt",
    confidence: float = 0.93,
    object_type: str = "upper-body",
    colour: str = "navy-blue",
    embedding: tuple[float, ...] = (1.0, 0.0),
) -> Garment:
    return Garment(
        object=object_type,  # type: ignore[arg-type]
        confidence=0.97,
        primary=True,
        box=Box(10, 10, 50, 70),
        category=Category(category, confidence, (Alternative("top", 0.04),)),
        attributes=(Label("pattern", "striped", 0.88),),
        colours=(Colour(colour, "#1b2a49", 0.62), Colour("white", "#ffffff", 0.38)),
        embedding=embedding,
    )


def make_result(
    *garments: Garment,
    abstained: str | None = None,
    alternatives: tuple[Alternative, ...] = (),
    **fields,
) -> AnnotationResult:
    found = () if abstained else garments or (make_garment(**fields),)
    return AnnotationResult(
        width=60,
        height=80,
        model=ModelName("kalas-mini", "1", "kalas-1"),
        garments=found,
        abstained=abstained,  # type: ignore[arg-type]
        timings_ms={"total": 12.5},
        alternatives=alternatives,
    )
