"""What a photo shows that can be classified: garments with their boxes, crops and colours."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from inference.colours import Cloth
from inference.contract import Box
from inference.detection import (
    SEGMENTS,
    SURE,
    TRUSTED,
    TWICE,
    Found,
    Frame,
    decode_maps,
    overlap,
    tidy,
)
from inference.foreground import Foreground, Ground
from inference.outlines import outline
from inference.pixels import cloth_of, cloth_on_ground
from inference.preprocess import Pixels, crop_alone, resize_crop
from inference.runtime import Floats

MOST = 12
"""Garments of one photo."""
_FAINT = 0.2
"""Confidence from which it is one if there is no other, or in an outfit, where there are more."""
_LYING = 0.5
"""Confidence from which a garment is one beside others where nobody is to be seen: what lies on a
patterned ground has a belt or a bag more easily than a person who wears it. Of 435 photos of single
garments 17 have a second thing so, and 20 from SURE (kalas-mini 5)."""
_SOMEBODY = 0.01
"""Share of a photo's places that show skin or hair from which somebody wears what it shows, once
it shows several things; 219 of 220 outfits in the street have more."""
_LEAST_SIDE = 14
"""Source pixels; what is smaller can't be named."""
_SAME = 0.75
"""Overlap from which the finder's only garment and the foreground are the same thing; where a
person is before the ground as well, it is less."""
_NEARLY_SAME = 0.6
"""Overlap from which a look at the only garment says nothing that the whole's doesn't."""
_APART = 0.5
"""Overlap below which the finder's only garment and the foreground contradict each other, before a
ground that isn't plain. So they do in 48 of 1,096 training photos of people's own (every fourth),
looked at one by one: of 15 where the finder is TRUSTED the foreground is a piece of the garment in
12 (a print, a shadow); of 26 where it is below _LYING what it found is a piece of the ground or of
the garment in 23."""
_MARGIN = 0.05
_WORN, _ELSEWHERE = 0.02, 0.005
"""Shares of a photo's places that show skin or hair from which somebody wears what it shows: where
the garment is seen, and where at most something small is."""
_SMALL = 0.1
"""Of the photo: a shoe or a hat is a part of what somebody wears."""


@dataclass(frozen=True, slots=True)
class View:
    """What the classifier is shown, and what is known of it without the classifier."""

    crop: Pixels | None
    """None where the whole's crop shows the same thing."""
    box: Box
    box_confidence: float
    cloth: Cloth
    found: Found | None = None
    """What the finder saw there, without its masks; None where the ground tells the garment."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A garment by itself, or what the finder took apart."""

    area: Box
    whole: View | None
    """All that is before the ground; None of an outfit in the street, where that says little."""
    garments: tuple[View, ...] = ()
    """What was found; none where the whole is the garment."""
    plain: bool = False
    """Whether it stands before a plain ground, as in a catalogue."""

    @property
    def crops(self) -> list[Pixels]:
        """What is classified beside the entire area: the whole if there is one, then the garments
        that are something else."""
        return [view.crop for view in self.views if view.crop is not None]

    @property
    def views(self) -> tuple[View, ...]:
        return (self.whole, *self.garments) if self.whole else self.garments


@dataclass(frozen=True, slots=True)
class Sight:
    """What the finder said of an area."""

    found: Sequence[Found]
    """Garments that are large enough, faint ones as well, surest first, without their masks."""
    segments: Floats
    frame: Frame
    """Where the segments lie in the photo."""

    @property
    def may_show_several(self) -> bool:
        return len(self.found) > 1

    @property
    def shows_one_alone(self) -> bool:
        """At most one garment, and nobody who wears it."""
        if self.may_show_several:
            return False
        area = self.frame.area.width * self.frame.area.height
        is_seen = any(garment.size >= _SMALL * area for garment in self.found)
        return self._body_share() <= (_WORN if is_seen else _ELSEWHERE)

    @property
    def shows_somebody(self) -> bool:
        return self._body_share() > _SOMEBODY

    def _body_share(self) -> float:
        likely = np.exp(self.segments - self.segments.max(axis=0))
        body = likely[SEGMENTS.index("body")] > likely.sum(axis=0) / 2
        return float(body.mean())


def read_maps(maps: Sequence[Floats], frame: Frame) -> Sight:
    """Of one photo's FinderMaps."""
    heat, edges, segments = maps
    found = tidy(decode_maps(heat, edges, frame=frame, least=_FAINT), area=frame.area)
    large = [g for g in found if min(g.box.width, g.box.height) >= _LEAST_SIDE]
    return Sight(large, segments, frame)


def look(image: Pixels, area: Box, sight: Sight | None, *, size: tuple[int, int]) -> Scene:
    """Of this area of a uint8 (H, W, 3) RGB image; without a finder there is no sight."""
    backdrop = Ground(image, area)
    plain = backdrop.find_on_plain()
    found = _choose(sight, plain=plain is not None) if sight else []
    if not found:
        ground = plain or backdrop.find()
        before = _on_ground(image, area, ground, None, size=size)
        return Scene(area, before, plain=plain is not None)
    if plain and len(found) == 1 and overlap(found[0].box, plain.box) >= _SAME:
        # Before a plain ground the outline is clear, and the finder adds nothing to what the
        # classifier sees of the only garment but where there is skin.
        only = _on_ground(image, area, plain, found[0], size=size)
        return Scene(area, only, plain=True)
    parts = tuple(_part(image, area, one, size=size) for one in found)
    if plain is None and len({garment.object for garment in found}) > 1:
        return Scene(area, None, parts)
    ground = plain or backdrop.find()
    before = _on_ground(image, area, ground, None, size=size)
    scene = Scene(area, before, parts, plain=plain is not None)
    if sight and len(parts) == 1:
        doubted = plain is None and ground.is_told and not sight.shows_somebody
        return _weigh(scene, before, parts[0], doubted=doubted)
    return scene


def _weigh(scene: Scene, before: View, only: View, *, doubted: bool) -> Scene:
    """What is before the ground against the only garment that was found; `doubted` where one of
    them may be wrong (somebody who wears a garment is before the ground as well)."""
    same = overlap(only.box, before.box)
    if same >= _NEARLY_SAME:
        return replace(scene, garments=(replace(only, crop=None),))
    if same >= _APART or not doubted:
        return scene
    if only.box_confidence >= TRUSTED:
        return replace(scene, whole=replace(only, found=None), garments=(replace(only, crop=None),))
    if only.box_confidence < _LYING:
        return replace(scene, garments=())
    return scene


def _choose(sight: Sight, *, plain: bool) -> list[Found]:
    """The garments that are sure, surest first, with their masks; if none is sure, the surest.

    Of an outfit in the street those as well of which the finder is less sure: each comes with its
    confidence, and what is left out nobody can judge.
    """
    if sight.may_show_several and not sight.shows_somebody:
        sure = _take_apart(garment for garment in sight.found if garment.confidence >= _LYING)
    else:
        sure = [garment for garment in sight.found if garment.confidence >= SURE]
        if not plain and len({garment.object for garment in sure}) > 1:
            sure = list(sight.found)
    return outline(sure[:MOST] or sight.found[:1], sight.segments, frame=sight.frame)


def _take_apart(found: Iterable[Found]) -> list[Found]:
    """Without what lies where a surer one does: only people wear one thing over another."""
    kept: list[Found] = []
    for garment in found:
        if all(overlap(garment.box, other.box) <= TWICE for other in kept):
            kept.append(garment)
    return kept


def _on_ground(
    image: Pixels,
    area: Box,
    ground: Foreground,
    found: Found | None,
    *,
    size: tuple[int, int],
) -> View:
    # Nothing beside the area: it may be a crop that a person drew around one of many garments.
    inside = image[area.top : area.bottom, area.left : area.right]
    left, top, right, bottom = with_margin(ground.box, area).as_tuple()
    box = Box(left - area.left, top - area.top, right - area.left, bottom - area.top)
    return View(
        crop=resize_crop(inside, box, size),
        box=ground.box,
        box_confidence=max(ground.confidence, found.confidence if found else 0.0),
        cloth=Cloth(cloth_on_ground(ground, area, found)),
    )


def _part(image: Pixels, area: Box, found: Found, *, size: tuple[int, int]) -> View:
    return View(
        crop=crop_alone(image, with_margin(found.box, area), size),
        box=found.box,
        box_confidence=found.confidence,
        cloth=Cloth(cloth_of(image, found)),
        found=replace(found, mask=None, body=None),
    )


def with_margin(box: Box, area: Box) -> Box:
    """A little of what is around the garment: its outline says more than its cloth."""
    x, y = round(box.width * _MARGIN), round(box.height * _MARGIN)
    return Box(
        left=max(area.left, box.left - x),
        top=max(area.top, box.top - y),
        right=min(area.right, box.right + x),
        bottom=min(area.bottom, box.bottom + y),
    )
