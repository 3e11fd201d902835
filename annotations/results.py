"""The result of an annotation as other software gets it: by the API and in signed messages."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from annotations import selectors
from annotations.models import Annotation, FashionImage
from annotations.selectors import Found
from kalas.lib import paths


def build_result(annotation: Annotation) -> dict[str, Any]:
    """Version 1 of the format, from an annotation of `selectors.with_everything`; no queries."""
    found = (Found(g, g.labels.all(), g.colours.all()) for g in annotation.garments.all())
    return _build(annotation, found)


def build_results(
    annotations: Sequence[Annotation], *, garments: bool = True
) -> list[dict[str, Any]]:
    """The same of many, whose images are there; three queries, without the garments none."""
    ids = [annotation.id for annotation in annotations]
    found = selectors.read_garments(annotation_ids=ids) if garments and ids else {}
    return [_build(annotation, found.get(annotation.id, ())) for annotation in annotations]


def build_image(image: FashionImage) -> dict[str, Any]:
    """Its address takes a key or a member's session."""
    path = paths.build_path("api_image_file", image.id)
    return {
        "id": str(image.id),
        "name": image.name,
        "url": f"{settings.PUBLIC_URL.rstrip('/')}{path}",
        "width": image.width,
        "height": image.height,
        "sha256": image.sha256,
        "created_at": _write_time(image.created_at),
    }


def _build(annotation: Annotation, found: Iterable[Found]) -> dict[str, Any]:
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
        "garments": [_build_garment(each) for each in found],
        "abstained": annotation.abstained or None,
        "alternatives": annotation.alternatives if annotation.abstained else [],
        "error": annotation.error or None,
        "timings_ms": annotation.timings_ms,
        # Only where an imported model answered in words of its own.
        **({"original": annotation.original} if annotation.original else {}),
        "version": annotation.version,
        "reviewed_at": _write_time(annotation.reviewed_at),
    }


def _build_garment(found: Found) -> dict[str, Any]:
    garment = found.garment
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
            for label in found.labels
        ],
        "colours": [
            {
                "name": colour.name,
                "hex": colour.hex,
                "share": colour.share,
                "origin": colour.origin,
            }
            for colour in found.colours
        ],
    }


def _build_box(sides: list[int]) -> dict[str, int]:
    return dict(zip(("left", "top", "right", "bottom"), sides, strict=True))


def _write_time(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None
