"""What a person says about a result. The model's own words are never lost: each change is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import ApiKey, Tenant, User
from annotations import live, signals
from annotations.models import Annotation, Garment, Label, Origin, Review
from inference import taxonomy


class NotReviewable(Exception):
    """The annotation has no result."""


class CorrectionRefused(ValueError):
    """What the taxonomy does not know, or another photo's garment; `field` says where."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Correction:
    """Of one garment. An attribute's value None takes it away; what is left out stays."""

    garment_id: UUID
    category: str = ""
    attributes: Mapping[str, str | None] = field(default_factory=dict)


@transaction.atomic
def review_annotation(
    *,
    tenant: Tenant,
    annotation_id: UUID,
    corrections: Sequence[Correction],
    reviewer: User | None,
    key: ApiKey | None,
    now: datetime,
) -> Review:
    """Accept a result, with corrections where there are any; announced after commit.

    Raises Annotation.DoesNotExist for another shop's, NotReviewable and CorrectionRefused.
    """
    annotations = Annotation.objects.for_tenant(tenant).select_for_update(of=("self",))
    annotation = annotations.get(id=annotation_id)
    if annotation.state != Annotation.State.DONE:
        raise NotReviewable
    garments = {garment.id: garment for garment in annotation.garments.all()}
    changes: list[dict[str, Any]] = []
    for number, correction in enumerate(corrections):
        garment = garments.get(correction.garment_id)
        if garment is None:
            raise CorrectionRefused(f"garments.{number}.id", "This annotation has no such garment.")
        changes += _set_category(garment, correction, f"garments.{number}.category")
        changes += _set_attributes(garment, correction, f"garments.{number}.attributes")
    annotation.needs_review = False
    annotation.save(update_fields=["needs_review"])
    review = Review.objects.create(
        tenant=tenant,
        annotation=annotation,
        reviewer=reviewer,
        key=key,
        changes=changes,
        created_at=now,
    )
    live.announce_annotation(annotation)
    live.announce_review(tenant_id=tenant.id, annotation_id=annotation.id, state=annotation.state)
    signals.annotation_reviewed.send(
        Review,
        tenant_id=tenant.id,
        annotation_id=annotation.id,
        image_id=annotation.image_id,
    )
    return review


def _set_category(garment: Garment, correction: Correction, path: str) -> list[dict[str, Any]]:
    name = correction.category
    if not name or name == garment.category:
        return []
    try:
        category = taxonomy.load().category(name)
    except taxonomy.UnknownLabel as error:
        raise CorrectionRefused(path, "The taxonomy has no such category.") from error
    change = _describe(garment, "category", garment.category, name)
    garment.category, garment.object_type = name, category.object_type
    garment.category_origin = Origin.HUMAN
    garment.save(update_fields=["category", "object_type", "category_origin"])
    return [change, *_remove_inapplicable(garment)]


def _remove_inapplicable(garment: Garment) -> list[dict[str, Any]]:
    """What the garment's new category can't have, such as sleeves of trousers."""
    changes = []
    for label in garment.labels.all():
        if not _applies(label.key, label.name, garment.category):
            label.delete()
            changes.append(_describe(garment, label.key, label.name, None))
    return changes


def _applies(key: str, value: str, category: str) -> bool:
    try:
        return taxonomy.load().applies(key, value, category)
    except taxonomy.UnknownLabel:  # of another taxonomy
        return True


def _set_attributes(garment: Garment, correction: Correction, path: str) -> list[dict[str, Any]]:
    changes = []
    for key, value in correction.attributes.items():
        _check_attribute(key, value, garment.category, f"{path}.{key}")
        before = garment.labels.filter(key=key)
        names = [label.name for label in before]
        if names == ([value] if value else []):
            continue
        before.delete()
        if value:
            Label.objects.create(
                garment=garment, key=key, name=value, confidence=1, origin=Origin.HUMAN
            )
        changes.append(_describe(garment, key, names[0] if names else None, value))
    return changes


def _check_attribute(key: str, value: str | None, category: str, path: str) -> None:
    known = taxonomy.load()
    try:
        known.attribute(key)
        applies = value is None or known.applies(key, value, category)
    except taxonomy.UnknownLabel as error:
        raise CorrectionRefused(path, "The taxonomy has no such attribute or value.") from error
    if not applies:
        raise CorrectionRefused(path, f"This does not apply to the category {category}.")


def _describe(garment: Garment, key: str, before: str | None, after: str | None) -> dict[str, Any]:
    return {"garment": str(garment.id), "key": key, "from": before, "to": after}
