"""How well a finder finds: mean average precision over outfits, and products before a ground.

COCO's measure (Lin et al. 2014): precision at 101 recalls, meaned over classes and, for the
second number, over the overlaps 0.5, 0.55 … 0.95.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from inference.contract import Box, ObjectType
from inference.detection import DETAILS, OBJECTS, Found, decode_maps, fit, overlap, tidy
from inference.mirror import join_maps
from inference.networks.garment_finder import FinderMaps, GarmentFinder
from inference.networks.garment_net import normalise
from inference.outlines import outline
from inference.preprocess import Pixels, decode, whole
from inference.training.detection.augment import view_collage
from inference.training.detection.scenes import read_products
from inference.training.measure import Share
from inference.training.negatives import cut_backgrounds
from inference.training.outfits import OutfitGarment, garments_of

Floats = NDArray[np.float64]
Say = Callable[[str], None]

CLASSES: tuple[ObjectType, ...] = ("upper-body", "lower-body", "full-body", "footwear")
OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
_RECALLS = np.linspace(0, 1, 101)
_ROUNDS = 200
_BATCH = 8


class Finder(Protocol):
    """GarmentFinder, or anything that answers like it."""

    def __call__(self, images: Tensor, /) -> FinderMaps: ...


@dataclass(frozen=True, slots=True)
class Matching:
    """One photo's boxes of one class against the truth."""

    confidence: Floats
    """(n,) of the boxes, surest first."""
    hits: NDArray[np.bool_]
    """(overlaps, n): whether a box is the first on a garment at that overlap."""
    garments: int
    mask_overlap: tuple[float, ...] = ()
    """Intersection over union of the masks, of each garment whose box was found at 0.5."""


@dataclass(frozen=True, slots=True)
class Precision:
    """A mean average precision with its 95 % bootstrap interval over photos."""

    value: float
    interval: tuple[float, float]

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.interval[0]:.4f}, {self.interval[1]:.4f}]"


@dataclass(frozen=True, slots=True)
class FinderResult:
    name: str
    photos: int
    map50: Precision
    """Mean average precision at an overlap of a half."""
    map: Precision
    """The same, meaned over overlaps from 0.5 to 0.95."""
    classes: dict[ObjectType, tuple[float, float, int]]
    """Average precision at a half, meaned over overlaps, and how many garments there are."""
    mask_overlap: float
    """Mean over the garments that were found."""
    products: Share | None = None
    """How many pasted products were found with their object type at an overlap of a half."""


def measure_finder(
    finder: Finder,
    path: Path,
    *,
    limit: int = 0,
    every_other: bool = False,
    products: Path | None = None,
) -> FinderResult:
    """Measure on a ccp file's masks, and on products of an fpi file pasted on the ccp's grounds.

    With `every_other` only on the half of the photos that confidences are not fitted on.
    Raises InvalidImage.
    """
    photos, truths = read_truths(path, limit=limit)
    if every_other:
        photos, truths = photos[1::2], truths[1::2]
    return summarise(
        f"{path.stem}, half" if every_other else path.stem,
        match_all(find_all(finder, photos), truths),
        products=measure_products(finder, products, path, limit=limit) if products else None,
    )


def summarise(
    name: str, matchings: dict[ObjectType, list[Matching]], *, products: Share | None = None
) -> FinderResult:
    photos = len(next(iter(matchings.values())))
    everything = _means(matchings, np.arange(photos))
    rng = np.random.default_rng(0)
    rounds = np.array([_means(matchings, rng.integers(0, photos, photos)) for _ in range(_ROUNDS)])
    map50, mean = (
        Precision(
            everything[i],
            (float(np.quantile(rounds[:, i], 0.025)), float(np.quantile(rounds[:, i], 0.975))),
        )
        for i in (0, 1)
    )
    masks = [o for each in matchings.values() for m in each for o in m.mask_overlap]
    return FinderResult(
        name=name,
        photos=photos,
        map50=map50,
        map=mean,
        classes={key: _of_class(each) for key, each in matchings.items()},
        mask_overlap=float(np.mean(masks)) if masks else 0.0,
        products=products,
    )


@torch.inference_mode()
def find_all(finder: Finder, photos: Sequence[Pixels]) -> list[list[Found]]:
    """The garments of each photo, tidied, as the pipeline finds them."""
    device = _device_of(finder)
    found: list[list[Found]] = []
    for start in range(0, len(photos), _BATCH):
        part = photos[start : start + _BATCH]
        fitted = [fit(photo, whole(photo)) for photo in part]
        images = torch.from_numpy(np.stack([image for image, _ in fitted])).permute(0, 3, 1, 2)
        maps = [m.float().cpu().numpy() for m in finder(normalise(images.to(device)))]
        for index, (photo, (_, frame)) in enumerate(zip(part, fitted, strict=True)):
            heat, edges, segments = (m[index] for m in maps)
            garments = tidy(decode_maps(heat, edges, frame=frame), area=whole(photo))
            found.append(outline(garments, segments, frame=frame))
    return found


def look_twice(finder: GarmentFinder, images: Tensor) -> FinderMaps:
    """The mean of what it says of photos and of their mirror images, on the CPU."""
    device = _device_of(finder)
    looks = [
        [part.float().cpu().numpy() for part in finder(each.to(device))]
        for each in (images, images.flip(3))
    ]
    return FinderMaps(*(torch.from_numpy(part) for part in join_maps(*looks)))


def match_all(
    found: Sequence[Sequence[Found]], truths: Sequence[Sequence[OutfitGarment]]
) -> dict[ObjectType, list[Matching]]:
    """By object type, for photos in the same order."""
    return {
        name: [
            match([f for f in said if f.object == name], [t for t in truth if t.object == name])
            for said, truth in zip(found, truths, strict=True)
        ]
        for name in CLASSES
    }


def match(found: Sequence[Found], truth: Sequence[OutfitGarment]) -> Matching:
    """Each box takes the garment that it overlaps most among those still free, surest first."""
    order = sorted(found, key=lambda g: -g.confidence)
    overlaps = np.array([[overlap(f.box, t.box) for t in truth] for f in order])
    overlaps = overlaps.reshape(len(order), len(truth))
    hits = np.zeros((len(OVERLAPS), len(order)), dtype=np.bool_)
    masks: list[float] = []
    for level, least in enumerate(OVERLAPS):
        free = np.ones(len(truth), dtype=np.bool_)
        for index, garment in enumerate(order):
            open_ones = np.where(free, overlaps[index], -1.0)
            if len(truth) and open_ones.max() >= least:
                best = int(open_ones.argmax())
                free[best] = False
                hits[level, index] = True
                if level == 0 and garment.mask is not None:
                    masks.append(_mask_overlap(garment, truth[best]))
    return Matching(
        confidence=np.array([g.confidence for g in order]),
        hits=hits,
        garments=len(truth),
        mask_overlap=tuple(masks),
    )


def average_precision(confidence: Floats, hits: NDArray[np.bool_], garments: int) -> float:
    """Mean of the best precision at or beyond each of 101 recalls; 0 where nothing is to find."""
    if not garments:
        return 0.0
    right = hits[np.argsort(-confidence, kind="stable")].cumsum()
    precision = right / np.arange(1, len(right) + 1)
    best_beyond = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(right / garments, _RECALLS - 1e-12, side="left")
    inside = reached < len(right)
    return float(best_beyond[reached[inside]].sum() / len(_RECALLS))


def measure_products(finder: Finder, path: Path, grounds: Path, *, limit: int = 0) -> Share:
    """How many of fpi's products, two or three pasted on a ground, are found."""
    patches = cut_backgrounds(grounds, seed=7, limit=limit)
    products = [
        p for p in read_products(path, per_type=12, seed=7, limit=limit) if len(p.details) == 1
    ]
    rng = np.random.default_rng(7)
    views = [
        view_collage(products[i : i + 2 + i % 2], size=(512, 384), grounds=patches, rng=rng)
        for i in range(0, len(products), 3)
    ]
    hits = total = 0
    for view, found in zip(views, find_all(finder, [v.image for v in views]), strict=True):
        for corners, detail in zip(view.boxes.astype(int), view.details, strict=True):
            box = Box(*(int(v) for v in corners))
            total += 1
            hits += any(
                g.confidence >= 0.2 and overlap(g.box, box) >= 0.5 and _same(g, int(detail))
                for g in found
            )
    return Share(hits, total)


def describe(result: FinderResult) -> dict[str, Any]:
    """The result as JSON values."""
    return {
        "name": result.name,
        "photos": result.photos,
        "map50": {"value": result.map50.value, "interval": list(result.map50.interval)},
        "map50_95": {"value": result.map.value, "interval": list(result.map.interval)},
        "classes": {
            name: {"ap50": at_half, "ap50_95": mean, "garments": garments}
            for name, (at_half, mean, garments) in result.classes.items()
        },
        "mask_iou": result.mask_overlap,
        "pasted_products": None
        if result.products is None
        else {
            "value": result.products.value,
            "interval": list(result.products.interval),
            "total": result.products.total,
        },
    }


def say_finder(result: FinderResult, say: Say) -> None:
    say(f"\n== {result.name}: garments found in {result.photos} outfits")
    say(f"mAP@0.5            {result.map50}")
    say(f"mAP@[.5:.95]       {result.map}")
    for name, (at_half, mean, garments) in result.classes.items():
        say(f"{name:18} {at_half:.4f} {mean:.4f} of {garments}")
    say(f"mask overlap       {result.mask_overlap:.4f}")
    if result.products is not None:
        say(f"pasted products    {result.products}")


def read_truths(path: Path, *, limit: int = 0) -> tuple[list[Pixels], list[list[OutfitGarment]]]:
    """The photos of a ccp file that have masks, and what there is to find in them."""
    table = pq.read_table(path, columns=["image", "mask"])
    rows = [row for row in table.to_pylist() if row["mask"] is not None][: limit or None]
    photos = [decode(row["image"]) for row in rows]
    return photos, [_truth(row["mask"], photo) for row, photo in zip(rows, photos, strict=True)]


def _truth(mask: bytes, photo: Pixels) -> list[OutfitGarment]:
    with Image.open(BytesIO(mask), formats=("PNG",)) as file:
        return garments_of(np.asarray(file), photo.shape[1], photo.shape[0])


def _means(
    matchings: dict[ObjectType, list[Matching]], chosen: NDArray[np.int64]
) -> tuple[float, float]:
    """Over the classes that the chosen photos have: at a half, and over all overlaps."""
    each = [_of_class([found[i] for i in chosen]) for found in matchings.values()]
    there = [(at_half, mean) for at_half, mean, garments in each if garments]
    if not there:
        return 0.0, 0.0
    return float(np.mean([a for a, _ in there])), float(np.mean([m for _, m in there]))


def _of_class(found: Iterable[Matching]) -> tuple[float, float, int]:
    each = list(found)
    confidence = np.concatenate([m.confidence for m in each])
    hits = np.concatenate([m.hits for m in each], axis=1)
    garments = sum(m.garments for m in each)
    levels = [average_precision(confidence, level, garments) for level in hits]
    return levels[0], float(np.mean(levels)), garments


def _mask_overlap(found: Found, truth: OutfitGarment) -> float:
    said = np.zeros_like(truth.mask)
    box = found.box
    if found.mask is not None:
        shown = cv2.resize(found.mask, (box.width, box.height), interpolation=cv2.INTER_LINEAR)
        said[box.top : box.bottom, box.left : box.right] = shown >= 128
    both = int(cv2.countNonZero(said & truth.mask))
    return both / max(1, int(cv2.countNonZero(said | truth.mask)))


def _same(garment: Found, detail: int) -> bool:
    return garment.object == OBJECTS[DETAILS[detail]]


def _device_of(finder: Finder) -> torch.device:
    if isinstance(finder, torch.nn.Module):
        return next(finder.parameters()).device
    return torch.device("cpu")
