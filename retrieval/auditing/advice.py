"""What the photos of a product lack, from what the engine saw on them and how they are.

Faults are of a photo and can be mended; gaps are of the product: a view that no photo gives.
A view from behind cannot be told from one from the front: that it is missing is never claimed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from inference.contract import Box
from retrieval.auditing.measures import Measures
from retrieval.auditing.views import SeenGarment, View, tell_view

Code = Literal[
    "other-garment", "no-garment", "dark", "blurred", "small", "busy-cover",
    "no-whole", "far", "few", "no-detail", "no-worn", "never-alone",
]  # fmt: skip
FAULTS: tuple[Code, ...] = ("other-garment", "no-garment", "dark", "blurred", "small", "busy-cover")
GAPS: tuple[Code, ...] = ("no-whole", "far", "few", "no-detail", "no-worn", "never-alone")
CODES = (*FAULTS, *GAPS)

LEAST_SIDE = 1000
"""Pixels of the longest side from which shops let customers zoom."""
LEAST_SHARPNESS = 0.33
LEAST_BRIGHTNESS = 0.5
_SURE = 0.4
_EDGE = 0.01
"""Of the photo's side: a box that ends nearer to it goes on beyond it."""
_FAR = {"footwear": 0.06, "accessory": 0.05}
_FAR_CLOTHES = 0.12
"""Share of the photo; what is smaller on all of them cannot be judged."""
_FEW = {"accessory": 2}
_FEW_CLOTHES = 3


@dataclass(frozen=True, slots=True)
class SeenPhoto:
    """An annotated photo; without measures nothing is said of sharpness, light and ground."""

    number: int
    width: int
    height: int
    verdict: str
    garments: tuple[SeenGarment, ...] = ()
    shown: Box | None = None
    """Where the product is on it."""
    measures: Measures | None = None


@dataclass(frozen=True, slots=True)
class PhotoReport:
    photo: SeenPhoto
    view: View
    ground: Literal["plain", "busy", ""]
    garments: int
    detail: bool
    """A close-up: the garment goes on beyond the photo, or fills it so that none is found."""
    faults: tuple[Code, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    code: Code
    photos: tuple[int, ...] = ()
    """By their numbers; none where it is of the product."""


@dataclass(frozen=True, slots=True)
class Audit:
    photos: tuple[PhotoReport, ...]
    advice: tuple[Advice, ...]

    @property
    def faults(self) -> tuple[Advice, ...]:
        return tuple(each for each in self.advice if each.code in FAULTS)

    @property
    def gaps(self) -> tuple[Advice, ...]:
        return tuple(each for each in self.advice if each.code in GAPS)


def audit(photos: Sequence[SeenPhoto], *, object_type: str) -> Audit:
    """In the shop's order; nothing is said where no photo shows what the product is."""
    reports = tuple(_report(photo, first=photo is photos[0]) for photo in photos)
    if not object_type:
        return Audit(reports, ())
    faults = (_collect(code, reports) for code in FAULTS)
    advice = [each for each in faults if each]
    return Audit(reports, (*advice, *_list_gaps(reports, object_type)))


def _report(photo: SeenPhoto, *, first: bool) -> PhotoReport:
    sure = [garment for garment in photo.garments if garment.confidence >= _SURE]
    measures = photo.measures
    view: View = ""
    ground: Literal["plain", "busy", ""] = ""
    if measures:
        ground = "plain" if measures.plain else "busy"
        view = tell_view(photo.garments, measures)
    return PhotoReport(
        photo,
        view=view,
        ground=ground,
        garments=len(sure),
        detail=_is_detail(photo, first=first),
        faults=tuple(_find_faults(photo, first=first)),
    )


def _find_faults(photo: SeenPhoto, *, first: bool) -> Iterable[Code]:
    if photo.verdict == "other-garment":
        yield "other-garment"
    if photo.verdict == "no-garment" and first:
        yield "no-garment"
    if photo.measures and photo.measures.brightness < LEAST_BRIGHTNESS:
        yield "dark"
    if photo.measures and photo.measures.sharpness < LEAST_SHARPNESS:
        yield "blurred"
    if max(photo.width, photo.height) < LEAST_SIDE:
        yield "small"
    if first and photo.measures and not photo.measures.plain:
        yield "busy-cover"


def _is_detail(photo: SeenPhoto, *, first: bool) -> bool:
    if photo.verdict == "no-garment":
        return not first
    return photo.shown is not None and _count_cut(photo, photo.shown) >= 3


def _count_cut(photo: SeenPhoto, box: Box) -> int:
    """How many sides of the photo the garment goes beyond."""
    across, down = photo.width * _EDGE, photo.height * _EDGE
    return sum(
        (
            box.left <= across,
            box.top <= down,
            box.right >= photo.width - across,
            box.bottom >= photo.height - down,
        )
    )


def _collect(code: Code, reports: Sequence[PhotoReport]) -> Advice | None:
    numbers = tuple(each.photo.number for each in reports if code in each.faults)
    return Advice(code, numbers) if numbers else None


def _list_gaps(reports: Sequence[PhotoReport], object_type: str) -> list[Advice]:
    own = [r for r in reports if r.photo.shown and r.photo.verdict in ("best", "agrees")]
    measured = all(r.photo.measures for r in reports)
    lacks: dict[Code, Callable[[], bool]] = {
        "no-whole": lambda: all(_count_cut(r.photo, _box(r)) >= 2 for r in own),
        "far": lambda: max(_share(r) for r in own) < _FAR.get(object_type, _FAR_CLOTHES),
        "few": lambda: len(reports) < _FEW.get(object_type, _FEW_CLOTHES),
        "no-detail": lambda: not any(r.detail for r in reports),
        "no-worn": lambda: measured and all(r.view == "lying" for r in own),
        "never-alone": lambda: all(r.garments > 1 for r in own),
    }
    return [Advice(code) for code, is_lacking in lacks.items() if own and is_lacking()]


def _box(report: PhotoReport) -> Box:
    assert report.photo.shown is not None  # noqa: S101 - those without are left out
    return report.photo.shown


def _share(report: PhotoReport) -> float:
    box = _box(report)
    return box.width * box.height / (report.photo.width * report.photo.height)
