"""The result of an annotation as other software gets it: by the API and in signed messages."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from annotations.models import Annotation, FashionImage, Garment


def build_result(annotation: Annotation, *, garments: bool = True) -> dict[str, Any]:
    """Version 1 of the format, from an annotation of `selectors.with_everything`; no queries."""
    found = annotation.garments.all() if garments else ()
    return {
        "id": str(annotation.id),
        "state": annotation.state,
        "needs_review": annotation.needs_review,
        "created_at": _write_time(annotation.created_at),
        "finished_at": _write_time(annotation.finished_at),
        "image": build_image(annotation.image),
        "crop": _build_box(annotation.crop) if annotation.crop else None,
        "hint": annotation.hint or None,
        "product": annotation.product or None,
        "model": {
            "name": annotation.model_name,
            "version": annotation.model_version,
            "taxonomy": annotation.taxonomy,
        }
        if annotation.model_name
        else None,
        "garments": [_build_garment(garment) for garment in found],
        "abstained": annotation.abstained or None,
        "error": annotation.error or None,
        "timings_ms": annotation.timings_ms,
        # Only where an imported model answered in words of its own.
        **({"original": annotation.original} if annotation.original else {}),
    }


def build_image(image: FashionImage) -> dict[str, Any]:
    """Its address takes a key or a member's session."""
    path = reverse("api_image_file", args=[image.id])
    return {
        "id": str(image.id),
        "name": image.name,
        "url": f"{settings.PUBLIC_URL.rstrip('/')}{path}",
        "width": image.width,
        "height": image.height,
        "sha256": image.sha256,
        "created_at": _write_time(image.created_at),
    }


def _build_garment(garment: Garment) -> dict[str, Any]:
    return {
        "id": str(garment.id),
        "object": garment.object_type,
        "confidence": garment.confidence,
        "primary": garment.primary,
        "box": _build_box([garment.left, garment.top, garment.right, garment.bottom]),
        "category": {
            "name": garment.category,
            "confidence": garment.category_confidence,
            "origin": garment.category_origin,
            "alternatives": garment.alternatives,
        },
        "attributes": [
            {
                "key": label.key,
                "name": label.name,
                "confidence": label.confidence,
                "origin": label.origin,
            }
            for label in garment.labels.all()
        ],
        "colours": [
            {"name": colour.name, "hex": colour.hex, "share": colour.share}
            for colour in garment.colours.all()
        ],
    }


def _build_box(sides: list[int]) -> dict[str, int]:
    return dict(zip(("left", "top", "right", "bottom"), sides, strict=True))


def _write_time(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None
