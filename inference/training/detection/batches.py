"""Which views a training step of the finder sees: a function of seed and step."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inference.preprocess import Pixels
from inference.training.detection.augment import View, view_collage, view_outfit, view_product
from inference.training.detection.config import FinderConfig
from inference.training.detection.scenes import Scene
from inference.training.detection.targets import encode

_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Scenes:
    """All that a run draws from."""

    outfits: list[Scene]
    products: list[Scene]
    flat_lays: list[Scene]
    grounds: list[Pixels]


@dataclass(frozen=True, slots=True)
class Batch:
    images: Tensor
    """uint8 (N, 3, H, W), channels last in memory."""
    heat: Tensor
    edges: Tensor
    weights: Tensor
    """As in targets.Targets, N of them."""
    segments: Tensor
    """int64 (N, h, w)."""


def make_batches(config: FinderConfig, scenes: Scenes, *, first: int) -> Iterator[Batch]:
    """The run's batches from step `first` on; the next ones are made meanwhile."""

    def make(step: int) -> Batch:
        return make_batch(config, scenes, step=step)

    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead = deque(
            pool.submit(make, step) for step in range(first, min(first + _AHEAD, config.steps))
        )
        for step in range(first, config.steps):
            batch = ahead.popleft().result()
            if step + _AHEAD < config.steps:
                ahead.append(pool.submit(make, step + _AHEAD))
            yield batch


def make_batch(config: FinderConfig, scenes: Scenes, *, step: int) -> Batch:
    size = config.size_at(step)
    views = []
    for index in range(config.batch_size):
        rng = np.random.default_rng([config.seed, step, index])
        views.append(make_view(config, scenes, size=size, rng=rng))
    targets = [encode(view.boxes, view.details, size=size) for view in views]
    return Batch(
        images=torch.from_numpy(np.stack([view.image for view in views])).permute(0, 3, 1, 2),
        heat=torch.from_numpy(np.stack([t.heat for t in targets])),
        edges=torch.from_numpy(np.stack([t.edges for t in targets])),
        weights=torch.from_numpy(np.stack([t.weights for t in targets])),
        segments=torch.from_numpy(np.stack([view.segments for view in views])).long(),
    )


def make_view(
    config: FinderConfig, scenes: Scenes, *, size: tuple[int, int], rng: np.random.Generator
) -> View:
    shares = np.array(
        [
            config.outfits * bool(scenes.outfits),
            config.products * bool(scenes.products),
            config.collages * bool(scenes.products),
            config.flat_lays * bool(scenes.flat_lays),
        ]
    )
    kind = int(rng.choice(len(shares), p=shares / shares.sum()))
    if kind == 0:
        return view_outfit(_any(scenes.outfits, rng), size=size, grounds=scenes.grounds, rng=rng)
    if kind == 2:
        # None at all, seldom: a ground alone shows no garment.
        products = [_any(scenes.products, rng) for _ in range(int(rng.integers(0, 5)))]
        return view_collage(products, size=size, grounds=scenes.grounds, rng=rng)
    scene = _any(scenes.products if kind == 1 else scenes.flat_lays, rng)
    return view_product(scene, size=size, grounds=scenes.grounds, rng=rng)


def _any(scenes: list[Scene], rng: np.random.Generator) -> Scene:
    return scenes[int(rng.integers(len(scenes)))]
