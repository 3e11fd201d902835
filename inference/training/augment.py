"""Random changes that make few photos many, and catalogue photos and people's own photos alike.

Everything works on uint8 pixels at the small input size, where it costs about a tenth of the
training step.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.contract import Box
from inference.preprocess import Pixels, resize_crop, whole
from inference.training.config import Changes

Mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Light:
    brightness: tuple[float, float]
    contrast: float
    """Up to that much more or less, of saturation too."""
    tint: float


_GENTLE = _Light((0.88, 1.12), 0.15, 0.03)
"""Navy stays navy, and cream no white."""
_STRONG = _Light((0.75, 1.2), 0.25, 0.07)
_WHITE = 238
_WHITE_BORDER = 0.75
"""Share of the border's pixels that must be white for a photo to count as a catalogue cut-out."""


@dataclass(frozen=True, slots=True)
class View:
    pixels: Pixels
    """uint8 (height, width, 3)."""
    true_colours: bool
    """Whether the colours can still be told."""


def augment(
    image: Pixels,
    *,
    size: tuple[int, int],
    changes: Changes,
    backgrounds: list[Pixels],
    rng: np.random.Generator,
    again: bool = False,
) -> View:
    """A random view of the photo at `size`; the label stays right.

    The second view of a photo, `again`, is as another shop would show it.
    """
    if changes.quarter and rng.random() < changes.quarter:
        image = np.ascontiguousarray(np.rot90(image, rng.choice((-1, 1))))
    garment = find_on_white(image)
    if garment is not None and backgrounds and rng.random() < changes.ground:
        image = _replace_ground(image, garment, backgrounds=backgrounds, rng=rng)
    box = _cut_again(image, rng) if again else _random_box(image, garment, changes, rng)
    view = resize_crop(image, box, size)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    if rng.random() < changes.turn:
        view = _turn(view, changes.angle, rng)
    if rng.random() < changes.detail:
        view = _lose_detail(view, rng)
    strong = rng.random() < (0.5 if again else changes.light * changes.strong_light)
    if strong or rng.random() < changes.light:
        view = _change_light(view, _STRONG if strong else _GENTLE, rng)
    if rng.random() < changes.erase:
        view = _erase(view, rng)
    return View(np.ascontiguousarray(view), true_colours=not strong)


def find_on_white(image: Pixels) -> Mask | None:
    """(H, W), 255 where something stands on a white ground; None where the border isn't white."""
    ground = np.asarray(cv2.inRange(image, (_WHITE,) * 3, (255,) * 3))
    border = np.concatenate([ground[0], ground[:, 0], ground[:, -1]])
    if np.count_nonzero(border) < _WHITE_BORDER * len(border) or ground.all():
        return None
    return np.asarray(cv2.bitwise_not(ground))


def _cut_again(image: Pixels, rng: np.random.Generator) -> Box:
    """75 to 97 % of each side."""
    height, width = image.shape[:2]
    h, w = int(height * rng.uniform(0.75, 0.97)), int(width * rng.uniform(0.75, 0.97))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return Box(left, top, left + max(8, w), top + max(8, h))


def _random_box(
    image: Pixels, garment: Mask | None, changes: Changes, rng: np.random.Generator
) -> Box:
    """The whole photo, or between it and a little less than the garment."""
    height, width = image.shape[:2]
    if rng.random() < changes.whole:
        return whole(image)
    if garment is None:
        margins = rng.uniform(0, changes.near, 4) * rng.integers(0, 2)
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


def _turn(view: Pixels, most: float, rng: np.random.Generator) -> Pixels:
    """Rotate up to `most` degrees, stretch up to 15 %."""
    height, width = view.shape[:2]
    angle = np.deg2rad(rng.uniform(-most, most))
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


def _change_light(view: Pixels, light: _Light, rng: np.random.Generator) -> Pixels:
    gains = rng.uniform(*light.brightness) * rng.uniform(1 - light.tint, 1 + light.tint, 3)
    contrast, saturation = rng.uniform(1 - light.contrast, 1 + light.contrast, 2)
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
