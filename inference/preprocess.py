"""From bytes to pixels to the network's input: the one path of training, evaluation and serving."""

import struct
from contextlib import suppress
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from inference.contract import Box, InvalidImage

Pixels = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP")
MAX_BYTES = 25 * 1024 * 1024
MAX_PIXELS = 50_000_000
MIN_SIDE = 8

DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    RuntimeError,
    struct.error,
    EOFError,
    IndexError,
    OverflowError,
)
"""What Pillow's decoders raise; RuntimeError is AVIF's."""

# Pillow's own guard only warns up to twice its limit; `_check_header` refuses before any decoding.
Image.MAX_IMAGE_PIXELS = None


def decode(data: bytes) -> Pixels:
    """The photo as uint8 (H, W, 3) sRGB, upright by its EXIF orientation, transparency on white.

    An animation gives its first frame. Raises InvalidImage with one of the codes `empty`,
    `too-large`, `unsupported-format`, `too-many-pixels`, `too-small`, `damaged`.
    """
    if not data:
        raise InvalidImage("empty", "The file is empty.")
    if len(data) > MAX_BYTES:
        raise InvalidImage("too-large", "The file is larger than 25 MB.")
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise InvalidImage(
            "unsupported-format", "This is not a JPEG, PNG, WebP, AVIF, GIF or BMP photo."
        ) from error
    except DAMAGED as error:
        raise InvalidImage("damaged", "The file is damaged: it has no readable header.") from error
    with image:
        _check_header(image)
        try:
            image.load()
            _turn_upright(image)
            return _to_rgb(image)
        except DAMAGED as error:
            raise InvalidImage("damaged", "The file is damaged or incomplete.") from error


def resize_crop(image: Pixels, box: Box, size: tuple[int, int]) -> Pixels:
    """What the box shows, at `size` = (height, width), undistorted; uint8 (height, width, 3).

    The box grows about its centre to the ratio of `size`; what the photo has there is shown, and
    beyond the photo's edge its border pixels go on, so that a plain background stays plain.
    """
    height, width = size
    scale = min(width / box.width, height / box.height)
    left = (box.left + box.right) / 2 - width / scale / 2
    top = (box.top + box.bottom) / 2 - height / scale / 2
    x0, x1 = _span(left, width, scale, image.shape[1])
    y0, y1 = _span(top, height, scale, image.shape[0])
    to_x0, to_x1 = _place(x0, x1, left, scale, width)
    to_y0, to_y1 = _place(y0, y1, top, scale, height)
    shrinks = to_x1 - to_x0 <= x1 - x0 and to_y1 - to_y0 <= y1 - y0
    shown = cv2.resize(
        image[y0:y1, x0:x1],
        (to_x1 - to_x0, to_y1 - to_y0),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return np.asarray(
        cv2.copyMakeBorder(
            shown, to_y0, height - to_y1, to_x0, width - to_x1, cv2.BORDER_REPLICATE
        ),
        dtype=np.uint8,
    )


def crop_alone(image: Pixels, box: Box, size: tuple[int, int]) -> Pixels:
    """What the box shows and nothing beside it, at `size`, undistorted.

    Where `size` has another ratio the box's own border pixels go on: for one garment of several,
    whose neighbours would be what a wider crop shows.
    """
    part = image[box.top : box.bottom, box.left : box.right]
    return resize_crop(part, whole(part), size)


def whole(image: Pixels) -> Box:
    return Box(0, 0, image.shape[1], image.shape[0])


def _span(start: float, length: int, scale: float, limit: int) -> tuple[int, int]:
    """The source pixels (last exclusive) that a window of `length` output pixels shows."""
    first = min(max(round(start), 0), limit - 1)
    last = min(max(round(start + length / scale), first + 1), limit)
    return first, last


def _place(first: int, last: int, start: float, scale: float, length: int) -> tuple[int, int]:
    """Where those source pixels lie in the output; at least one pixel."""
    to_first = min(max(round((first - start) * scale), 0), length - 1)
    to_last = min(max(round((last - start) * scale), to_first + 1), length)
    return to_first, to_last


def _check_header(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InvalidImage(
            "too-many-pixels",
            f"The photo has {width} × {height} pixels; 50 megapixels are the limit.",
        )
    if min(width, height) < MIN_SIDE:
        raise InvalidImage("too-small", f"The photo is only {width} × {height} pixels.")


def _turn_upright(image: Image.Image) -> None:
    # Broken metadata is no reason to refuse pixels that decoded well.
    with suppress(TypeError, KeyError, *DAMAGED):
        ImageOps.exif_transpose(image, in_place=True)


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey at 255 when it converts; a photo means the high byte.
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        ground = Image.new("RGBA", layered.size, "white")
        image = Image.alpha_composite(ground, layered)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8)
