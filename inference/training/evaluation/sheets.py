"""Contact sheets of what goes wrong: photos with their right label and the answer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inference.preprocess import Pixels, decode, resize_crop, whole
from inference.training.evaluation.outfits import crop_garments, list_garments, read_outfits
from inference.training.evaluation.packing import unpack
from inference.training.evaluation.photos import read_photos, recognise_file

COLUMNS, ROWS = 8, 4
_TILE = (128, 96)
"""(height, width) of a photo; its two lines of text are below."""
_LINE = 14
_ALIKE = 2
"""At most that many of one category with one answer."""
_QUALITY = 70
_FACES = ("headwear", "eyewear")
"""What outfit photos show in the middle of a passer-by's face: that is nobody's business here."""


@dataclass(frozen=True, slots=True)
class Mistake:
    id: str
    said: str
    confidence: float


def find_mistakes(way: Mapping[str, Any], labels: Mapping[str, str]) -> list[Mistake]:
    """The surest wrong categories of one file and way of an evaluation, the surest first.

    `labels` are the right answers by photo id.
    """
    photos = way["photos"]
    scores = unpack(photos["scores"]["category top-1"])
    wrong = [i for i in np.argsort(photos["confidence"], kind="stable")[::-1] if scores[i] == 0]
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for index in wrong:
        photo, said = photos["ids"][index], photos["said"][index]
        pair = (labels.get(photo, ""), said)
        if photo in labels and seen[pair] < _ALIKE:
            seen[pair] += 1
            found.append(Mistake(photo, said, photos["confidence"][index]))
    return found[: COLUMNS * ROWS]


def draw_sheet(way: Mapping[str, Any], path: Path) -> bytes:
    """A JPEG of the surest mistakes on the photos of this file. Raises UnknownFile, OSError."""
    crops, labels = _read_crops(path)
    tiles = [
        _draw_tile(crops[mistake.id], labels[mistake.id], mistake)
        for mistake in find_mistakes(way, labels)
    ]
    height, width = _TILE[0] + 2 * _LINE + 6, _TILE[1] + 8
    rows = max(1, -(-len(tiles) // COLUMNS))
    sheet = Image.new("RGB", (COLUMNS * width, rows * height), "white")
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index % COLUMNS * width + 4, index // COLUMNS * height + 4))
    out = BytesIO()
    sheet.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()


def _read_crops(path: Path) -> tuple[dict[str, Pixels], dict[str, str]]:
    """What was judged, by photo id, and the right answers of what may be shown."""
    if recognise_file(path) == "ccp":
        outfits = read_outfits(path)
        photos, _ = list_garments(outfits)
        views: Sequence[Pixels] = list(crop_garments(outfits, size=_TILE))
        shown = [garment.detail not in _FACES for outfit in outfits for garment in outfit.garments]
    else:
        photos = read_photos(path).photos
        shown = [True] * len(photos)
        views = [_shrink(photo.data) for photo in photos]
    crops = {photo.id: view for photo, view in zip(photos, views, strict=True)}
    # The label alone would puzzle where the product's name decides what it means.
    return crops, {
        p.id: " / ".join(p.accepts) for p, is_shown in zip(photos, shown, strict=True) if is_shown
    }


def _shrink(data: bytes) -> Pixels:
    image = decode(data)
    return resize_crop(image, whole(image), _TILE)


def _draw_tile(crop: Pixels, right: str, mistake: Mistake) -> Image.Image:
    tile = Image.new("RGB", (_TILE[1], _TILE[0] + 2 * _LINE), "white")
    tile.paste(Image.fromarray(crop), (0, 0))
    draw = ImageDraw.Draw(tile)
    font = ImageFont.load_default(10)
    draw.text((0, _TILE[0] + 1), right, fill="#1a7f37", font=font)
    said = f"{mistake.said or 'not found'} {mistake.confidence:.2f}"
    draw.text((0, _TILE[0] + 1 + _LINE), said, fill="#b3261e", font=font)
    return tile
