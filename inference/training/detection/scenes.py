"""Photos with garments in known places, from every data set, in one form."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from inference import taxonomy
from inference.detection import Detail, Found
from inference.foreground import find_foreground
from inference.preprocess import Pixels, decode, whole
from inference.training.augment import find_on_white
from inference.training.loading import spread
from inference.training.outfits import LABELS, body_of, garments_of, read_mask

Ids = NDArray[np.uint8]
Row = dict[str, Any]

BODY = 254
UNKNOWN = 255
"""Values of `Scene.ids` that are no garments."""

STORED_HEIGHT = 320
"""Larger photos are kept at this height: some more than the finder's input."""

_TOGETHER = 32
"""Photos that a process reads at once."""
_OUTER = ("coat-jacket", "formal-jacket", "cardigan", "shawl-cape-poncho", "waistcoat")
_WORN: dict[str, Detail] = {
    "handbag": "bag",
    "backpack": "bag",
    "travel-bag": "bag",
    "wallet": "bag",
    "hat": "headwear",
    "eyewear": "eyewear",
    "belt": "belt",
    "scarf": "scarf",
    "socks": "legwear",
}
_SKIN = (np.array([30, 135, 85], np.uint8), np.array([255, 175, 130], np.uint8))
"""Lowest and highest Y, Cr, Cb of most skins."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A photo and which pixels show which garment."""

    image: Pixels
    ids: Ids
    """uint8 (H, W): 0 ground, n the n-th garment of `details`, BODY, UNKNOWN."""
    details: tuple[Detail, ...]
    outlined: bool = True
    """Whether `ids` follow the garments' outlines; else they fill the garments' boxes."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A photo with boxes, without outlines."""

    image: Pixels
    boxes: NDArray[np.float32]
    """(n, 4) left, top, right, bottom in pixels."""
    details: tuple[Detail, ...]


def read_outfits(path: Path, *, limit: int = 0, workers: int = 0) -> list[Scene]:
    """The photos of a ccp file that have masks."""
    table = pq.read_table(path, columns=["image", "mask"])
    rows = [row for row in table.to_pylist() if row["mask"] is not None][: limit or None]
    return [
        scene for some in spread(_read_outfits, _parts(rows), workers=workers) for scene in some
    ]


def _read_outfits(rows: list[Row]) -> list[Scene]:
    return [outfit_scene(decode(row["image"]), read_mask(row["mask"])) for row in rows]


def outfit_scene(image: Pixels, mask: Ids) -> Scene:
    height, width = image.shape[:2]
    garments = garments_of(mask, width, height)
    # What is no garment by itself (a speck, something without a name) is not ground either.
    ids = np.where(mask == LABELS.index("null"), 0, UNKNOWN).astype(np.uint8)
    ids[body_of(mask) > 0] = BODY
    for number, garment in enumerate(garments, start=1):
        ids[garment.mask > 0] = number
    return stored(Scene(image, ids, tuple(garment.detail for garment in garments)))


def read_products(path: Path, *, per_type: int, seed: int, limit: int = 0) -> list[Scene]:
    """fpi's products that nobody wears, cut out by their white background.

    At most `per_type` photos of each of the shop's article types.
    """
    columns = ["image", "article_type", "display_name"]
    rows = pq.read_table(path, columns=columns).slice(0, limit or None).to_pylist()
    order = np.random.default_rng([seed, 11]).permutation(len(rows))
    taken: Counter[str] = Counter()
    scenes = []
    for row in (rows[i] for i in order):
        detail = detail_of("fpi", row["article_type"], row["display_name"] or "")
        if detail is None or taken[row["article_type"]] >= per_type:
            continue
        scene = product_scene(decode(row["image"]), detail)
        if scene is not None:
            taken[row["article_type"]] += 1
            scenes.append(scene)
    return scenes


def product_scene(image: Pixels, detail: Detail) -> Scene | None:
    """None where the ground isn't white or skin says that somebody wears the product."""
    silhouette = find_on_white(image)
    if silhouette is None:
        return None
    closed = cv2.morphologyEx(silhouette, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(cv2.contourArea(outline) for outline in outlines)
    outlines = [o for o in outlines if cv2.contourArea(o) >= max(4.0, 0.1 * largest)]
    if not outlines:
        return None
    ids = np.zeros(image.shape[:2], np.uint8)
    if detail == "footwear" and len(outlines) == 2:
        for number, outline in enumerate(outlines, start=1):
            cv2.drawContours(ids, [outline], -1, number, thickness=cv2.FILLED)
    else:
        cv2.drawContours(ids, outlines, -1, 1, thickness=cv2.FILLED)
    if ids.mean() < 0.02 or _shows_skin(image, ids, detail):
        return None
    return Scene(image, ids, (detail,) * int(ids.max()))


def read_flat_lays(path: Path, *, limit: int = 0, workers: int = 0) -> list[Scene]:
    """The photos of `clothing` where one garment lies or hangs before something plain."""
    rows = pq.read_table(path, columns=["image", "label"]).slice(0, limit or None).to_pylist()
    parts = _parts([row for row in rows if detail_of("clothing", row["label"])])
    return [scene for some in spread(_read_flat_lays, parts, workers=workers) for scene in some]


def _read_flat_lays(rows: list[Row]) -> list[Scene]:
    return list(_flat_lays((decode(row["image"]), row["label"]) for row in rows))


def _parts(rows: list[Row]) -> list[list[Row]]:
    return [rows[start : start + _TOGETHER] for start in range(0, len(rows), _TOGETHER)]


def _flat_lays(photos: Iterator[tuple[Pixels, str]]) -> Iterator[Scene]:
    for image, label in photos:
        detail = detail_of("clothing", label)
        if detail is None:
            continue
        found = find_foreground(image, whole(image))
        box = found.box
        share = box.width * box.height / (image.shape[0] * image.shape[1])
        if found.confidence < 0.9 or not 0.08 < share < 0.98:
            continue
        ids = np.zeros(image.shape[:2], np.uint8)
        ids[box.top : box.bottom, box.left : box.right] = 1
        if not _shows_skin(image, ids, detail):
            yield stored(Scene(image, ids, (detail,), outlined=False))


def detail_of(data_set: Literal["fpi", "clothing"], label: str, name: str = "") -> Detail | None:
    """What a label of fpi or clothing is to the finder; None where that isn't one thing."""
    labels = taxonomy.load_labels(data_set)
    details = {detail_of_category(c) for c in labels.meaning(label, name).categories}
    return details.pop() if len(details) == 1 else None


def detail_of_category(name: str) -> Detail | None:
    known = taxonomy.load()
    if name == known.abstention:
        return None
    match known.category(name).object_type:
        case "upper-body":
            return "outer" if name in _OUTER else "top"
        case "lower-body":
            return "legwear" if name == "tights" else "lower"
        case "full-body":
            return "full"
        case "footwear":
            return "footwear"
        case "accessory":
            return _WORN.get(name, "other")


def _shows_skin(image: Pixels, ids: Ids, detail: Detail) -> bool:
    """Whether skin colours are somewhere in what should be clothes only."""
    if detail not in ("outer", "top", "lower", "full"):
        return False
    skin = cv2.inRange(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb), *_SKIN)
    return bool((skin[ids > 0] > 0).mean() > 0.03)


def stored(scene: Scene) -> Scene:
    height, width = scene.ids.shape
    if height <= STORED_HEIGHT:
        return scene
    size = (max(1, round(width * STORED_HEIGHT / height)), STORED_HEIGHT)
    return Scene(
        np.asarray(cv2.resize(scene.image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8),
        np.asarray(cv2.resize(scene.ids, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8),
        scene.details,
        scene.outlined,
    )


def guess(image: Pixels, garments: Sequence[Found]) -> Guess:
    boxes = np.array([garment.box.as_tuple() for garment in garments], np.float32)
    height, width = image.shape[:2]
    small = stored(Scene(image, np.zeros((height, width), np.uint8), ())).image
    scale = small.shape[0] / height
    return Guess(small, boxes * scale, tuple(garment.detail for garment in garments))
