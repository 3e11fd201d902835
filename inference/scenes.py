"""What a photo shows that can be classified: garments with their boxes, crops and colours."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inference.contract import Box
from inference.detection import Found, decode_maps, overlap, tidy
from inference.detection import fit as fit_for_finder
from inference.foreground import Foreground, find_foreground
from inference.pixels import cloth_of, cloth_on_ground
from inference.preprocess import Pixels, resize_crop
from inference.runtime import Floats

MOST = 12
"""Garments of one photo."""
_SURE = 0.35
"""Confidence from which a found garment is one."""
_LEAST_SIDE = 14
"""Source pixels; what is smaller can't be named."""
_SAME = 0.75
"""Overlap from which the finder's only garment and the foreground are the same thing; where a
person is before the ground as well, it is less."""
_MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class View:
    """What the classifier is shown, and what is known of it without the classifier."""

    crop: Pixels
    box: Box
    box_confidence: float
    cloth: Pixels
    """(N, 3): a sample of the garment's pixels."""
    found: Found | None = None
    """What the finder saw there, without its masks; None where the ground tells the garment."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One garment, or a whole that holds several."""

    area: Box
    whole: View
    garments: tuple[View, ...] = ()
    """The parts; none where the whole is the garment."""

    @property
    def views(self) -> tuple[View, ...]:
        return (self.whole, *self.garments)


def frame(image: Pixels, area: Box) -> Pixels:
    """What the finder is shown of this area of a uint8 (H, W, 3) RGB image."""
    return fit_for_finder(image, area)[0]


def look(
    image: Pixels,
    area: Box,
    maps: Sequence[Floats] | None,
    *,
    size: tuple[int, int],
) -> Scene:
    """`maps` are the finder's of this area (heat, edges, segments); None without a finder."""
    found = _find(image, area, maps) if maps is not None else []
    ground = find_foreground(image, area)
    match found:
        case []:
            whole = _on_ground(image, area, ground, None, size=size)
            return Scene(area, whole)
        case [only] if ground.plain and overlap(only.box, ground.box) >= _SAME:
            # Before a plain ground the outline is clear, and the finder adds nothing to what the
            # classifier sees of the only garment but where there is skin.
            whole = _on_ground(image, area, ground, only, size=size)
            return Scene(area, whole)
        case [only]:
            return Scene(area, _part(image, area, only, size=size))
        case several:
            whole = _on_ground(image, area, ground, None, size=size)
            parts = (_part(image, area, one, size=size) for one in several)
            return Scene(area, whole, tuple(parts))


def _find(image: Pixels, area: Box, maps: Sequence[Floats]) -> list[Found]:
    """The garments that are sure and large enough, surest first."""
    heat, edges, segments = maps
    found = decode_maps(heat, edges, segments, frame=fit_for_finder(image, area)[1], least=_SURE)
    large = [g for g in tidy(found, area=area) if min(g.box.width, g.box.height) >= _LEAST_SIDE]
    return large[:MOST]


def _on_ground(
    image: Pixels,
    area: Box,
    ground: Foreground,
    found: Found | None,
    *,
    size: tuple[int, int],
) -> View:
    return View(
        crop=resize_crop(image, with_margin(ground.box, area), size),
        box=ground.box,
        box_confidence=max(ground.confidence, found.confidence if found else 0.0),
        cloth=cloth_on_ground(ground, area, found),
    )


def _part(image: Pixels, area: Box, found: Found, *, size: tuple[int, int]) -> View:
    return View(
        crop=resize_crop(image, with_margin(found.box, area), size),
        box=found.box,
        box_confidence=found.confidence,
        cloth=cloth_of(image, found),
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
