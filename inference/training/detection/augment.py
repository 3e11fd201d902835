"""Random views of scenes: what one training step shows, with boxes and segments that fit."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.detection import DETAILS, SEGMENTS, STRIDE
from inference.preprocess import Pixels
from inference.training.detection.scenes import BODY, UNKNOWN, Guess, Ids, Scene

Floats = NDArray[np.float32]

IGNORED = 255
"""Value of a segment that no loss asks about."""
_LEAST_SEEN = 0.25
"""Of a garment's pixels; what a crop cuts off, or something hides, further is none to find."""


MOST = 24
"""Garments of one view."""


@dataclass(frozen=True, slots=True)
class View:
    image: Pixels
    """uint8 (H, W, 3)."""
    boxes: Floats
    """(n, 4) left, top, right, bottom in the view's pixels."""
    details: NDArray[np.int64]
    """(n,) indices into DETAILS; no more than MOST."""
    segments: NDArray[np.uint8]
    """(H / STRIDE, W / STRIDE) indices into SEGMENTS, or IGNORED."""


def view_outfit(
    scene: Scene,
    *,
    size: tuple[int, int],
    grounds: list[Pixels],
    products: list[Scene],
    rng: np.random.Generator,
    calm: bool = False,
) -> View:
    """An outfit: whole, in part or from afar, sometimes before another ground, in other colours,
    with things before it; or calmly, much as it is."""
    if calm:
        return _view(_warp(scene, size=size, zoom=rng.uniform(0.9, 1.12), turn=3.0, rng=rng), rng)
    kind = rng.random()
    zoom = (
        rng.uniform(0.88, 1.2)
        if kind < 0.6
        else rng.uniform(1.2, 2.6)
        if kind < 0.8
        else rng.uniform(0.45, 0.88)
    )
    scene = _warp(scene, size=size, zoom=zoom, turn=8.0, rng=rng)
    if rng.random() < 0.25:
        scene = _replace_ground(scene, _ground(size, grounds, rng))
    if rng.random() < 0.3:
        scene = _dye(scene, rng)
    if products and rng.random() < 0.3:
        scene = _put_before(scene, products[int(rng.integers(len(products)))], rng)
    if rng.random() < 0.15:
        scene = _hide_part(scene, _ground(size, grounds, rng), rng)
    return _view(scene, rng)


def view_guess(guess: Guess, *, size: tuple[int, int], rng: np.random.Generator) -> View:
    """An outfit of which only boxes are known, upright, so that they go on fitting."""
    empty = Scene(guess.image, np.zeros(guess.image.shape[:2], np.uint8), ())
    zoom = rng.uniform(0.6, 1.3)
    matrix = _letterbox(empty.ids.shape, size)
    flip = -1.0 if rng.random() < 0.5 else 1.0
    stretch = np.exp(rng.uniform(-0.15, 0.15))
    matrix[:, :2] = matrix[0, 0] * zoom * np.diag([flip * stretch, 1 / stretch])
    at = np.array(size[::-1]) * (0.5 + rng.uniform(-0.06, 0.06, 2))
    matrix[:, 2] = at - matrix[:, :2] @ _aim(empty, zoom, rng)
    image = _move(empty, matrix, size).image
    corners = guess.boxes.reshape(-1, 2, 2) @ matrix[:, :2].T + matrix[:, 2]
    boxes = np.hstack([corners.min(axis=1), corners.max(axis=1)])
    inside = np.clip(boxes, 0, [*size[::-1], *size[::-1]])
    areas, seen = (np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (boxes, inside))
    kept = seen >= np.maximum(_LEAST_SEEN * areas, 4)
    details = np.array([DETAILS.index(d) for d in guess.details], dtype=np.int64)
    unknown = np.full((size[0] // STRIDE, size[1] // STRIDE), IGNORED, np.uint8)
    view = View(image, inside[kept].astype(np.float32), details[kept], unknown)
    return _change_look(view, rng)


def view_product(
    scene: Scene, *, size: tuple[int, int], grounds: list[Pixels], rng: np.random.Generator
) -> View:
    """A product as the shop shows it, or on another ground."""
    turn = 8.0 if scene.outlined else 0.0
    outlined = scene.outlined
    scene = _warp(scene, size=size, zoom=rng.uniform(0.5, 1.2), turn=turn, rng=rng)
    if outlined and rng.random() < 0.4:
        scene = _replace_ground(scene, _ground(size, grounds, rng))
    return _view(scene, rng)


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
    return _change_look(_see(scene), rng)


def _change_look(view: View, rng: np.random.Generator) -> View:
    image = view.image
    if rng.random() < 0.8:
        image = _change_light(image, rng)
    if rng.random() < 0.2:
        image = _lose_detail(image, rng)
    return View(image, view.boxes, view.details, view.segments)


def _see(scene: Scene) -> View:
    """Boxes and segments from the ids of the pixels; the pieces of a garment are one."""
    boxes: list[tuple[int, int, int, int]] = []
    details: list[int] = []
    for number, detail in enumerate(scene.details, start=1):
        left, top, width, height = cv2.boundingRect(cv2.inRange(scene.ids, number, number))
        if width >= 2 and height >= 2 and len(boxes) < MOST:
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
    stretch = np.exp(rng.uniform(-0.15, 0.15))
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
    left, top, w, h = cv2.boundingRect(cv2.inRange(scene.ids, number, number))
    return np.asarray([left + w / 2, top + h / 2]) * 0.8 + middle * 0.2


def _without_remains(before: Scene, after: Scene, *, zoom: float) -> Scene:
    """In place: of what was cut off too far nobody knows what it is."""
    seen, areas = _areas(after.ids), _areas(before.ids) * zoom * zoom
    lost = (seen > 0) & (seen < _LEAST_SEEN * areas)
    lost[[0, BODY, UNKNOWN]] = False
    if lost.any():
        after.ids[lost[after.ids]] = UNKNOWN
    return after


def _areas(ids: Ids) -> NDArray[np.float32]:
    """(256,) pixels of each value."""
    return np.asarray(cv2.calcHist([ids], [0], None, [256], [0, 256]), dtype=np.float32).ravel()


def _dye(scene: Scene, rng: np.random.Generator) -> Scene:
    """One garment in another colour, which its cut does not depend on."""
    if not scene.details or not scene.outlined:
        return scene
    shows = scene.ids == rng.integers(1, len(scene.details) + 1)
    mixing = np.eye(3)[rng.permutation(3)] * rng.uniform(0.6, 1.3, (3, 1))
    offset = rng.uniform(-40, 40, (3, 1))
    image = scene.image.copy()
    image[shows] = cv2.transform(image, np.hstack([mixing, offset]))[shows]
    return Scene(image, scene.ids, scene.details, scene.outlined)


def _put_before(scene: Scene, product: Scene, rng: np.random.Generator) -> Scene:
    """A product somewhere before an outfit; what it hides too far is no longer to be found."""
    height, width = scene.ids.shape
    h, w = product.ids.shape
    scale = rng.uniform(0.12, 0.4) * min(height / h, width / w)
    to = (max(8, int(w * scale)), max(8, int(h * scale)))
    small = cv2.resize(product.image, to, interpolation=cv2.INTER_AREA)
    shape = cv2.resize(product.ids, to, interpolation=cv2.INTER_NEAREST)
    top = int(rng.integers(0, height - to[1] + 1))
    left = int(rng.integers(0, width - to[0] + 1))
    there = (slice(top, top + to[1]), slice(left, left + to[0]))
    shows = shape > 0
    image, ids = scene.image.copy(), scene.ids.copy()
    image[there][shows] = small[shows]
    ids[there][shows] = shape[shows] + len(scene.details)
    after = Scene(image, ids, (*scene.details, *product.details), scene.outlined)
    return _without_remains(scene, after, zoom=1.0)


def _hide_part(scene: Scene, ground: Pixels, rng: np.random.Generator) -> Scene:
    """A piece of ground before the scene, as a passer-by or a pillar would be."""
    height, width = scene.ids.shape
    h = int(height * rng.uniform(0.1, 0.4))
    w = int(width * rng.uniform(0.1, 0.4))
    top, left = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
    there = (slice(top, top + h), slice(left, left + w))
    image, ids = scene.image.copy(), scene.ids.copy()
    image[there] = ground[there]
    ids[there] = 0
    return _without_remains(scene, Scene(image, ids, scene.details, scene.outlined), zoom=1.0)


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
    edge = cv2.blur(np.where(scene.ids > 0, np.float32(1), np.float32(0)), (3, 3))
    mixed = cv2.blendLinear(scene.image, ground, edge, 1 - edge)
    return Scene(np.asarray(mixed, dtype=np.uint8), scene.ids, scene.details, scene.outlined)


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
    """Brightness, contrast and saturation by up to a half, a tint, seldom grey."""
    saturation = 0.0 if rng.random() < 0.05 else rng.uniform(0.5, 1.5)
    contrast = rng.uniform(0.6, 1.4)
    gains = rng.uniform(0.6, 1.3) * rng.uniform(0.88, 1.12, 3)
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
