"""Random changes that make few photos many, and catalogue photos and people's own photos alike.

Everything works on uint8 pixels at the small input size, where it costs about a tenth of the
training step.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.contract import Box
from inference.preprocess import Pixels, resize_crop

Mask = NDArray[np.uint8]

_WHITE = 238
_WHITE_BORDER = 0.75
"""Share of the border's pixels that must be white for a photo to count as a catalogue cut-out."""


def augment(
    image: Pixels, *, size: tuple[int, int], backgrounds: list[Pixels], rng: np.random.Generator
) -> Pixels:
    """A random view of the photo at `size`; the label stays right, colours nearly so."""
    garment = find_on_white(image)
    if garment is not None and backgrounds and rng.random() < 0.2:
        image = _replace_ground(image, garment, backgrounds=backgrounds, rng=rng)
    view = resize_crop(image, _random_box(image, garment, rng), size)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    if rng.random() < 0.3:
        view = _turn(view, rng)
    if rng.random() < 0.2:
        view = _lose_detail(view, rng)
    if rng.random() < 0.5:
        view = _change_light(view, rng)
    if rng.random() < 0.15:
        view = _erase(view, rng)
    return np.ascontiguousarray(view)


def find_on_white(image: Pixels) -> Mask | None:
    """(H, W), 255 where something stands on a white ground; None where the border isn't white."""
    ground = np.asarray(cv2.inRange(image, (_WHITE,) * 3, (255,) * 3))
    border = np.concatenate([ground[0], ground[:, 0], ground[:, -1]])
    if np.count_nonzero(border) < _WHITE_BORDER * len(border) or ground.all():
        return None
    return np.asarray(cv2.bitwise_not(ground))


def _random_box(image: Pixels, garment: Mask | None, rng: np.random.Generator) -> Box:
    """Between the whole photo and a little less than the garment."""
    height, width = image.shape[:2]
    if garment is None:
        margins = rng.uniform(0, 0.18, 4) * rng.integers(0, 2)
        near = np.array([width, height, width, height]) * margins
    else:
        x, y, w, h = cv2.boundingRect(garment)
        tight = np.array([x, y, width - x - w, height - y - h])
        near = tight * rng.uniform(0, 1, 4) if rng.random() < 0.6 else tight * 1.0
        near += np.array([width, height, width, height]) * rng.uniform(0, 0.08, 4)
    left, top, right, bottom = (int(v) for v in near)
    return Box(left, top, max(left + 8, width - right), max(top + 8, height - bottom))


def _replace_ground(
    image: Pixels,
    garment: Mask,
    *,
    backgrounds: list[Pixels],
    rng: np.random.Generator,
) -> Pixels:
    """Paste the garment on a patch of a street or room, or on a colour."""
    height, width = garment.shape
    if rng.random() < 0.7:
        patch = backgrounds[int(rng.integers(len(backgrounds)))]
        ground = np.asarray(cv2.resize(patch, (width, height)))
    else:
        ground = np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), image.shape)
    # White parts inside the garment stay: only what a closed outline leaves outside is ground.
    closed = cv2.morphologyEx(garment, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    inside = np.zeros((height, width), np.uint8)
    cv2.drawContours(inside, outlines, -1, 1, thickness=cv2.FILLED)
    return np.where(inside[:, :, None] > 0, image, ground)


def _turn(view: Pixels, rng: np.random.Generator) -> Pixels:
    """Rotate up to 12°, stretch up to 15 %."""
    height, width = view.shape[:2]
    angle = np.deg2rad(rng.uniform(-12, 12))
    stretch_x, stretch_y = rng.uniform(0.87, 1.15, 2)
    matrix = np.array(
        [
            [np.cos(angle) * stretch_x, -np.sin(angle) * stretch_y, 0],
            [np.sin(angle) * stretch_x, np.cos(angle) * stretch_y, 0],
        ]
    )
    centre = np.array([width / 2, height / 2])
    matrix[:, 2] = centre - matrix[:, :2] @ centre
    return np.asarray(
        cv2.warpAffine(view, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    )


def _lose_detail(view: Pixels, rng: np.random.Generator) -> Pixels:
    """A photo that was smaller, or saved with a low quality."""
    height, width = view.shape[:2]
    if rng.random() < 0.7:
        share = rng.uniform(0.4, 0.8)
        small = cv2.resize(
            view, (int(width * share), int(height * share)), interpolation=cv2.INTER_AREA
        )
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 80))]
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", view, quality)[1], cv2.IMREAD_COLOR))


def _change_light(view: Pixels, rng: np.random.Generator) -> Pixels:
    """Brightness, contrast and saturation by up to a quarter, and a light tint."""
    gains = rng.uniform(0.75, 1.2) * rng.uniform(0.93, 1.07, 3)
    contrast, saturation = rng.uniform(0.75, 1.25, 2)
    mixing = saturation * np.eye(3) + (1 - saturation) / 3
    matrix = contrast * mixing * gains
    centre = float(np.mean(np.array(cv2.mean(view)[:3]) * gains))
    offset = np.full((3, 1), centre * (1 - contrast))
    return np.asarray(cv2.transform(view, np.hstack([matrix, offset])))


def _erase(view: Pixels, rng: np.random.Generator) -> Pixels:
    """Cover up to a fifth with one colour (Zhong et al. 2017)."""
    height, width = view.shape[:2]
    h, w = int(height * rng.uniform(0.1, 0.5)), int(width * rng.uniform(0.1, 0.4))
    top, left = int(rng.integers(height - h)), int(rng.integers(width - w))
    covered = view.copy()
    covered[top : top + h, left : left + w] = rng.integers(0, 256, 3)
    return covered
