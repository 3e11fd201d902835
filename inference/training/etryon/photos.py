"""Photos with what eTryOn's networks learn from them, in the Mallzee taxonomy.

Read are Kalas' parquet files (fpi, clothing, ccp), a shop's own one with the columns image,
category, pattern, style, name, and DeepFashion's folder.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet as pq

from inference import taxonomy
from inference.ancestors import Kind
from inference.contract import Box, InvalidImage
from inference.etryon import flat_lays, mallzee
from inference.etryon.mallzee import Key
from inference.mmfashion.data import deepfashion
from inference.mmfashion.data.lists import BadData
from inference.mmfashion.names import CATEGORIES, FINE_ATTRIBUTES
from inference.preprocess import decode
from inference.training import names
from inference.training.outfits import garments_of, read_mask
from inference.training.samples import UnknownFile, recognise

_PATTERNLESS = {"solid"}
"""Values that say: none of the taxonomy's patterns."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A garment in a photo."""

    object: int
    """Index into mallzee.OBJECTS."""
    box: Box


@dataclass(frozen=True, slots=True)
class Photo:
    id: str
    data: bytes
    category: str = ""
    attributes: tuple[tuple[Key, str], ...] = ()
    """What is known of it; an empty word: none of the key's. Keys that aren't here: unknown."""
    text: str = ""
    garments: tuple[Truth, ...] | None = None
    """All that are whole in the picture; None where nobody has said."""
    box: Box | None = None
    """Where the garment is that the rest is about; None: the whole photo."""


def read(path: Path, *, split: str = "train") -> list[Photo]:
    """split: which part of DeepFashion's folder. Raises BadData."""
    if path.is_dir():
        return list(_read_deepfashion(path, split))
    try:
        table = pq.read_table(path)
        rows = table.to_pylist()
        columns = table.schema.names
        if "image" not in columns:
            raise UnknownFile("there is no column image")
        if "category" in columns:
            return [_read_own(i, row) for i, row in enumerate(rows)]
        kind = recognise(columns)
        if kind == "ccp":
            return list(_read_outfits(rows))
        return list(_read_products(rows, kind))
    except (OSError, pyarrow.ArrowInvalid, UnknownFile, InvalidImage) as error:
        raise BadData(f"{path.name} cannot be read: {error}") from error


def choose(some: Sequence[Photo], kind: Kind, *, limit: int = 0) -> list[Photo]:
    """Those that say what such a network learns; at most so many, spread over all."""
    found = [photo for photo in some if _says(photo, kind)]
    if not limit or limit >= len(found):
        return found
    return [found[i] for i in np.linspace(0, len(found) - 1, limit).astype(int)]


def _says(photo: Photo, kind: Kind) -> bool:
    if kind == "detector":
        # Where nobody has said, Canny's edges may.
        return bool(photo.garments) or (photo.garments is None and bool(photo.category))
    said = {"category": photo.category, "attributes": photo.attributes, "alignment": photo.text}
    return bool(said[kind])


def box_flat_lay(photo: Photo) -> Photo:
    """With the one garment of its category boxed by its edges, if any are found."""
    if photo.garments is not None or not photo.category:
        return photo
    box = flat_lays.find_box(decode(photo.data))
    if box is None:
        return photo
    kind = mallzee.OBJECTS.index(mallzee.find_object(photo.category))
    return Photo(photo.id, photo.data, photo.category, garments=(Truth(kind, box),))


def _read_own(number: int, row: dict[str, Any]) -> Photo:
    category = row["category"] or ""
    if category and category not in mallzee.NAMES:
        raise UnknownFile(f"row {number}: {category!r} is none of the 23 classes")
    said: list[tuple[Key, str]] = []
    for key in mallzee.KEYS:
        word = row.get(key)
        if word is None:
            continue
        if word and word not in mallzee.list_labels(key):
            raise UnknownFile(f"row {number}: there is no {key} {word!r}")
        said.append((key, word))
    return Photo(
        str(row.get("id", number)), row["image"], category, tuple(said), row.get("name") or ""
    )


def _read_products(rows: Iterable[dict[str, Any]], kind: Any) -> Iterator[Photo]:
    """Those of one class beyond doubt."""
    column = "article_type" if kind == "fpi" else "label"
    labels = taxonomy.load_labels(kind)
    for row in rows:
        meaning = labels.meaning(row[column], row.get("display_name") or "")
        garments = [c for c in meaning.categories if c != taxonomy.load().abstention]
        classes = {mallzee.from_kalas(category) for category in garments}
        if len(classes) != 1 or None in classes:
            continue
        [category] = classes
        said = names.mine(kind, row)
        text = names.describe(garments[0], names.colour_of(row), _without(said), "en")
        yield Photo(str(row["id"]), row["image"], category or "", tuple(_translate(said)), text)


def _without(said: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in said.items() if key not in {"season", "occasion"}}


def _translate(said: dict[str, str]) -> Iterator[tuple[Key, str]]:
    for key in mallzee.KEYS:
        if key not in said:
            continue
        word = mallzee.word_from_kalas(key, said[key])
        if word or said[key] in _PATTERNLESS:
            yield key, word or ""


def _read_outfits(rows: Iterable[dict[str, Any]]) -> Iterator[Photo]:
    for row in rows:
        if row["mask"] is None:
            continue
        height, width = decode(row["image"]).shape[:2]
        found = tuple(
            Truth(mallzee.OBJECTS.index(garment.object), garment.box)
            for garment in garments_of(read_mask(row["mask"]), width, height)
            if garment.object in mallzee.OBJECTS and is_whole(garment.box, width, height)
        )
        yield Photo(str(row["id"]), row["image"], garments=found)


def is_whole(box: Box, width: int, height: int) -> bool:
    """Only garments that the photo's edge doesn't cut are looked for."""
    return box.left > 0 and box.top > 0 and box.right < width and box.bottom < height


def _read_deepfashion(root: Path, split: str) -> Iterator[Photo]:
    fine = (root / "Anno_fine").is_dir()
    for picture in deepfashion.read_attributes(root, fine=fine):
        if picture.split != split:
            continue
        category = mallzee.remap(CATEGORIES[picture.category or 0])
        path = root / "Img" / picture.image
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BadData(f"{path} is missing.") from error
        said: tuple[tuple[Key, str], ...] = ()
        if fine:
            words = dict(zip(FINE_ATTRIBUTES, picture.attributes, strict=True))
            shown = [w for w in ("floral", "graphic", "striped") if words[w]]
            if shown or words["solid"]:
                said = (("pattern", shown[0] if shown else ""),)
        box = _clip(picture.box, data) if picture.box else None
        if category is not None:
            yield Photo(picture.image, data, category, said, box=box)


def _clip(box: tuple[int, int, int, int], data: bytes) -> Box | None:
    height, width = decode(data).shape[:2]
    left, top = max(box[0], 0), max(box[1], 0)
    right, bottom = min(box[2], width), min(box[3], height)
    return Box(left, top, right, bottom) if left < right and top < bottom else None
