"""What a person says about an answer, put into the answer; plain data in and out, no queries."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.utils.translation import gettext as _

from annotations.models import Annotation, Origin, Review
from annotations.reviewing.snapshots import ColourState, GarmentState, LabelState, Snapshot
from inference import taxonomy
from inference.contract import Box

SMALLEST_SIDE = 2
MOST_GARMENTS = 50
MOST_COLOURS = 5
# What a verdict makes of the annotation: the words of the engine where it has no answer.
ABSTAINED = {Review.Verdict.NOT_A_GARMENT: "no-garment", Review.Verdict.BAD_PHOTO: "unreadable"}


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
    object_type: str = ""
    box: Box | None = None
    colours: Sequence[str] | None = None
    primary: bool | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Addition:
    """A garment that the model did not see."""

    category: str
    box: Box
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    object_type: str = ""
    colours: Sequence[str] | None = None
    garment_id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, slots=True)
class Corrections:
    """All that is said at once; nothing: the answer is right as it is."""

    garments: Sequence[Correction] = ()
    added: Sequence[Addition] = ()
    verdict: Review.Verdict = Review.Verdict.ANSWER


@dataclass(frozen=True, slots=True)
class Photo:
    """What a box must lie in."""

    width: int
    height: int


def apply_corrections(
    before: Snapshot, said: Corrections, *, photo: Photo, stamp: Mapping[str, Any]
) -> Snapshot:
    """The answer after a review. `stamp` (who, when) is kept with each decision; it names the
    origin where that is not a person who used Kalas.

    Raises CorrectionRefused.
    """
    after = copy.deepcopy(before)
    after["needs_review"], after["least_confidence"] = False, None
    if said.verdict != Review.Verdict.ANSWER:
        after["state"] = Annotation.State.ABSTAINED.value
        after["abstained"] = ABSTAINED[said.verdict]
        after["garments"] = []
        return after
    garments = {garment["id"]: garment for garment in after["garments"]}
    for number, correction in enumerate(said.garments):
        path = f"garments.{number}"
        garment = garments.get(str(correction.garment_id))
        if garment is None:
            raise CorrectionRefused(f"{path}.id", _("This annotation has no such garment."))
        if correction.removed:
            after["garments"].remove(garments.pop(garment["id"]))
            continue
        _correct(garment, correction, photo, stamp, path)
        if correction.primary:
            _make_primary(after["garments"], garment, stamp)
    for number, addition in enumerate(said.added):
        path = f"added.{number}"
        if str(addition.garment_id) in garments:
            raise CorrectionRefused(f"{path}.id", _("This annotation has this garment already."))
        garments[str(addition.garment_id)] = added = _add(addition, photo, stamp, path)
        after["garments"].append(added)
    _finish(after)
    return after


def _finish(after: Snapshot) -> None:
    garments = after["garments"]
    if len(garments) > MOST_GARMENTS:
        raise CorrectionRefused("added", _("A photo has at most %d garments.") % MOST_GARMENTS)
    if not garments:
        after["state"], after["abstained"] = Annotation.State.ABSTAINED.value, "no-garment"
        return
    after["state"], after["abstained"] = Annotation.State.DONE.value, ""
    if not any(garment["primary"] for garment in garments):
        garments[0]["primary"] = True


def _correct(
    garment: GarmentState,
    correction: Correction,
    photo: Photo,
    stamp: Mapping[str, Any],
    path: str,
) -> None:
    if correction.category:
        _set_category(garment, correction.category, stamp, f"{path}.category")
    if correction.object_type and correction.object_type != garment["object"]:
        _check_object(correction.object_type, f"{path}.object")
        garment["object"] = correction.object_type
        garment["decisions"]["object"] = dict(stamp)
    if correction.box is not None:
        _set_box(garment, correction.box, photo, stamp, f"{path}.box")
    for key, value in correction.attributes.items():
        _set_attribute(garment, key, value, stamp, f"{path}.attributes.{key}")
    if correction.colours is not None:
        _set_colours(garment, correction.colours, stamp, f"{path}.colours")


def _add(addition: Addition, photo: Photo, stamp: Mapping[str, Any], path: str) -> GarmentState:
    category = _find_category(addition.category, f"{path}.category")
    garment = GarmentState(
        id=str(addition.garment_id),
        object=category.object_type,
        confidence=1.0,
        primary=False,
        box=[0, 0, 0, 0],
        category=category.name,
        category_confidence=1.0,
        category_origin=_origin(stamp),
        alternatives=[],
        decisions={"category": dict(stamp)},
        labels=[],
        colours=[],
    )
    correction = Correction(
        addition.garment_id,
        attributes=addition.attributes,
        object_type=addition.object_type,
        box=addition.box,
        colours=addition.colours,
    )
    _correct(garment, correction, photo, stamp, path)
    return garment


def _set_category(garment: GarmentState, name: str, stamp: Mapping[str, Any], path: str) -> None:
    if name == garment["category"]:
        return
    category = _find_category(name, path)
    garment["category"], garment["object"] = name, category.object_type
    garment["category_confidence"] = 1.0
    garment["category_origin"] = _origin(stamp)
    garment["decisions"]["category"] = dict(stamp)
    # What the new category can't have, such as sleeves of trousers, goes.
    garment["labels"] = [x for x in garment["labels"] if may_have(x["key"], x["name"], name)]


def _set_attribute(
    garment: GarmentState, key: str, value: str | None, stamp: Mapping[str, Any], path: str
) -> None:
    _check_attribute(key, value, garment["category"], path)
    kept = [label for label in garment["labels"] if label["key"] != key]
    names = [label["name"] for label in garment["labels"] if label["key"] == key]
    if names == ([value] if value else []):
        return
    if value:
        label = LabelState(key=key, name=value, confidence=1.0, origin=_origin(stamp))
        kept.append(label)
    garment["labels"] = kept
    garment["decisions"][key] = dict(stamp)


def _set_box(
    garment: GarmentState, box: Box, photo: Photo, stamp: Mapping[str, Any], path: str
) -> None:
    if list(box.as_tuple()) == garment["box"]:
        return
    if box.right > photo.width or box.bottom > photo.height:
        raise CorrectionRefused(
            path,
            _("The box must lie inside the photo, which is %(width)d × %(height)d pixels.")
            % {"width": photo.width, "height": photo.height},
        )
    if min(box.width, box.height) < SMALLEST_SIDE:
        raise CorrectionRefused(
            path, _("The box must be at least %d pixels wide and high.") % SMALLEST_SIDE
        )
    garment["box"] = list(box.as_tuple())
    garment["decisions"]["box"] = dict(stamp)


def _set_colours(
    garment: GarmentState, names: Sequence[str], stamp: Mapping[str, Any], path: str
) -> None:
    """The first is the main one. A colour that was there keeps its share and its shade."""
    before = {colour["name"]: colour for colour in garment["colours"]}
    if list(names) == [colour["name"] for colour in garment["colours"]]:
        return
    if len(names) > MOST_COLOURS or len(set(names)) < len(names):
        raise CorrectionRefused(path, _("At most %d colours, each once.") % MOST_COLOURS)
    known = {colour.name: colour.hex for colour in taxonomy.load().colours}
    if unknown := [name for name in names if name not in known and name not in before]:
        raise CorrectionRefused(path, _("The taxonomy has no colour %s.") % unknown[0])
    shares = [before[name]["share"] if name in before else 0.0 for name in names]
    middle = sum(shares) / (sum(1 for share in shares if share) or 1) or 1.0
    shares = [share or middle for share in shares]
    garment["colours"] = [
        before[name] | {"share": share / sum(shares)}
        if name in before
        else ColourState(
            name=name, hex=known[name], share=share / sum(shares), origin=_origin(stamp)
        )
        for name, share in zip(names, shares, strict=True)
    ]
    garment["decisions"]["colours"] = dict(stamp)


def _make_primary(
    garments: Sequence[GarmentState], chosen: GarmentState, stamp: Mapping[str, Any]
) -> None:
    if chosen["primary"]:
        return
    for garment in garments:
        garment["primary"] = garment is chosen
    chosen["decisions"]["primary"] = dict(stamp)


def _origin(stamp: Mapping[str, Any]) -> str:
    return str(stamp.get("origin", Origin.HUMAN.value))


def _find_category(name: str, path: str) -> taxonomy.Category:
    try:
        return taxonomy.load().category(name)
    except taxonomy.UnknownLabel as error:
        raise CorrectionRefused(path, _("The taxonomy has no such category.")) from error


def _check_object(name: str, path: str) -> None:
    if name not in {known.name for known in taxonomy.load().object_types}:
        raise CorrectionRefused(path, _("The taxonomy has no such object."))


def _check_attribute(key: str, value: str | None, category: str, path: str) -> None:
    known = taxonomy.load()
    try:
        known.attribute(key)
        applies = value is None or known.applies(key, value, category)
    except taxonomy.UnknownLabel as error:
        raise CorrectionRefused(path, _("The taxonomy has no such attribute or value.")) from error
    if not applies:
        raise CorrectionRefused(path, _("This does not apply to the category %s.") % category)


def may_have(key: str, value: str, category: str) -> bool:
    try:
        return taxonomy.load().applies(key, value, category)
    except taxonomy.UnknownLabel:  # of another taxonomy
        return True
