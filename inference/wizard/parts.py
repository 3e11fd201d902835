"""Fifteen parts of an outfit and the background, as pictures of colours and as COCO's JSON.

A part map is uint8 (H, W): each pixel's place in PARTS, 0 for the background.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pycocotools import mask as coco_mask

from inference.contract import Box
from inference.preprocess import MAX_PIXELS
from inference.training.outfits import LABELS

PartMap = NDArray[np.uint8]
Region = NDArray[np.bool_]

COLOURS: dict[str, tuple[int, int, int]] = {
    "background": (0, 0, 0),
    "top": (255, 250, 250),
    "skirt": (250, 235, 215),
    "leggings": (70, 130, 180),
    "dress": (16, 78, 139),
    "outer": (255, 250, 205),
    "pants": (255, 140, 0),
    "bag": (50, 205, 50),
    "neckwear": (220, 220, 220),
    "headwear": (255, 0, 0),
    "eyeglass": (127, 255, 212),
    "belt": (0, 100, 0),
    "footwear": (255, 255, 0),
    "hair": (211, 211, 211),
    "skin": (144, 238, 144),
    "face": (245, 222, 179),
}
PARTS = tuple(COLOURS)

_CCP: dict[str, str] = {
    "top": "blouse bodysuit bra hoodie intimate jumper shirt sweater sweatshirt t-shirt top vest",
    "skirt": "skirt",
    "leggings": "leggings stockings tights",
    "dress": "dress romper swimwear",
    "outer": "blazer cape cardigan coat jacket suit",
    "pants": "jeans panties pants shorts",
    "bag": "bag purse wallet",
    "neckwear": "necklace scarf tie",
    "headwear": "hat",
    "eyeglass": "glasses sunglasses",
    "belt": "belt",
    "footwear": "boots clogs flats heels loafers pumps sandals shoes sneakers socks wedges",
    "hair": "hair",
    "skin": "skin",
}
"""Part → labels of ccp. Its skin holds the face; jewellery and gloves are background."""


class BadParts(ValueError):
    """The picture or the JSON holds no map of parts."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing in a photo."""

    name: str
    box: Box
    region: Region
    """(H, W): where it shows."""


def write_png(parts: PartMap) -> bytes:
    """The map in its colours. Raises BadParts where a pixel is none of the parts."""
    if parts.size and parts.max() >= len(PARTS):
        raise BadParts(f"There are {len(PARTS)} parts, a pixel has the number {parts.max()}.")
    table = np.array(list(COLOURS.values()), np.uint8)
    kept = BytesIO()
    Image.fromarray(table[parts]).save(kept, "PNG", optimize=True)
    return kept.getvalue()


def read_png(data: bytes) -> PartMap:
    """Raises BadParts, also for a colour that is none of the table's: it says which and where."""
    try:
        with Image.open(BytesIO(data), formats=("PNG",)) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise BadParts("The map has more than 50 million pixels.")
            pixels = np.asarray(opened.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        if isinstance(error, BadParts):
            raise
        raise BadParts("This is no PNG.") from error
    codes = _pack(pixels.astype(np.uint32))
    table = _pack(np.array(list(COLOURS.values()), np.uint32))
    order = np.argsort(table)
    places = np.searchsorted(table[order], codes).clip(max=len(table) - 1)
    strange = table[order][places] != codes
    if strange.any():
        row, column = np.argwhere(strange)[0]
        colour = "-".join(str(value) for value in pixels[row, column])
        raise BadParts(f"The colour {colour} at {column}, {row} is no part's.")
    return np.asarray(order[places], dtype=np.uint8)


def from_ccp(mask: NDArray[np.uint8]) -> PartMap:
    """ccp's labels → parts."""
    table = np.zeros(len(LABELS), np.uint8)
    for part, labels in _CCP.items():
        for label in labels.split():
            table[LABELS.index(label)] = PARTS.index(part)
    return np.asarray(table[mask], dtype=np.uint8)


def read_json(path: Path) -> dict[str, tuple[PartMap, list[Part]]]:
    """DeepFashion's segmentation in COCO's form: file name → its map, and its parts one by one.

    Raises BadParts.
    """
    try:
        content = json.loads(path.read_text())
        names = {c["id"]: _find_name(c["name"]) for c in content["categories"]}
        sizes = {i["id"]: (i["file_name"], i["height"], i["width"]) for i in content["images"]}
        found: dict[str, tuple[PartMap, list[Part]]] = {
            file: (np.zeros((height, width), np.uint8), [])
            for file, height, width in sizes.values()
        }
        for one in content["annotations"]:
            file, height, width = sizes[one["image_id"]]
            name = names[one["category_id"]]
            region = _decode(one["segmentation"], height, width)
            if not region.any():
                continue
            map_, parts = found[file]
            map_[region] = PARTS.index(name)
            parts.append(Part(name, _surround(region), region))
    except OSError as error:
        raise BadParts(f"{path.name} cannot be read: {error.strerror}.") from error
    except BadParts as error:
        raise BadParts(f"{path.name}: {error}") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BadParts(f"{path.name} is no segmentation of DeepFashion: {error!r}.") from error
    return found


def write_json(maps: Mapping[str, PartMap]) -> str:
    """Maps by file name → COCO's JSON with run lengths; each part of a photo is one thing."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (file, map_) in enumerate(maps.items(), 1):
        images.append(
            {"id": number, "file_name": file, "height": map_.shape[0], "width": map_.shape[1]}
        )
        for part in find_parts(map_):
            coded = coco_mask.encode(np.asfortranarray(part.region.astype(np.uint8)))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": PARTS.index(part.name),
                    "bbox": [part.box.left, part.box.top, part.box.width, part.box.height],
                    "area": int(part.region.sum()),
                    "iscrowd": 0,
                    "segmentation": {
                        "size": list(coded["size"]),
                        "counts": coded["counts"].decode(),
                    },
                }
            )
    categories = [{"id": i, "name": name} for i, name in enumerate(PARTS) if i]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


def find_parts(map_: PartMap) -> list[Part]:
    found = []
    for i in np.unique(map_[map_ > 0]):
        region = map_ == i
        found.append(Part(PARTS[i], _surround(region), region))
    return found


def find_region(part: Part, *, margin: int = 0) -> Region:
    """Where details are looked for: the mask within its box, a little smaller if wanted."""
    inside = np.zeros_like(part.region)
    box = part.box
    inside[
        box.top + margin : max(box.bottom - margin, 0),
        box.left + margin : max(box.right - margin, 0),
    ] = True
    return np.asarray(part.region & inside)


def _find_name(name: str) -> str:
    if name.lower() not in PARTS[1:]:
        raise BadParts(f"There is no part {name!r}.")
    return name.lower()


def _decode(written: Any, height: int, width: int) -> Region:
    """Polygons, run lengths, or compressed ones."""
    if isinstance(written, Sequence):
        coded = coco_mask.merge(coco_mask.frPyObjects(list(written), height, width))
    elif isinstance(written["counts"], list):
        coded = coco_mask.frPyObjects(written, height, width)
    else:
        coded = written
    with warnings.catch_warnings():
        # pycocotools' array has numpy 1's way of being copied.
        warnings.simplefilter("ignore", DeprecationWarning)
        region = np.asarray(coco_mask.decode(coded), dtype=np.bool_)
    if region.shape != (height, width):
        raise BadParts(f"A mask is {region.shape}, its photo {(height, width)}.")
    return region


def _surround(region: Region) -> Box:
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _pack(colours: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """RGB as one number."""
    red, green, blue = colours[..., 0], colours[..., 1], colours[..., 2]
    return np.asarray((red * 256 + green) * 256 + blue, dtype=np.uint32)
