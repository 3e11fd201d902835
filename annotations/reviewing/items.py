"""What the review page needs of an annotation, and of the taxonomy, as plain data."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Tenant
from annotations import selectors
from annotations.models import Annotation, Origin, Review
from annotations.reviewing.history import without_vectors
from annotations.reviewing.snapshots import read_snapshot
from annotations.reviewing.thresholds import CATEGORY, Thresholds, read_thresholds
from annotations.templatetags.annotations import age
from inference import taxonomy


def list_items(*, tenant: Tenant, annotation_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """In this order; six queries however many there are."""
    rows = Annotation.objects.for_tenant(tenant).filter(id__in=annotation_ids)
    rows = rows.select_related("task__suggested_by")
    found = {row.id: row for row in selectors.with_everything(rows)}
    thresholds = read_thresholds(tenant=tenant)
    return [build_item(found[each], thresholds) for each in annotation_ids if each in found]


def build_second(*, tenant: Tenant, first: Review) -> dict[str, Any]:
    """For a second opinion: what the model had said, and nothing of the first one."""
    annotation = selectors.get_annotation(tenant=tenant, annotation_id=first.annotation_id)
    item = build_item(annotation, read_thresholds(tenant=tenant))
    garments = without_vectors(first.before)["garments"]
    thresholds = read_thresholds(tenant=tenant)
    return item | {
        "garments": garments,
        "state": first.before["state"],
        "doubts": {each["id"]: _list_doubts(each, thresholds) for each in garments},
        "note": "",
        "suggested_by": None,
        "second": True,
    }


def build_item(annotation: Annotation, thresholds: Thresholds) -> dict[str, Any]:
    """`doubts`: by garment the fields whose values are below the shop's thresholds."""
    snapshot = without_vectors(read_snapshot(annotation))
    task = getattr(annotation, "task", None)
    suggested_by = task.suggested_by if task else None
    image = annotation.image
    return {
        "id": str(annotation.id),
        "version": annotation.version,
        "state": annotation.state,
        "garments": snapshot["garments"],
        "alternatives": annotation.alternatives,
        "doubts": {each["id"]: _list_doubts(each, thresholds) for each in snapshot["garments"]},
        "image": {
            "id": str(image.id),
            "name": image.name,
            "url": reverse("photo", args=[image.id]),
            "width": image.width,
            "height": image.height,
        },
        "product": annotation.product,
        "age": _("%s ago") % age(annotation.created_at),
        "note": task.note if task else "",
        "suggested_by": suggested_by.get_full_name() if suggested_by else None,
    }


def build_words(*, language: str) -> dict[str, Any]:
    """The taxonomy in one language, with the rules by which a panel is made of it."""
    known = taxonomy.load()
    title = known.title
    return {
        "version": known.version,
        "fields": {"category": _("Category"), "colours": _("Colours"), "object": _("Object")},
        "categories": [
            {"name": c.name, "title": title("category", c.name, language), "object": c.object_type}
            for c in known.categories
        ],
        "attributes": [
            {
                "key": a.key,
                "title": title("attribute", a.key, language),
                "on": a.applies_to,
                "values": [
                    {
                        "name": v.name,
                        "title": title("value", f"{a.key}:{v.name}", language),
                        "on": v.applies_to,
                    }
                    for v in a.values
                ],
            }
            for a in known.attributes
        ],
        "colours": [
            {"name": c.name, "title": title("colour", c.name, language), "hex": c.hex}
            for c in known.colours
        ],
        "objects": [
            {"name": o.name, "title": title("object", o.name, language)} for o in known.object_types
        ],
    }


def _list_doubts(garment: dict[str, Any], thresholds: Thresholds) -> list[str]:
    category = garment["category"]
    values = [(CATEGORY, garment["category_confidence"], garment["category_origin"])]
    values += [(x["key"], x["confidence"], x["origin"]) for x in garment["labels"]]
    return [
        key
        for key, confidence, origin in values
        if origin == Origin.MODEL and confidence < thresholds.find(key, category)
    ]
