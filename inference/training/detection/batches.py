"""Which views a training step of the finder sees: a function of seed and step."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from inference.preprocess import Pixels
from inference.training.detection.augment import (
    MOST,
    View,
    view_collage,
    view_guess,
    view_outfit,
    view_product,
)
from inference.training.detection.config import FinderConfig
from inference.training.detection.scenes import Guess, Scene
from inference.training.detection.targets import NONE
from inference.training.loading import steps_ahead

Shown = TypeVar("Shown", Scene, Guess)


@dataclass(frozen=True, slots=True)
class Scenes:
    """All that a run draws from."""

    outfits: list[Scene]
    products: list[Scene]
    flat_lays: list[Scene]
    grounds: list[Pixels]
    guesses: list[Guess] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    images: Tensor
    """uint8 (N, 3, H, W), channels last in memory."""
    boxes: Tensor
    """float32 (N, garments, 4) left, top, right, bottom in pixels."""
    details: Tensor
    """int64 (N, garments) indices into DETAILS; NONE, where a view has fewer."""
    segments: Tensor
    """uint8 (N, h, w)."""


def make_batches(config: FinderConfig, scenes: Scenes, *, first: int) -> Iterator[Batch]:
    """The run's batches from step `first` on; the next ones are made meanwhile."""
    return steps_ahead(
        partial(make_batch, config, scenes),
        first=first,
        last=config.steps,
        workers=config.workers,
    )


def make_batch(config: FinderConfig, scenes: Scenes, step: int) -> Batch:
    size = config.size_at(step)
    boxes = np.zeros((config.batch_size, MOST, 4), np.float32)
    details = np.full((config.batch_size, MOST), NONE, np.int64)
    images, segments = [], []
    for index in range(config.batch_size):
        rng = np.random.default_rng([config.seed, step, index])
        view = make_view(config, scenes, size=size, calm=config.is_calm(step), rng=rng)
        boxes[index, : len(view.boxes)] = view.boxes
        details[index, : len(view.details)] = view.details
        images.append(view.image)
        segments.append(view.segments)
    most = max(1, int((details != NONE).sum(axis=1).max()))
    return Batch(
        images=torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2),
        boxes=torch.from_numpy(boxes[:, :most].copy()),
        details=torch.from_numpy(details[:, :most].copy()),
        segments=torch.from_numpy(np.stack(segments)),
    )


def make_view(
    config: FinderConfig,
    scenes: Scenes,
    *,
    size: tuple[int, int],
    calm: bool = False,
    rng: np.random.Generator,
) -> View:
    shares = np.array(
        [
            config.outfits * bool(scenes.outfits),
            config.products * bool(scenes.products),
            config.collages * bool(scenes.products),
            config.flat_lays * bool(scenes.flat_lays),
            config.guesses * bool(scenes.guesses),
        ]
    )
    kind = int(np.searchsorted(shares.cumsum() / shares.sum(), rng.random(), side="right"))
    if kind == 0:
        return view_outfit(
            _any(scenes.outfits, rng),
            size=size,
            grounds=scenes.grounds,
            products=scenes.products,
            rng=rng,
            calm=calm,
        )
    if kind == 2:
        # None at all, seldom: a ground alone shows no garment.
        products = [_any(scenes.products, rng) for _ in range(int(rng.integers(0, 5)))]
        return view_collage(products, size=size, grounds=scenes.grounds, rng=rng)
    if kind == 4:
        return view_guess(_any(scenes.guesses, rng), size=size, rng=rng)
    scene = _any(scenes.products if kind == 1 else scenes.flat_lays, rng)
    return view_product(scene, size=size, grounds=scenes.grounds, rng=rng)


def _any(scenes: list[Shown], rng: np.random.Generator) -> Shown:
    return scenes[int(rng.integers(len(scenes)))]
