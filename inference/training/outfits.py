"""Outfit photos' masks (one label a pixel, as in `ccp`) → one box and mask for each garment."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.contract import Box, ObjectType
from inference.detection import OBJECTS, Detail

Labels = NDArray[np.uint8]
Mask = NDArray[np.uint8]

_NAMES = (
    "null accessories bag belt blazer blouse bodysuit boots bra bracelet cape cardigan clogs coat "
    "dress earrings flats glasses gloves hair hat heels hoodie intimate jacket jeans jumper "
    "leggings loafers necklace panties pants pumps purse ring romper sandals scarf shirt shoes "
    "shorts skin skirt sneakers socks stockings suit sunglasses sweater sweatshirt swimwear "
    "t-shirt tie tights top vest wallet watch wedges"
)
LABELS = tuple(_NAMES.split())
"""Value of a mask's pixel → its label."""

_DETAILS: dict[Detail, str] = {
    "outer": "blazer cape cardigan coat jacket suit",
    "top": "blouse bra hoodie intimate jumper shirt sweater sweatshirt t-shirt top vest",
    "lower": "jeans leggings panties pants shorts skirt",
    "full": "bodysuit dress romper swimwear",
    "footwear": "boots clogs flats heels loafers pumps sandals shoes sneakers wedges",
    "bag": "bag purse wallet",
    "headwear": "hat",
    "eyewear": "glasses sunglasses",
    "belt": "belt",
    "scarf": "scarf",
    "legwear": "socks stockings tights",
    "other": "accessories bracelet earrings gloves necklace ring tie watch",
}
DETAIL_OF: dict[str, Detail] = {
    label: detail for detail, labels in _DETAILS.items() for label in labels.split()
}
BODY = ("hair", "skin")

_GARMENT_SHARE = 0.002
_SHOE_SHARE = 0.0004
_ACCESSORY_SHARE = 0.0002
"""Of the photo's pixels; what is smaller is a slip of the labelling or a hint of a collar."""


@dataclass(frozen=True, slots=True)
class OutfitGarment:
    label: str
    detail: Detail
    box: Box
    mask: Mask
    """(H, W) of the whole photo, 1 where the garment shows."""

    @property
    def object(self) -> ObjectType:
        return OBJECTS[self.detail]


def read_mask(data: bytes) -> Labels:
    """A parquet file's PNG → (h, w) of indices into LABELS."""
    with Image.open(BytesIO(data), formats=("PNG",)) as file:
        return np.asarray(file, dtype=np.uint8)


def garments_of(mask: Labels, width: int, height: int) -> list[OutfitGarment]:
    """Each garment in a photo of this size, in the order of the labels; each shoe by itself.

    What belts, bags or arms cut into pieces stays one garment. `mask` is uint8 (h, w) of indices
    into LABELS; where its size is another than the photo's, it is stretched.
    """
    if mask.shape != (height, width):
        mask = np.asarray(
            cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8
        )
    found: list[OutfitGarment] = []
    present = [LABELS[value] for value in np.flatnonzero(np.bincount(mask.ravel()))]
    for label in present:
        if label not in DETAIL_OF:
            continue
        detail = _detail(label, present)
        part = (mask == LABELS.index(label)).astype(np.uint8)
        pieces = _shoes(part) if detail == "footwear" else _one(part)
        found += [
            OutfitGarment(label, detail, _box(piece), piece)
            for piece in pieces
            if piece.sum() >= _least(detail) * width * height
        ]
    return found


def details_of(labels: Sequence[str]) -> set[Detail]:
    """What a photo shows that is tagged so."""
    return {_detail(label, labels) for label in labels if label in DETAIL_OF}


def body_of(mask: Labels) -> Mask:
    """(h, w), 1 where skin or hair shows."""
    return np.isin(mask, [LABELS.index(label) for label in BODY]).astype(np.uint8)


def _detail(label: str, present: Sequence[str]) -> Detail:
    """What the label means in this photo."""
    details = [DETAIL_OF[other] for other in present if other in DETAIL_OF and other != label]
    if label == "vest" and any(detail in ("outer", "top", "full") for detail in details):
        # Over something else it is a waistcoat or a sleeveless coat, else a tank top.
        return "outer"
    if label == "suit" and not any(detail in ("lower", "full") for detail in details):
        return "full"
    return DETAIL_OF[label]


def _least(detail: Detail) -> float:
    if detail == "footwear":
        return _SHOE_SHARE
    return _ACCESSORY_SHARE if OBJECTS[detail] == "accessory" else _GARMENT_SHARE


def _one(part: Mask) -> list[Mask]:
    """The label's pixels as one garment, without specks far smaller than its largest piece."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return [np.asarray((areas >= 0.04 * areas.max()).astype(np.uint8)[labels])]


def _shoes(part: Mask) -> list[Mask]:
    """At most two shoes where they are apart, else one piece; straps belong to their shoe."""
    height, width = part.shape
    # Straps lie above the sole: pieces grow together upwards, and hardly sideways.
    reach = np.ones((max(3, height // 34) | 1, max(1, width // 170) | 1), np.uint8)
    grown = cv2.dilate(part, reach)
    count, labels = cv2.connectedComponents(grown, connectivity=8)
    areas = np.bincount((labels * part).ravel(), minlength=count)
    areas[0] = 0
    order = np.argsort(-areas, kind="stable")[: min(2, count - 1)]
    pieces = [((labels == index) & (part > 0)).astype(np.uint8) for index in order]
    if len(pieces) == 2 and pieces[1].sum() < 0.12 * pieces[0].sum():
        pieces = pieces[:1]
    return [_one(piece)[0] for piece in pieces]


def _box(mask: Mask) -> Box:
    left, top, width, height = cv2.boundingRect(mask)
    return Box(left, top, left + width, top + height)
