"""What a person changed in the store of what Kalas had written: it is theirs now, and a lesson."""

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from annotations.models import Annotation, Review
from annotations.reviewing.corrections import (
    MOST_COLOURS,
    Correction,
    CorrectionRefused,
    Corrections,
)
from annotations.reviewing.services import NotReviewable, Reviewer, review_annotation
from integrations.stores import changes, words
from integrations.stores.changes import Edit, Written, fold
from integrations.stores.contract import RemoteProduct
from integrations.stores.models import Store, StoreProduct, WriteBack

logger = logging.getLogger(__name__)


@transaction.atomic
def take_edits(
    store: Store, row: StoreProduct, remote: RemoteProduct, *, now: datetime
) -> list[Edit]:
    """Note whose words these are now, and correct the annotation where Kalas knows the word."""
    written = Written.from_json(row.written)
    edits = changes.find_edits(remote, written)
    if not edits or _is_being_undone(row, remote):
        return []
    row.written = changes.give_up(written, edits).to_json()
    row.taken_over = sorted({*row.taken_over, *(edit.slot[:300] for edit in edits)})
    row.save(update_fields=["written", "taken_over"])
    _correct(store, row, remote, edits, written, now=now)
    return edits


def _is_being_undone(row: StoreProduct, remote: RemoteProduct) -> bool:
    """What is missing there may be missing by our own hand: an undo goes out before it is noted,
    and its answer may be lost."""
    undoable = row.write_backs.filter(
        state__in=[WriteBack.State.REVERTING, WriteBack.State.APPLIED]
    )
    return any(
        each.state == WriteBack.State.REVERTING or remote.marker.startswith(each.undo_marker)
        for each in undoable.only("id", "state")
    )


def _was_reviewed_since(row: StoreProduct, annotation: Annotation) -> bool:
    """Whether a person has looked at the photo after Kalas wrote: that is the later word."""
    applied_at = row.write_backs.aggregate(at=Max("applied_at"))["at"]
    if applied_at is None or annotation.reviewed_at is None:
        return False
    return bool(annotation.reviewed_at > applied_at)


def _correct(
    store: Store,
    row: StoreProduct,
    remote: RemoteProduct,
    edits: Sequence[Edit],
    written: Written,
    *,
    now: datetime,
) -> None:
    """Only where another word that Kalas knows came instead. What is just gone says nothing of the
    garment: a term that is deleted in the store goes from all products at once."""
    garment = row.product.garment if row.product else None
    if garment is None or _was_reviewed_since(row, garment.annotation):
        return
    dictionary = words.read_dictionary(store)
    category, colours, attributes = "", list[str](), dict[str, str | None]()
    for edit in edits:
        if edit.slot == "category":
            found = dictionary.find(words.list_labels()["category"], edit.words)
            category = found.removeprefix("category:")
        elif edit.slot == f"attribute:{words.COLOUR}":
            found_colours = dictionary.find_all(words.list_colours(), edit.words)
            # Beside a word that nobody knows they don't say all of it.
            colours = found_colours if len(found_colours) == len(set(edit.words)) else []
        elif key := _find_key(edit, written):
            instead = edit.words or _list_foreign_tags(remote, written)
            if label := dictionary.find(words.list_values(key), instead):
                attributes[key] = label.rpartition(":")[2]
    colours = colours or _find_colours(edits, remote, written, dictionary)
    if not category and not attributes and not colours:
        return
    named = colours[:MOST_COLOURS] or None
    corrections = [Correction(garment.id, category, attributes, colours=named)]
    if category and attributes:
        # What does not apply to the new category says nothing against the category.
        corrections.append(Correction(garment.id, category, {}, colours=named))
    for correction in corrections:
        try:
            with transaction.atomic():
                review_annotation(
                    tenant=store.tenant,
                    annotation_id=garment.annotation_id,
                    by=Reviewer(source=Review.Source.STORE),
                    now=now,
                    corrections=Corrections(garments=[correction]),
                )
        except (CorrectionRefused, NotReviewable, Annotation.DoesNotExist) as error:
            logger.info("An edit in a store is no correction: %s", error)
        else:
            return


def _find_key(edit: Edit, written: Written) -> str:
    """The attribute that an edit is about. A tag says so only where the attribute beside it, which
    stayed, does not say otherwise."""
    kind, _colon, rest = edit.slot.partition(":")
    if kind == "attribute":
        return rest if edit.words and rest != words.COLOUR else ""
    label = edit.labels[0] if edit.labels else ""
    if kind == "tag" and label.startswith("value:"):
        key = label.split(":")[1]
        return "" if key in written.attributes else key
    return ""


def _find_colours(
    edits: Sequence[Edit], remote: RemoteProduct, written: Written, dictionary: words.Dictionary
) -> list[str]:
    """Where only tags say them: those of ours that stayed, with the person's in place of those
    that went. None where nothing came instead, or where the attribute says them."""
    ours = {fold(tag): label for tag, label in written.tags.items()}
    gone = {edit.slot for edit in edits if any(map(_is_colour, edit.labels))}
    if words.COLOUR in written.attributes or not any(each.startswith("tag:") for each in gone):
        return []
    new = dictionary.find_all(words.list_colours(), _list_foreign_tags(remote, written))
    tags = set(map(fold, remote.tags))
    stayed = [
        label.removeprefix("colour:")
        for tag, label in ours.items()
        if _is_colour(label) and tag in tags
    ]
    return list(dict.fromkeys([*stayed, *new])) if new else []


def _is_colour(label: str) -> bool:
    return label.startswith("colour:")


def _list_foreign_tags(remote: RemoteProduct, written: Written) -> list[str]:
    ours = set(map(changes.fold, written.tags))
    return [tag for tag in remote.tags if changes.fold(tag) not in ours]
