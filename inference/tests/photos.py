"""Photos for the tests: painted ones whose answer is known, and the demo shop's real ones."""

from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from inference.contract import Box
from inference.preprocess import Pixels

DEMO = Path(__file__).resolve().parents[2] / "annotations" / "demo_photos"


def read_demo(name: str) -> bytes:
    return (DEMO / name).read_bytes()


def paint(
    *,
    size: tuple[int, int] = (400, 300),
    background: tuple[int, int, int] = (255, 255, 255),
    garment: tuple[int, int, int] = (200, 30, 40),
    box: Box | None = None,
    noise: float = 0.0,
) -> Pixels:
    """A rectangle of cloth on a background; `size` is (height, width)."""
    image = np.empty((*size, 3), dtype=np.uint8)
    image[:] = background
    box = box or Box(size[1] // 4, size[0] // 4, size[1] * 3 // 4, size[0] * 3 // 4)
    image[box.top : box.bottom, box.left : box.right] = garment
    if noise:
        rough = np.random.default_rng(7).normal(0, noise, image.shape)
        image = np.clip(cv2.GaussianBlur(rough, (0, 0), 1.5) * 3 + image, 0, 255).astype(np.uint8)
    return image


def encode(image: Pixels | Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    out = BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(out, kind, **options)
    return out.getvalue()


def overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    width = min(first.right, second.right) - max(first.left, second.left)
    height = min(first.bottom, second.bottom) - max(first.top, second.top)
    shared = max(width, 0) * max(height, 0)
    return shared / (first.width * first.height + second.width * second.height - shared)
