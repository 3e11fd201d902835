"""A photo as MMFashion's demo shows it to its networks, without the random flip."""

from io import BytesIO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from inference.contract import InvalidImage
from inference.preprocess import DAMAGED, FORMATS, MAX_BYTES, MAX_PIXELS, Pixels

SIZE = 224
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def read_picture(data: bytes, *, square: bool = True) -> Tensor:
    """float32 (3, SIZE, SIZE), ImageNet-normalised RGB. Raises InvalidImage.

    Shrunk to fit, never enlarged, and its edge drawn out to a square. Dogacel's fork loses a
    pixel where the difference of the sides is odd, and leaves small photos small:
    `square=False` gives exactly its picture, (3, height, width). Unlike there, a photo stands
    upright by its EXIF orientation, and what is transparent is white.
    """
    if len(data) > MAX_BYTES:
        raise InvalidImage("too-large", "The file is larger than 25 MB.")
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as opened:
            small = _shrink(opened)
    except UnidentifiedImageError as error:
        raise InvalidImage(
            "unsupported-format", "This is not a JPEG, PNG, WebP, AVIF, GIF or BMP photo."
        ) from error
    except DAMAGED as error:
        raise InvalidImage("damaged", "The file is damaged or incomplete.") from error
    return _pad(small, square=square)


def read_pixels(image: Pixels) -> Tensor:
    """The same from decoded pixels, uint8 (H, W, 3): a photo's part."""
    shown = Image.fromarray(image)
    shown.thumbnail((SIZE, SIZE), Image.Resampling.LANCZOS)
    return _pad(np.asarray(shown), square=True)


def _pad(small: Pixels, *, square: bool) -> Tensor:
    height, width = small.shape[:2]
    if square:
        edges = _split(SIZE - height), _split(SIZE - width)
    else:
        down, across = max(width - height, 0) // 2, max(height - width, 0) // 2
        edges = (down, down), (across, across)
    padded = np.pad(small, (*edges, (0, 0)), mode="edge")
    return normalise(padded)


def _shrink(opened: Image.Image) -> Pixels:
    if opened.width * opened.height > MAX_PIXELS:
        raise InvalidImage("too-many-pixels", "The photo has more than 50 million pixels.")
    # Shrinking comes before anything else, so that large JPEGs are decoded small.
    opened.thumbnail((SIZE, SIZE), Image.Resampling.LANCZOS)
    upright = ImageOps.exif_transpose(opened)
    if upright.has_transparency_data:
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright.convert("RGBA"))
    return np.asarray(upright.convert("RGB"))


def normalise(pixels: Pixels) -> Tensor:
    """uint8 (H, W, 3) → float32 (3, H, W)."""
    scaled = torch.from_numpy(pixels.transpose(2, 0, 1).copy()).float().div(255)
    return (scaled - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def _split(missing: int) -> tuple[int, int]:
    return missing // 2, missing - missing // 2
