"""Whether the model was right, value by value, as reviews say."""

from collections.abc import Iterator

from annotations.models import Annotation, Origin, Review, ReviewOutcome
from annotations.reviewing.snapshots import GarmentState, Snapshot
from annotations.reviewing.thresholds import CATEGORY

NOTHING = "not-a-garment"


def record_outcomes(annotation: Annotation, review: Review) -> None:
    """One query. An unreadable photo says nothing about the model; an undo takes back by itself."""
    if review.kind != Review.Kind.REVIEW or review.verdict == Review.Verdict.BAD_PHOTO:
        return
    model = f"{annotation.model_name} {annotation.model_version}".strip()
    ReviewOutcome.objects.bulk_create(
        ReviewOutcome(
            tenant_id=annotation.tenant_id,
            review=review,
            annotation=annotation,
            garment_id=garment_id,
            key=key,
            category=category,
            value=value,
            said=said,
            confidence=confidence,
            right=value == said,
            model=model,
            version=review.version,
        )
        for garment_id, category, key, value, confidence, said in list_outcomes(
            review.before, review.after
        )
    )


def list_outcomes(
    before: Snapshot, after: Snapshot
) -> Iterator[tuple[str, str, str, str, float | None, str]]:
    """Garment, its category, key, what the model said, how surely, and what a person said."""
    kept = {garment["id"]: garment for garment in after["garments"]}
    for old in before["garments"]:
        new = kept.get(old["id"])
        category = old["category"]
        if old["category_origin"] == Origin.MODEL:
            said = new["category"] if new else NOTHING
            yield old["id"], category, CATEGORY, category, old["category_confidence"], said
        if new is None:
            continue
        keys = dict.fromkeys(label["key"] for label in (*old["labels"], *new["labels"]))
        for key in keys:
            if _origin(old, key) != Origin.MODEL:
                continue
            value, confidence = _read(old, key)
            said, _confidence = _read(new, key)
            # What goes because of another category was no mistake of its own.
            if value and not said and new["category"] != category:
                continue
            yield old["id"], category, key, value, confidence, said


def _read(garment: GarmentState, key: str) -> tuple[str, float | None]:
    for label in garment["labels"]:
        if label["key"] == key:
            return label["name"], label["confidence"]
    return "", None


def _origin(garment: GarmentState, key: str) -> str:
    found = next((x["origin"] for x in garment["labels"] if x["key"] == key), "")
    return found or (Origin.HUMAN if key in garment["decisions"] else Origin.MODEL)
