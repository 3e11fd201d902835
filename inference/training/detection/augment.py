"""Random views of scenes: what one training step shows, with boxes and segments that fit."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.detection import DETAILS, SEGMENTS, STRIDE
from inference.preprocess import Pixels
from inference.training.detection.scenes import BODY, UNKNOWN, Scene

Floats = NDArray[np.float32]

IGNORED = 255
"""Value of a segment that no loss asks about."""
_LEAST_SEEN = 0.25
"""Of a garment's pixels; what a crop cuts off further is no garment to find."""


@dataclass(frozen=True, slots=True)
class View:
    image: Pixels
    """uint8 (H, W, 3)."""
    boxes: Floats
    """(n, 4) left, top, right, bottom in the view's pixels."""
    details: NDArray[np.int64]
    """(n,) indices into DETAILS."""
    segments: NDArray[np.uint8]
    """(H / STRIDE, W / STRIDE) indices into SEGMENTS, or IGNORED."""


def view_outfit(
    scene: Scene, *, size: tuple[int, int], grounds: list[Pixels], rng: np.random.Generator
) -> View:
    """An outfit: whole, in part or from afar, sometimes before another ground."""
    if rng.random() < 0.25:
        scene = _replace_ground(scene, _ground(scene.ids.shape, grounds, rng))
    kind = rng.random()
    zoom = (
        rng.uniform(0.88, 1.2)
        if kind < 0.7
        else rng.uniform(1.2, 2.4)
        if kind < 0.88
        else rng.uniform(0.55, 0.88)
    )
    return _view(_warp(scene, size=size, zoom=zoom, turn=5.0, rng=rng), rng)


def view_product(
    scene: Scene, *, size: tuple[int, int], grounds: list[Pixels], rng: np.random.Generator
) -> View:
    """A product as the shop shows it, or on another ground."""
    if scene.outlined and rng.random() < 0.4:
        scene = _replace_ground(scene, _ground(scene.ids.shape, grounds, rng))
    turn = 5.0 if scene.outlined else 0.0
    return _view(_warp(scene, size=size, zoom=rng.uniform(0.6, 1.15), turn=turn, rng=rng), rng)


def view_collage(
    products: list[Scene], *, size: tuple[int, int], grounds: list[Pixels], rng: np.random.Generator
) -> View:
    """Several outlined products side by side, not two in one place, on one ground."""
    height, width = size
    image = _ground(size, grounds, rng).copy()
    ids = np.zeros(size, np.uint8)
    details: list[int] = []
    for product in products:
        h, w = product.ids.shape
        scale = rng.uniform(0.3, 0.65) * min(height / h, width / w)
        to = (max(8, int(w * scale)), max(8, int(h * scale)))
        small = cv2.resize(product.image, to, interpolation=cv2.INTER_LINEAR)
        shape = cv2.resize(product.ids, to, interpolation=cv2.INTER_NEAREST)
        for _ in range(6):
            top = int(rng.integers(0, height - to[1] + 1))
            left = int(rng.integers(0, width - to[0] + 1))
            there = (slice(top, top + to[1]), slice(left, left + to[0]))
            if not ids[there][shape > 0].any():
                image[there][shape > 0] = small[shape > 0]
                ids[there][shape > 0] = shape[shape > 0] + len(details)
                details += [DETAILS.index(d) for d in product.details]
                break
    scene = Scene(image, ids, tuple(DETAILS[d] for d in details))
    return _view(scene, rng)


def whole_view(scene: Scene, *, size: tuple[int, int]) -> View:
    """The scene as it is, letterboxed."""
    return _see(_move(scene, _letterbox(scene.ids.shape, size), size))


def _view(scene: Scene, rng: np.random.Generator) -> View:
    view = _see(scene)
    image = view.image
    if rng.random() < 0.8:
        image = _change_light(image, rng)
    if rng.random() < 0.2:
        image = _lose_detail(image, rng)
    return View(image, view.boxes, view.details, view.segments)


def _see(scene: Scene) -> View:
    """Boxes and segments from the ids of the pixels; the pieces of a garment are one."""
    boxes, details = [], []
    for number, detail in enumerate(scene.details, start=1):
        shows = (scene.ids == number).astype(np.uint8)
        left, top, width, height = cv2.boundingRect(shows)
        if width >= 2 and height >= 2:
            boxes.append((left, top, left + width, top + height))
            details.append(DETAILS.index(detail))
    return View(
        image=scene.image,
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        details=np.array(details, dtype=np.int64),
        segments=_segments(scene),
    )


def _segments(scene: Scene) -> NDArray[np.uint8]:
    names = np.full(256, IGNORED, np.uint8)
    names[0] = SEGMENTS.index("ground")
    names[BODY] = SEGMENTS.index("body")
    if scene.outlined:
        for number, detail in enumerate(scene.details, start=1):
            names[number] = SEGMENTS.index(detail)
    half = STRIDE // 2
    return np.ascontiguousarray(names[scene.ids[half::STRIDE, half::STRIDE]])


def _warp(
    scene: Scene, *, size: tuple[int, int], zoom: float, turn: float, rng: np.random.Generator
) -> Scene:
    """Mirrored, turned, stretched, zoomed about a garment; what is cut off too far is unknown."""
    flip = -1.0 if rng.random() < 0.5 else 1.0
    angle = np.deg2rad(rng.uniform(-turn, turn))
    stretch = np.exp(rng.uniform(-0.12, 0.12))
    matrix = _letterbox(scene.ids.shape, size)
    scale = matrix[0, 0] * zoom
    matrix[:, :2] = scale * np.array(
        [
            [flip * np.cos(angle) * stretch, -np.sin(angle) / stretch],
            [flip * np.sin(angle) * stretch, np.cos(angle) / stretch],
        ]
    )
    at = np.array(size[::-1]) / 2
    shift = 0.06 if zoom < 1.2 else 0.12
    at += rng.uniform(-shift, shift, 2) * size[::-1]
    matrix[:, 2] = at - matrix[:, :2] @ _aim(scene, zoom, rng)
    return _without_remains(scene, _move(scene, matrix, size), zoom=scale)


def _aim(scene: Scene, zoom: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """The scene's place that comes into the middle: close up, somewhere on a garment."""
    height, width = scene.ids.shape
    middle = np.array([width / 2, height / 2])
    if zoom < 1.2 or not scene.details:
        return middle
    number = int(rng.integers(1, len(scene.details) + 1))
    left, top, w, h = cv2.boundingRect((scene.ids == number).astype(np.uint8))
    return np.asarray([left + w / 2, top + h / 2]) * 0.8 + middle * 0.2


def _without_remains(before: Scene, after: Scene, *, zoom: float) -> Scene:
    areas = np.bincount(before.ids.ravel(), minlength=256) * zoom * zoom
    seen = np.bincount(after.ids.ravel(), minlength=256)
    lost = (seen > 0) & (seen < _LEAST_SEEN * areas)
    lost[[0, BODY, UNKNOWN]] = False
    if lost.any():
        after.ids[lost[after.ids]] = UNKNOWN
    return after


def _letterbox(shape: tuple[int, ...], size: tuple[int, int]) -> NDArray[np.float64]:
    """(2, 3): the scene's pixels → the view's, undistorted and centred."""
    height, width = shape
    scale = min(size[0] / height, size[1] / width)
    return np.array(
        [
            [scale, 0, (size[1] - width * scale) / 2],
            [0, scale, (size[0] - height * scale) / 2],
        ]
    )


def _move(scene: Scene, matrix: NDArray[np.float64], size: tuple[int, int]) -> Scene:
    # Pixels have their centres at a half, which warpAffine puts at whole numbers.
    matrix = matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    to = size[::-1]
    image = scene.image
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.6:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.35 / scale))
    return Scene(
        np.asarray(
            cv2.warpAffine(
                image, matrix, to, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            ),
            dtype=np.uint8,
        ),
        np.asarray(cv2.warpAffine(scene.ids, matrix, to, flags=cv2.INTER_NEAREST), dtype=np.uint8),
        scene.details,
        scene.outlined,
    )


def _replace_ground(scene: Scene, ground: Pixels) -> Scene:
    edge = cv2.blur((scene.ids > 0).astype(np.float32), (3, 3))[:, :, None]
    mixed = scene.image * edge + ground * (1 - edge)
    return Scene(mixed.astype(np.uint8), scene.ids, scene.details, scene.outlined)


def _ground(shape: tuple[int, ...], grounds: list[Pixels], rng: np.random.Generator) -> Pixels:
    """A piece of street, a plain colour with a slope of light, or white."""
    height, width = shape
    kind = rng.random()
    if kind < 0.5 and grounds:
        piece = grounds[int(rng.integers(len(grounds)))]
        return np.asarray(cv2.resize(piece, (width, height)), dtype=np.uint8)
    colour = np.full(3, 255.0) if kind < 0.7 else rng.uniform(20, 255, 3)
    if kind >= 0.7 and rng.random() < 0.6:
        colour = colour.mean() * 0.8 + colour * 0.2
    slope = np.linspace(1, rng.uniform(0.8, 1), height)[:, None, None]
    return np.broadcast_to(colour * slope, (height, width, 3)).astype(np.uint8)


def _change_light(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Brightness, contrast and saturation by up to two fifths, a tint, seldom grey."""
    saturation = 0.0 if rng.random() < 0.04 else rng.uniform(0.6, 1.4)
    contrast = rng.uniform(0.7, 1.3)
    gains = rng.uniform(0.7, 1.25) * rng.uniform(0.9, 1.1, 3)
    mixing = saturation * np.eye(3) + (1 - saturation) / 3
    centre = float(np.mean(np.array(cv2.mean(image)[:3]) * gains))
    offset = np.full((3, 1), centre * (1 - contrast))
    return np.asarray(cv2.transform(image, np.hstack([contrast * mixing * gains, offset])))


def _lose_detail(image: Pixels, rng: np.random.Generator) -> Pixels:
    """A photo that was smaller, or saved with a low quality."""
    height, width = image.shape[:2]
    if rng.random() < 0.5:
        share = rng.uniform(0.35, 0.8)
        small = cv2.resize(
            image, (int(width * share), int(height * share)), interpolation=cv2.INTER_AREA
        )
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))]
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR))
