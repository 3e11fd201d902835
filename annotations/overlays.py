"""The photo with the result drawn on it, as eTryOn's deliverables show it."""

from io import BytesIO

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


def draw_overlay(annotation: Annotation, data: bytes) -> bytes:
    """A PNG of at most 1,600 px; `annotation` is one of `selectors.with_everything`."""
    image, scale = _open(data)
    draw = ImageDraw.Draw(image)
    size = max(11, min(image.size) // 32)
    font = ImageFont.load_default(size)
    for garment in annotation.garments.all():
        _draw_garment(draw, garment, scale, font, size)
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _open(data: bytes) -> tuple[Image.Image, float]:
    """As large as it is drawn on, and how much smaller than the photo that is."""
    image = Image.open(BytesIO(data))
    scale = min(1.0, LONGEST_SIDE / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    image.draft("RGB", size)  # a JPEG of 50 MP is decoded at an eighth
    with photos.room_for(image.width * image.height):
        return image.convert("RGB").resize(size), scale


def _draw_garment(
    draw: ImageDraw.ImageDraw,
    garment: Garment,
    scale: float,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    size: int,
) -> None:
    colour = COLOURS[garment.object_type]
    left, top, right, bottom = (round(side * scale) for side in garment.box.as_tuple())
    draw.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=max(2, size // 6))
    y = float(top)
    for line in _write(garment):
        _left, _top, width, height = draw.textbbox((0, 0), line, font=font)
        draw.rectangle((left, y, left + width + size / 2, y + height + size / 4), fill=colour)
        draw.text((left + size / 4, y), line, fill="white", font=font)
        y += height + size / 4


def _write(garment: Garment) -> list[str]:
    known = taxonomy.load()
    title = known.title("category", garment.category, "en")
    lines = [f"{title} {garment.category_confidence:.0%}"]
    lines += [known.title("value", f"{x.key}:{x.name}", "en") for x in garment.labels.all()]
    return lines
