"""What is said of a scene: garments, the primary first, or the reason why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from inference.colours import Palette, name_colours
from inference.contract import AbstainReason, Box, Garment, ObjectType
from inference.detection import Found, choose_primary, overlap
from inference.postprocess import Floats, Reader
from inference.scenes import Scene, View

_SAME = 0.5
"""Overlap from which a part and the whole are one thing."""
_TRUSTED = 0.6
"""Confidence from which what the finder found is believed against what the whole seems to be."""


class Said(NamedTuple):
    """The classifier's answer to one crop, as garment_net.Answer has it for many."""

    category: Floats
    embedding: Floats
    colour: Floats
    attributes: Floats


@dataclass(frozen=True, slots=True)
class _Judged:
    view: View
    said: Said
    categories: Floats
    """Probabilities of the labels."""


@dataclass(frozen=True, slots=True)
class _Part(_Judged):
    found: Found


def conclude(
    scene: Scene,
    answers: Sequence[Said],
    *,
    hint: ObjectType | None,
    reader: Reader,
    palette: Palette,
) -> tuple[Garment, ...] | AbstainReason:
    """`answers` are those to the scene's views, in order."""
    rest = iter(answers)
    whole = _judge(scene.whole, next(rest), reader) if scene.whole else None
    parts = _judge_parts(scene.garments, list(rest), reader)
    parts = [part for part in parts if _is_known(part, reader)] or parts
    if hint and not _could_be(hint, whole, parts, reader):
        hint = None
    if whole and not hint and _misleads(whole, parts, reader):
        whole, parts = None, _choose_trusted(parts)
    main = _choose_main(scene, whole, parts, hint=hint, reader=reader)
    if main is None:
        return "no-garment"
    beside = [part for part in parts if part is not main and _is_known(part, reader)]
    if whole and main is whole:
        # What the finder took for something else is this very garment.
        beside = [p for p in beside if overlap(p.view.box, whole.view.box) < _SAME]
    elif whole and _says_more(whole, main, reader):
        main = replace(main, categories=whole.categories)
    main = replace(main, categories=reader.restrict(main.categories, hint))
    if not reader.is_garment(main.categories):
        return "no-garment"
    if not _is_known(main, reader):
        return "unreadable"
    return (
        _garment(main, reader, palette, primary=True),
        *(_garment(part, reader, palette, primary=False) for part in beside),
    )


def _judge(view: View, said: Said, reader: Reader) -> _Judged:
    return _Judged(view, said, reader.categories(said.category))


def _judge_parts(views: Sequence[View], answers: Sequence[Said], reader: Reader) -> list[_Part]:
    """Those that are garments, given what the finder took them for."""
    parts = []
    for view, said in zip(views, answers, strict=True):
        if view.found is None:
            continue
        categories = reader.expect(reader.categories(said.category), view.found)
        if reader.is_garment(categories):
            parts.append(_Part(view, said, categories, view.found))
    return parts


def _is_known(judged: _Judged, reader: Reader) -> bool:
    """A garment that was surely found is there, even if its category is anybody's guess."""
    if isinstance(judged, _Part) and judged.found.confidence >= _TRUSTED:
        return True
    return reader.is_clear(judged.categories)


def _could_be(
    hint: ObjectType, whole: _Judged | None, parts: Sequence[_Part], reader: Reader
) -> bool:
    """Whether anything here may be what is hinted at; else the hint is about another photo."""
    if any(part.found.object == hint for part in parts):
        return True
    return whole is not None and reader.is_garment(reader.restrict(whole.categories, hint))


def _misleads(whole: _Judged, parts: Sequence[_Part], reader: Reader) -> bool:
    """Whether the whole is something else than what is in it.

    A street is no garment, whatever is worn there; a top and trousers look like a jumpsuit.
    """
    if not reader.is_garment(whole.categories):
        return True
    if not reader.is_clear(whole.categories):
        return bool(_choose_trusted(parts))
    if reader.object_of(whole.categories) != "full-body":
        return False
    halves = [
        part
        for part in _choose_trusted(parts)
        if part.found.object in ("full-body", "upper-body", "lower-body")
    ]
    return {half.found.object for half in halves} == {"upper-body", "lower-body"} and (
        overlap(_around([half.view.box for half in halves]), whole.view.box) >= _SAME
    )


def _choose_trusted(parts: Sequence[_Part]) -> list[_Part]:
    return [part for part in parts if part.found.confidence >= _TRUSTED]


def _around(boxes: Sequence[Box]) -> Box:
    return Box(
        left=min(box.left for box in boxes),
        top=min(box.top for box in boxes),
        right=max(box.right for box in boxes),
        bottom=max(box.bottom for box in boxes),
    )


def _says_more(whole: _Judged, main: _Judged, reader: Reader) -> bool:
    """Photos of one garment, shown whole, are what the classifier has seen most of."""
    return (
        reader.is_garment(whole.categories)
        and reader.object_of(whole.categories) == reader.object_of(main.categories)
        and bool(whole.categories.max() >= main.categories.max())
    )


def _choose_main(
    scene: Scene,
    whole: _Judged | None,
    parts: Sequence[_Part],
    *,
    hint: ObjectType | None,
    reader: Reader,
) -> _Judged | None:
    """The whole where there is nothing else, or nothing of the object type that it shows."""
    fitting = list(parts)
    if wanted := hint or (reader.object_of(whole.categories) if whole else None):
        fitting = [part for part in parts if part.found.object == wanted]
    chosen = choose_primary([part.found for part in fitting], area=scene.area)
    return next((part for part in fitting if part.found is chosen), whole)


def _garment(judged: _Judged, reader: Reader, palette: Palette, *, primary: bool) -> Garment:
    view = judged.view
    return reader.garment(
        judged.categories,
        judged.said.attributes,
        primary=primary,
        box=view.box,
        box_confidence=view.box_confidence,
        colours=name_colours(view.cloth, palette, reader.families(judged.said.colour)),
        embedding=judged.said.embedding,
    )
