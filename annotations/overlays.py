"""The photo with the result drawn on it, as eTryOn's deliverables show it."""

from collections.abc import Sequence
from io import BytesIO
from math import ceil

from PIL import Image, ImageDraw, ImageFont

from annotations import photos
from annotations.models import Annotation, Garment
from inference import taxonomy

# As in static/css/tokens.css.
COLOURS = {
    "upper-body": "#ef3340",
    "lower-body": "#2f80ff",
    "full-body": "#12a150",
    "footwear": "#f57c00",
    "accessory": "#b14be0",
}
LONGEST_SIDE = 1600
Place = tuple[int, ...]
"""Left, top, right, bottom."""


def draw_overlay(annotation: Annotation, data: bytes) -> bytes:
    """A PNG of at most 1,600 px; `annotation` is one of `selectors.with_everything`."""
    image, scale = _open(data)
    draw = ImageDraw.Draw(image)
    size = max(11, min(image.size) // 32)
    font = ImageFont.load_default(size)
    garments = list(annotation.garments.all())
    boxes = [tuple(round(side * scale) for side in each.box.as_tuple()) for each in garments]
    for garment, (left, top, right, bottom) in zip(garments, boxes, strict=True):
        outline = COLOURS[garment.object_type]
        draw.rectangle((left, top, right - 1, bottom - 1), outline=outline, width=max(2, size // 6))
    taken: list[Place] = []
    for garment, box in zip(garments, boxes, strict=True):
        text = _write(garment)
        _, _, width, height = draw.multiline_textbbox((0, 0), text, font=font)
        label = ceil(width) + size // 2, ceil(height) + size // 2
        place = find_place(label, beside=box, within=image.size, taken=taken)
        taken.append(place)
        draw.rectangle(place, fill=COLOURS[garment.object_type])
        draw.multiline_text(
            (place[0] + size // 4, place[1] + size // 8), text, fill="white", font=font
        )
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def find_place(
    label: tuple[int, int], *, beside: Place, within: tuple[int, int], taken: Sequence[Place]
) -> Place:
    """Where the label covers no other: down the sides of its box, else as near to the box's upper
    left corner as there is room, else in that corner. All in pixels, inside the picture as far as
    the label fits."""
    width, height = label
    left, top, right, bottom = beside
    lowest, rightmost = max(0, within[1] - height), max(0, within[0] - width)
    rows = range(top, max(bottom, top + 1), max(1, height // 8))
    sides = [(x, y) for y in rows for x in (left, right - width, right, left - width)]
    across = range(0, rightmost + 1, max(1, width // 4))
    anywhere = [(x, y) for y in range(0, lowest + 1, max(1, height // 4)) for x in across]
    anywhere.sort(key=lambda spot: abs(spot[0] - left) + abs(spot[1] - top))
    spots = [(min(max(0, x), rightmost), min(y, lowest)) for x, y in sides + anywhere]
    places = [(x, y, x + width, y + height) for x, y in spots]
    return next((each for each in places if not any(_overlap(each, x) for x in taken)), places[0])


def _overlap(one: Place, other: Place) -> bool:
    across = one[0] < other[2] and other[0] < one[2]
    return across and one[1] < other[3] and other[1] < one[3]


def _open(data: bytes) -> tuple[Image.Image, float]:
    """As large as it is drawn on, and how much smaller than the photo that is."""
    image = Image.open(BytesIO(data))
    scale = min(1.0, LONGEST_SIDE / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    image.draft("RGB", size)  # a JPEG of 50 MP is decoded at an eighth
    with photos.room_for(image.width * image.height):
        return image.convert("RGB").resize(size), scale


def _write(garment: Garment) -> str:
    known = taxonomy.load()
    title = known.title("category", garment.category, "en")
    lines = [f"{title} {garment.category_confidence:.0%}"]
    lines += [known.title("value", f"{x.key}:{x.name}", "en") for x in garment.labels.all()]
    return "\n".join(lines)
