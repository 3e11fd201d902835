"""Pictures without a garment: grounds of outfit photos, size charts, text, plain colours."""

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from inference import taxonomy
from inference.preprocess import Pixels, decode
from inference.training.samples import Sample, head_indices

_TRIES = 30
_CHART_WORDS = ("SIZE", "CHART", "BUST", "WAIST", "HIPS", "LENGTH", "S", "M", "XL", "EU", "cm")
_SALE_WORDS = ("SALE", "-50%", "NEW", "FREE", "SHIPPING", "RETURN", "30", "DAYS", "COTTON")


def cut_backgrounds(path: Path, *, seed: int, per_photo: int = 3, limit: int = 0) -> list[Pixels]:
    """Patches of ccp photos that its masks call empty, at most 96 pixels high."""
    rng = np.random.default_rng([seed, 1])
    patches: list[Pixels] = []
    for row in pq.read_table(path, columns=["image", "mask"]).slice(0, limit or None).to_pylist():
        if row["mask"] is None:
            continue
        with Image.open(BytesIO(row["mask"]), formats=("PNG",)) as file:
            mask = np.asarray(file)
        patches += _empty_patches(decode(row["image"]), mask, rng=rng, count=per_photo)
    return patches


def make_negatives(backgrounds: list[Pixels], *, seed: int, count: int) -> list[Sample]:
    """`count` samples whose right answer is the abstention, a third of them backgrounds."""
    rng = np.random.default_rng([seed, 2])
    makers = (_size_chart, _text_card, _plain_ground)
    abstain = head_indices((taxonomy.load().abstention,))
    samples = []
    for index in range(count):
        if backgrounds and index % 3 == 0:
            image = backgrounds[int(rng.integers(len(backgrounds)))]
        else:
            image = makers[int(rng.integers(len(makers)))](rng)
        samples.append(
            Sample(image=image, id=f"negative-{index}", label="negative", accepts=abstain)
        )
    return samples


def _empty_patches(
    image: Pixels, mask: Pixels, *, rng: np.random.Generator, count: int
) -> list[Pixels]:
    height, width = mask.shape[:2]
    patches: list[Pixels] = []
    for _ in range(_TRIES):
        if len(patches) == count:
            break
        h = int(rng.integers(height // 6, height // 2))
        w = min(int(h * rng.uniform(0.5, 1.2)), width // 2)
        top, left = int(rng.integers(height - h)), int(rng.integers(width - w))
        if (mask[top : top + h, left : left + w] == 0).mean() > 0.995:
            patch = image[top : top + h, left : left + w]
            size = (max(8, round(w * min(1.0, 96 / h))), max(8, min(h, 96)))
            patches.append(np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_AREA)))
    return patches


def _plain_ground(rng: np.random.Generator) -> Pixels:
    """A flat colour or a gradient, with some noise."""
    height, width = 96, 72
    ends = rng.uniform(0, 255, (2, 3))
    ramp = np.linspace(0, 1, height if rng.random() < 0.5 else width)
    ground = ends[0] + ramp[:, None] * (ends[1] - ends[0]) * rng.integers(0, 2)
    image = (
        np.broadcast_to(ground[:, None], (height, width, 3))
        if len(ramp) == height
        else np.broadcast_to(ground[None], (height, width, 3))
    )
    noise = rng.normal(0, rng.uniform(0, 40), (height, width, 3))
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _text_card(rng: np.random.Generator) -> Pixels:
    """A few lines of text on a plain card, as shops put between their photos."""
    image, ink = _card(rng)
    for line in range(int(rng.integers(1, 8))):
        words = " ".join(rng.choice(_SALE_WORDS, int(rng.integers(1, 4))))
        _write(image, words, (int(rng.integers(0, 60)), 24 + line * 24), ink, rng)
    return image


def _size_chart(rng: np.random.Generator) -> Pixels:
    """A table with words in the first row and column, numbers elsewhere."""
    image, ink = _card(rng)
    rows, columns = int(rng.integers(3, 10)), int(rng.integers(2, 6))
    height, width = image.shape[:2]
    for row in range(rows + 1):
        y = row * (height - 1) // rows
        cv2.line(image, (0, y), (width - 1, y), ink, 1)
        for column in range(columns):
            x = column * (width - 1) // columns
            cv2.line(image, (x, 0), (x, height - 1), ink, 1)
            first = row == 0 or column == 0
            word = str(rng.choice(_CHART_WORDS)) if first else str(int(rng.integers(30, 120)))
            _write(image, word, (x + 2, y + height // rows - 4), ink, rng)
    return image


def _card(rng: np.random.Generator) -> tuple[Pixels, tuple[int, int, int]]:
    ground = rng.integers(200, 256, 3) if rng.random() < 0.7 else rng.integers(0, 256, 3)
    height, width = (192, 144) if rng.random() < 0.6 else (144, 192)
    image = np.full((height, width, 3), ground, dtype=np.uint8)
    ink = 20 if ground.mean() > 128 else 235
    return image, (ink, ink, ink)


def _write(
    image: Pixels,
    text: str,
    at: tuple[int, int],
    ink: tuple[int, int, int],
    rng: np.random.Generator,
) -> None:
    font = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX]))
    cv2.putText(image, text, at, font, float(rng.uniform(0.3, 0.7)), ink, 1, cv2.LINE_AA)
