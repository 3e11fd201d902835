"""What is said of a scene: garments, the primary first, or the reason why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from inference.colours import Palette, name_shades
from inference.contract import AbstainReason, Alternative, Box, Garment, ObjectType
from inference.detection import TRUSTED, TWICE, Found, choose_primary, overlap
from inference.postprocess import Floats, Reader
from inference.scenes import Scene, View

_SAME = 0.5
"""Overlap from which a part and the whole are one thing."""
_VAGUE, _CLEAR = 0.4, 0.8
"""Confidences of the whole's category and of a part's with which the part is named by itself."""
_OF_ONE_PIECE = ("bodysuit", "dress", "jumpsuit", "playsuit")
_PARTS_SAY = 1 / 3
"""Beside what the entire photo and all before its ground say, each a third as well."""


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


@dataclass(frozen=True, slots=True)
class Abstention:
    reason: AbstainReason
    alternatives: tuple[Alternative, ...] = ()
    """What it may be nevertheless, the likeliest first."""


def conclude(
    scene: Scene,
    answers: Sequence[Said],
    *,
    hint: ObjectType | None,
    reader: Reader,
    palette: Palette,
) -> tuple[Garment, ...] | Abstention:
    """`answers` are those to the entire area and to the scene's crops, in order."""
    entire, *rest = answers
    whole, before = None, entire
    if scene.whole:
        # Two looks at one thing are right more often than either.
        before = rest.pop(0)
        whole = _judge(scene.whole, _blend(entire, before), reader)
    each = [before if view.crop is None else rest.pop(0) for view in scene.garments]
    parts = _judge_parts(scene.garments, each, reader)
    parts = [part for part in parts if _is_known(part, reader)] or parts
    if hint and not _could_be(hint, whole, parts, reader):
        hint = None
    if whole and not hint and _misleads(whole, parts, reader, plain=scene.plain):
        whole, parts = None, _choose_trusted(parts)
    elif whole and not hint and not reader.is_garment(whole.categories):
        return _see_none(whole.categories, reader)
    main = _choose_main(scene, whole, parts, hint=hint, reader=reader)
    if main is None:
        return _see_none(reader.restrict(reader.categories(entire.category), hint), reader)
    beside = [part for part in parts if part is not main and _is_known(part, reader)]
    if whole and main is whole:
        # What the finder took for something else is this very garment.
        beside = [p for p in beside if overlap(p.view.box, whole.view.box) < _SAME]
    elif whole and isinstance(main, _Part) and _speaks_of(whole, main, reader):
        main = _see_whole(main, whole, reader, plain=scene.plain)
    beside = _leave_twins(main, beside, reader)
    main = replace(main, categories=reader.restrict(main.categories, hint))
    if not reader.is_garment(main.categories):
        return _see_none(main.categories, reader)
    if not _is_known(main, reader):
        return Abstention("unreadable")
    name = partial(_garment, entire=entire, reader=reader, palette=palette)
    return (name(main, primary=True), *(name(part, primary=False) for part in beside))


def _leave_twins(main: _Judged, beside: Sequence[_Part], reader: Reader) -> list[_Part]:
    """Without what was found twice, as two things, and turns out to be one."""
    kept: list[_Part] = []
    for part in sorted(beside, key=lambda part: -part.found.confidence):
        name = reader.name_of(part.categories)
        if not any(
            reader.name_of(other.categories) == name
            and overlap(other.view.box, part.view.box) > TWICE
            for other in (main, *kept)
        ):
            kept.append(part)
    return kept


def is_settled(scene: Scene, entire: Said, reader: Reader) -> bool:
    """Whether what the entire photo is said to be stands for its crops as well: one garment, which
    it shows without doubt."""
    if scene.whole is None or len(scene.garments) > 1:
        return False
    categories = reader.categories(entire.category)
    if not reader.is_settled(categories, reader.families(entire.colour)):
        return False
    wanted = reader.object_of(categories)
    return all(view.found is not None and view.found.object == wanted for view in scene.garments)


def _see_none(categories: Floats, reader: Reader) -> Abstention:
    likely = tuple(each for each in reader.rank(categories) if each.confidence > 0)
    return Abstention("no-garment", likely)


def _blend(one: Said, other: Said, *, weight: float = 0.5) -> Said:
    """The mean of two answers; `weight` is the other's."""
    category, embedding, colour, attributes = (
        np.asarray((1 - weight) * a + weight * b, dtype=np.float32)
        for a, b in zip(one, other, strict=True)
    )
    length = max(float(np.linalg.norm(embedding)), 1e-9)
    return Said(category, embedding / np.float32(length), colour, attributes)


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
    if isinstance(judged, _Part) and judged.found.confidence >= TRUSTED:
        return True
    return reader.is_clear(judged.categories)


def _could_be(
    hint: ObjectType, whole: _Judged | None, parts: Sequence[_Part], reader: Reader
) -> bool:
    """Whether anything here may be what is hinted at; else the hint is about another photo."""
    if any(part.found.object == hint for part in parts):
        return True
    return whole is not None and reader.is_garment(reader.restrict(whole.categories, hint))


def _misleads(whole: _Judged, parts: Sequence[_Part], reader: Reader, *, plain: bool) -> bool:
    """Whether the whole is something else than what is in it.

    A street is no garment, whatever is worn there; a top and trousers look like a jumpsuit. But
    before a plain ground there is nothing else to see, so a sure answer stands there, unless it is
    a garment of one piece where two were found.
    """
    sure = plain and bool(whole.categories.max() >= TRUSTED)
    if sure and reader.name_of(whole.categories) not in _OF_ONE_PIECE:
        return False
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
    return [part for part in parts if part.found.confidence >= TRUSTED]


def _around(boxes: Sequence[Box]) -> Box:
    return Box(
        left=min(box.left for box in boxes),
        top=min(box.top for box in boxes),
        right=max(box.right for box in boxes),
        bottom=max(box.bottom for box in boxes),
    )


def _speaks_of(whole: _Judged, main: _Part, reader: Reader) -> bool:
    """Whether what the whole is said to be is this part of it, and not said worse."""
    if whole.categories.max() < _VAGUE and main.categories.max() >= _CLEAR:
        return False
    return reader.object_of(whole.categories) == main.found.object


def _see_whole(main: _Part, whole: _Judged, reader: Reader, *, plain: bool) -> _Part:
    """The part where it was found, but named by the whole.

    Photos of one garment, shown whole, are what the classifier has seen most of. Before a ground
    that isn't plain the whole shows other things too, so there the part has a say.
    """
    said = whole.said if plain else _blend(whole.said, main.said, weight=_PARTS_SAY)
    return replace(main, said=said, categories=reader.categories(said.category))


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


def _garment(
    judged: _Judged, *, primary: bool, entire: Said, reader: Reader, palette: Palette
) -> Garment:
    view = judged.view
    return reader.garment(
        judged.categories,
        reader.of_product(judged.said.attributes, entire.attributes),
        primary=primary,
        box=view.box,
        box_confidence=view.box_confidence,
        colours=name_shades(view.cloth.find_shades(), palette, reader.families(judged.said.colour)),
        embedding=judged.said.embedding,
    )
