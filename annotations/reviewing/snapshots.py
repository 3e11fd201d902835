"""An annotation's answer as plain data, which corrections work on and history keeps.

Boxes are [left, top, right, bottom] in pixels of the photo, right and bottom exclusive.
"""

from typing import Any, NotRequired, TypedDict
from uuid import UUID

from annotations.models import Annotation, Colour, Garment, Label


class LabelState(TypedDict):
    key: str
    name: str
    confidence: float
    origin: str


class ColourState(TypedDict):
    name: str
    hex: str
    share: float
    origin: str


class GarmentState(TypedDict):
    id: str
    object: str
    confidence: float
    primary: bool
    box: list[int]
    category: str
    category_confidence: float
    category_origin: str
    alternatives: list[dict[str, Any]]
    decisions: dict[str, Any]
    labels: list[LabelState]
    colours: list[ColourState]
    # Only where the garment was taken away, so that it can come back with it.
    embedding: NotRequired[list[float]]


class Snapshot(TypedDict):
    state: str
    abstained: str
    needs_review: bool
    least_confidence: float | None
    garments: list[GarmentState]


def read_snapshot(annotation: Annotation) -> Snapshot:
    """Three queries, none where `selectors.with_everything` has read it."""
    garments = sorted(annotation.garments.all(), key=lambda g: (-g.primary, -g.confidence, g.id))
    return Snapshot(
        state=annotation.state,
        abstained=annotation.abstained,
        needs_review=annotation.needs_review,
        least_confidence=annotation.least_confidence,
        garments=[_read_garment(garment) for garment in garments],
    )


def write_snapshot(annotation: Annotation, *, before: Snapshot, after: Snapshot) -> None:
    """Make the rows say `after`; only what differs from `before` is touched."""
    annotation.state, annotation.abstained = after["state"], after["abstained"]
    annotation.needs_review = after["needs_review"]
    annotation.least_confidence = after["least_confidence"]
    old = {garment["id"]: garment for garment in before["garments"]}
    new = {garment["id"]: garment for garment in after["garments"]}
    gone = [UUID(garment_id) for garment_id in old.keys() - new.keys()]
    if gone:
        _keep_embeddings(old, gone)
        Garment.objects.filter(annotation=annotation, id__in=gone).delete()
    for garment_id, garment in new.items():
        if garment_id not in old:
            _write_parts(_write_garment(annotation, garment), garment)
        elif garment != old[garment_id]:
            _write_parts(_write_garment(annotation, garment), garment, old[garment_id])


def _read_garment(garment: Garment) -> GarmentState:
    return GarmentState(
        id=str(garment.id),
        object=garment.object_type,
        confidence=garment.confidence,
        primary=garment.primary,
        box=list(garment.box.as_tuple()),
        category=garment.category,
        category_confidence=garment.category_confidence,
        category_origin=garment.category_origin,
        alternatives=garment.alternatives,
        decisions=garment.decisions,
        labels=[
            LabelState(key=x.key, name=x.name, confidence=x.confidence, origin=x.origin)
            for x in sorted(garment.labels.all(), key=lambda label: label.id)
        ],
        colours=[
            ColourState(name=x.name, hex=x.hex, share=x.share, origin=x.origin)
            for x in sorted(garment.colours.all(), key=lambda colour: colour.position)
        ],
    )


def _keep_embeddings(old: dict[str, GarmentState], gone: list[UUID]) -> None:
    rows = Garment.objects.filter(id__in=gone).exclude(embedding=None)
    for garment_id, embedding in rows.values_list("id", "embedding"):
        numbers: list[float] = embedding  # type: ignore[assignment]
        old[str(garment_id)]["embedding"] = [float(number) for number in numbers]


def _write_garment(annotation: Annotation, state: GarmentState) -> Garment:
    left, top, right, bottom = state["box"]
    values: dict[str, Any] = {
        "object_type": state["object"],
        "confidence": state["confidence"],
        "primary": state["primary"],
        "left": left,
        "top": top,
        "right": right,
        "bottom": bottom,
        "category": state["category"],
        "category_confidence": state["category_confidence"],
        "category_origin": state["category_origin"],
        "alternatives": state["alternatives"],
        "decisions": state["decisions"],
    }
    if "embedding" in state:
        values["embedding"] = state["embedding"]
    garment, _created = Garment.objects.defer("embedding").update_or_create(
        id=UUID(state["id"]), annotation=annotation, defaults=values
    )
    return garment


def _write_parts(garment: Garment, new: GarmentState, old: GarmentState | None = None) -> None:
    if old is None or new["labels"] != old["labels"]:
        garment.labels.all().delete()
        Label.objects.bulk_create(Label(garment=garment, **label) for label in new["labels"])
    if old is None or new["colours"] != old["colours"]:
        garment.colours.all().delete()
        Colour.objects.bulk_create(
            Colour(garment=garment, position=i, **colour) for i, colour in enumerate(new["colours"])
        )
