"""eTryOn's two outputs for a photo: one JSON object, and the photo with its boxes drawn in."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from PIL import Image

from inference.contract import ObjectType
from inference.etryon.stages import Seen
from inference.preprocess import Pixels

COLOURS: dict[ObjectType | None, tuple[int, int, int]] = {
    "upper-body": (220, 0, 0),
    "lower-body": (0, 60, 220),
    "full-body": (0, 140, 0),
    "footwear": (240, 130, 0),
    None: (90, 90, 90),
}
"""D3.1's: red, blue, green, orange."""
_SHOWN = 3


def write_json(file: str, image: Pixels, seen: Sequence[Seen]) -> dict[str, Any]:
    """What all stages say of a photo. Boxes are pixels: left, top, right, bottom, exclusive."""
    return {
        "file": file,
        "width": image.shape[1],
        "height": image.shape[0],
        "garments": [_write_garment(one) for one in seen],
    }


def _write_garment(seen: Seen) -> dict[str, Any]:
    ranked = sorted(seen.classes.items(), key=lambda item: -item[1])[:_SHOWN]
    classes = [{"name": name, "confidence": round(p, 4)} for name, p in ranked]
    return {
        "object": seen.object,
        "confidence": round(seen.confidence, 4),
        "box": list(seen.box.as_tuple()),
        "category": {**classes[0], "alternatives": classes[1:]} if classes else None,
        "attributes": {
            key: {"name": word, "confidence": round(seen.labels[key][word], 4)}
            for key, word in seen.said.items()
        },
    }


def draw(image: Pixels, seen: Sequence[Seen]) -> bytes:
    """A PNG: each garment's box in its object's colour, its words above."""
    drawn = image.copy()
    unit = max(image.shape[:2]) / 640
    thick, font = max(1, round(2 * unit)), max(0.35, 0.5 * unit)
    for one in seen:
        colour, box = COLOURS[one.object], one.box
        cv2.rectangle(drawn, (box.left, box.top), (box.right - 1, box.bottom - 1), colour, thick)
        _write(drawn, _say(one), (box.left, box.top), colour, font)
    kept = BytesIO()
    Image.fromarray(drawn).save(kept, "PNG")
    return kept.getvalue()


def _say(seen: Seen) -> str:
    words = [*seen.said.values(), seen.name or str(seen.object or "garment")]
    return f"{' '.join(words)} {seen.confidence:.0%}"


def _write(
    drawn: Pixels, text: str, place: tuple[int, int], colour: tuple[int, int, int], size: float
) -> None:
    """White on the colour, pushed inside the picture."""
    face = cv2.FONT_HERSHEY_SIMPLEX
    (width, height), below = cv2.getTextSize(text, face, size, 1)
    left = int(np.clip(place[0], 0, max(drawn.shape[1] - width, 0)))
    bottom = int(np.clip(place[1], height + below, drawn.shape[0]))
    corner = (left + width, bottom - height - below)
    cv2.rectangle(drawn, (left, bottom), corner, colour, cv2.FILLED)
    cv2.putText(drawn, text, (left, bottom - below), face, size, (255, 255, 255), 1, cv2.LINE_AA)
