"""Where the garments are: from the finder's maps to boxes and the garment that matters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.contract import Box, ObjectType
from inference.preprocess import Pixels, resize_crop

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

Detail = Literal[
    "outer",
    "top",
    "lower",
    "full",
    "footwear",
    "bag",
    "headwear",
    "eyewear",
    "belt",
    "scarf",
    "legwear",
    "other",
]
"""What the finder tells apart; a shirt under a coat are two garments of one object type."""

DETAILS = cast(tuple[Detail, ...], get_args(Detail))
"""In the order of the finder's maps."""
SEGMENTS = ("ground", "body", *DETAILS)
"""What a pixel can show; body is skin and hair."""

OBJECTS: dict[Detail, ObjectType] = {
    "outer": "upper-body",
    "top": "upper-body",
    "lower": "lower-body",
    "full": "full-body",
    "footwear": "footwear",
    "bag": "accessory",
    "headwear": "accessory",
    "eyewear": "accessory",
    "belt": "accessory",
    "scarf": "accessory",
    "legwear": "accessory",
    "other": "accessory",
}

SIZE = (224, 160)
"""(height, width) of the finder's input."""
GLANCE = (128, 96)
"""The same of its first look, which tells whether a closer one is worth its time; see `scenes`."""
STRIDE = 4
"""Input pixels between two places of its maps."""
EDGE_UNIT = 8.0
"""Input pixels that a distance of one stands for."""
FAINT = 0.002
"""Below it a peak is not looked at; callers ask for far more."""

SURE = 0.35
"""Confidence from which a found garment is one."""
TRUSTED = 0.6
"""Confidence from which it is believed against what something else says of the photo; and before a
plain ground what the whole is said to be against what was found in it."""

_MOST = 60
_INSIDE = 0.5
"""Share of a garment that must lie in what was asked about: the rest of it is a neighbour's."""
_SAME = 0.5
TWICE = 0.8
"""Overlaps (intersection over union) from which two boxes of one detail, or of one object type,
are one garment seen twice."""
_NEAR = 2
"""Places of the maps from a peak to those that have a say in its box."""
_ALIKE = 0.6
"""Overlap with the peak's own box from which another place speaks of the same garment."""


@dataclass(frozen=True, slots=True)
class Frame:
    """How a part of a photo lies in the finder's input: input = (photo - offset) * scale."""

    left: float
    top: float
    scale: float
    area: Box
    """What was asked about; garments end at its edges."""


@dataclass(frozen=True, slots=True)
class Found:
    """A garment in a photo."""

    object: ObjectType
    detail: Detail
    box: Box
    """In the photo's pixels."""
    confidence: float
    mask: Pixels | None = None
    """A grid over the box, 0 to 255: how surely each place shows the garment; see `outlines`."""
    body: Pixels | None = None
    """The same of skin and hair, which are no garment's colour."""

    @property
    def size(self) -> int:
        return self.box.width * self.box.height


class _Peak(NamedTuple):
    confidence: float
    detail: int
    row: int
    column: int


_Corners = tuple[float, float, float, float]
"""Left, top, right, bottom in input pixels."""


def fit(image: Pixels, area: Box, size: tuple[int, int] = SIZE) -> tuple[Pixels, Frame]:
    """What the area of a uint8 (H, W, 3) photo shows, undistorted at `size` = (height, width), and
    where that is."""
    height, width = size
    scale = min(width / area.width, height / area.height)
    frame = Frame(
        left=(area.left + area.right) / 2 - width / scale / 2,
        top=(area.top + area.bottom) / 2 - height / scale / 2,
        scale=scale,
        area=area,
    )
    return resize_crop(image, area, size), frame


def decode_maps(heat: Floats, edges: Floats, *, frame: Frame, least: float = FAINT) -> list[Found]:
    """One photo's FinderMaps (without the batch axis) → its garments, surest first, no masks.

    Of boxes that show one garment the surest stays; nothing else is left out: see `tidy`.
    """
    kept: list[tuple[_Peak, _Corners]] = []
    for peak in _peaks(heat, least):
        corners = _edges_at(edges, peak)
        if not any(
            other.detail == peak.detail and _overlap(its_corners, corners) > _SAME
            for other, its_corners in kept
        ):
            kept.append((peak, corners))
    found = [
        _to_found(peak.confidence, DETAILS[peak.detail], _settle(peak, corners, heat, edges), frame)
        for peak, corners in kept
    ]
    return [garment for garment in found if garment is not None]


def tidy(found: Sequence[Found], *, area: Box) -> list[Found]:
    """Without what can't be, by eTryOn's heuristics; surest first.

    The same thing taken for two details is the surer one; a "shoe" in mid-picture or beside an
    upper-body garment is a hand; of two lower bodies, one inside the other, the larger is the bare
    legs below the smaller.
    """
    kept: list[Found] = []
    for garment in sorted(found, key=lambda g: -g.confidence):
        if not any(
            other.object == garment.object and overlap(other.box, garment.box) > TWICE
            for other in kept
        ):
            kept.append(garment)
    kept = [g for g in kept if not _is_hand(g, kept, area)]
    return [g for g in kept if not _is_bare_legs(g, kept)]


def choose_primary(
    found: Sequence[Found], *, area: Box, hint: ObjectType | None = None
) -> Found | None:
    """The garment that the photo is about: large, in the middle, sure, of the hinted type."""
    if not found:
        return None
    hinted = [g for g in found if g.object == hint]
    return max(hinted or found, key=lambda g: _prominence(g, area))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, 0 to 1."""
    return _overlap(one.as_tuple(), other.as_tuple())


def _peaks(heat: Floats, least: float) -> list[_Peak]:
    """The highest places among their neighbours, surest first."""
    sure = _sigmoid(heat).transpose(1, 2, 0)
    around = cv2.dilate(sure, np.ones((3, 3), np.uint8)).reshape(sure.shape)
    rows, columns, details = np.nonzero((sure >= around) & (sure >= least))
    confidence = sure[rows, columns, details]
    order = np.argsort(-confidence, kind="stable")[:_MOST]
    return [
        _Peak(float(confidence[i]), int(details[i]), int(rows[i]), int(columns[i])) for i in order
    ]


def _edges_at(edges: Floats, peak: _Peak) -> _Corners:
    """In input pixels."""
    at = slice(peak.row, peak.row + 1), slice(peak.column, peak.column + 1)
    left, top, right, bottom = _corners_in(edges, peak.detail, *at)[:, 0].tolist()
    return left, top, right, bottom


def _settle(peak: _Peak, corners: _Corners, heat: Floats, edges: Floats) -> _Corners:
    """The mean of what the places around a peak say of the same garment, as sure as each is.

    Box voting (Gidaris and Komodakis 2015) among the neighbours that a peak outdid.
    """
    rows = slice(max(0, peak.row - _NEAR), peak.row + _NEAR + 1)
    columns = slice(max(0, peak.column - _NEAR), peak.column + _NEAR + 1)
    boxes = _corners_in(edges, peak.detail, rows, columns)
    own = np.array(corners)[:, None]
    sides = np.minimum(boxes[2:], own[2:]) - np.maximum(boxes[:2], own[:2])
    shared = np.maximum(sides, 0).prod(axis=0)
    sizes = (boxes[2:] - boxes[:2]).prod(axis=0), (own[2:] - own[:2]).prod(axis=0)
    agree = shared >= _ALIKE * (sizes[0] + sizes[1] - shared)
    say = _sigmoid(heat[peak.detail, rows, columns]).ravel() * agree
    left, top, right, bottom = (boxes @ say / say.sum()).tolist()
    return left, top, right, bottom


def _corners_in(edges: Floats, detail: int, rows: slice, columns: slice) -> Doubles:
    """(4, places): left, top, right, bottom in input pixels, as those places of the map say."""
    raw = edges[detail * 4 : detail * 4 + 4, rows, columns]
    reach = EDGE_UNIT * np.logaddexp(0, raw.astype(np.float64))
    y = (np.arange(rows.start, rows.start + raw.shape[1]) + 0.5)[:, None] * STRIDE
    x = (np.arange(columns.start, columns.start + raw.shape[2]) + 0.5) * STRIDE
    return np.stack([x - reach[0], y - reach[1], x + reach[2], y + reach[3]]).reshape(4, -1)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)


def _overlap(one: _Corners, other: _Corners) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def _to_found(confidence: float, detail: Detail, corners: _Corners, frame: Frame) -> Found | None:
    """None where most of it lies outside of what was asked about."""
    edges = [
        start + at / frame.scale
        for start, at in zip((frame.left, frame.top) * 2, corners, strict=True)
    ]
    area = frame.area
    left, top = max(area.left, round(edges[0])), max(area.top, round(edges[1]))
    right, bottom = min(area.right, round(edges[2])), min(area.bottom, round(edges[3]))
    if left >= right or top >= bottom:
        return None
    entire = (edges[2] - edges[0]) * (edges[3] - edges[1])
    if (right - left) * (bottom - top) < _INSIDE * entire:
        return None
    return Found(OBJECTS[detail], detail, Box(left, top, right, bottom), round(confidence, 4))


def _is_hand(garment: Found, found: Sequence[Found], area: Box) -> bool:
    """A shoe so high in a picture of a whole outfit, or beside the upper body."""
    if garment.object != "footwear":
        return False
    worn = [g for g in found if g.object in ("upper-body", "full-body") and _is_worn(g, area)]
    middle = (garment.box.top + garment.box.bottom) / 2
    # A shoe is small beside a worn garment; a photo of shoes has no larger upper body in it.
    return any(garment.size < 0.5 * g.size and middle < g.box.bottom for g in worn)


def _is_worn(garment: Found, area: Box) -> bool:
    return garment.confidence >= 0.3 and garment.box.height >= 0.15 * area.height


def _is_bare_legs(garment: Found, found: Sequence[Found]) -> bool:
    if garment.object != "lower-body":
        return False
    return any(
        other is not garment
        and other.object == "lower-body"
        and other.size < garment.size
        and other.confidence >= 0.5 * garment.confidence
        and _inside(other.box, garment.box) > 0.7
        for other in found
    )


def _inside(inner: Box, outer: Box) -> float:
    """The share of `inner` that lies in `outer`."""
    width = min(inner.right, outer.right) - max(inner.left, outer.left)
    height = min(inner.bottom, outer.bottom) - max(inner.top, outer.top)
    return max(0, width) * max(0, height) / (inner.width * inner.height)


def _prominence(garment: Found, area: Box) -> float:
    box = garment.box
    x = (box.left + box.right - area.left - area.right) / area.width
    y = (box.top + box.bottom - area.top - area.bottom) / area.height
    central = 1 - 0.25 * min(1.0, x * x + y * y)
    share = garment.size / (area.width * area.height)
    return float(garment.confidence * central * share**0.5)
