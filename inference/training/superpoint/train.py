"""SuperPoint without outside weights: corners of drawn shapes, then photos and their views."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inference import specs
from inference.mmfashion.tensors import write_tensors
from inference.networks.superpoint import CELL, SuperPoint, choose, sample, thin
from inference.specs import WeightsSpec
from inference.training.superpoint import homographies, shapes
from inference.training.superpoint.shapes import Grey
from inference.weights import hash_file

Say = Callable[[str], None]
_WARMTH = 0.07
"""Descriptors' cosines are divided by it: how sharply like is told from unlike."""
_NEAR = 3.0
"""Pixels within which a point is found again."""


@dataclass(frozen=True, slots=True)
class Plan:
    shape_steps: int = 6000
    photo_steps: int = 6000
    batch: int = 16
    rate: float = 1e-3
    views: int = 20
    """Of each photo, for its points."""
    pairs: int = 128
    """Places of a photo whose descriptors are compared."""
    threshold: float = 0.015
    """From which a photo's place is a point to be learnt."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Quality:
    """On views of photos that were not trained on."""

    repeatability: float
    """The share of points that are found in the view too, within 3 pixels."""
    matched: float
    """The share of those whose descriptor is the nearest one in the view."""


def train(photos: Sequence[Grey], *, plan: Plan, say: Say) -> tuple[SuperPoint, Quality]:
    """photos: (H, W), sides multiples of 8, all of one size; a tenth of them is kept for measuring.

    Raises ValueError where there are fewer than two.
    """
    if len(photos) < 2:
        raise ValueError("Two photos are needed at least: to learn from, and to measure on.")
    torch.manual_seed(plan.seed)
    dice = np.random.Generator(np.random.PCG64(plan.seed))
    network = SuperPoint()
    optimizer = torch.optim.Adam(network.parameters(), lr=plan.rate)
    for step in range(plan.shape_steps):
        loss = learn_shapes(network, plan.batch, dice)
        _take_step(optimizer, loss)
        _say_now_and_then(say, "shapes", step, loss)
    kept = max(1, len(photos) // 10)
    test, learnt = photos[:kept], photos[kept:]
    network.eval()
    marked = [find_points(network, photo, dice, plan) for photo in learnt]
    for step in range(plan.photo_steps):
        chosen = dice.integers(len(learnt), size=plan.batch)
        loss = learn_photos(
            network, [learnt[i] for i in chosen], [marked[i] for i in chosen], dice, plan
        )
        _take_step(optimizer, loss)
        _say_now_and_then(say, "photos", step, loss)
    network.eval()
    quality = measure(network, test, seed=plan.seed)
    say(f"repeatability {quality.repeatability:.3f}, matched {quality.matched:.3f}")
    return network, quality


def keep(
    network: SuperPoint, quality: Quality, *, name: str, data: str, plan: Plan, store: Path
) -> WeightsSpec:
    """In the store, as imported weights are."""
    store.mkdir(parents=True, exist_ok=True)
    versions = specs.list_versions(name, store=store)
    version = str(int(versions[-1]) + 1 if versions else 1)
    path = store / f"{name}-{version}.safetensors"
    write_tensors(path, network.state_dict())
    spec = WeightsSpec(
        name=name,
        version=version,
        architecture="superpoint",
        taxonomy="none",
        sha256=hash_file(path),
        source=f"trained here on drawn shapes and {data}, {plan}",
        licence="that of the photos",
        metrics={"repeatability": quality.repeatability, "matched": quality.matched},
        folder=store,
    )
    specs.write(spec)
    return spec


def learn_shapes(network: SuperPoint, batch: int, dice: np.random.Generator) -> Tensor:
    network.train()
    drawn = [shapes.draw(dice) for _ in range(batch)]
    images = torch.from_numpy(np.stack([image for image, _ in drawn]))[:, None]
    cells = torch.stack([mark(corners, image.shape) for image, corners in drawn])
    return functional.cross_entropy(_detect(network, images), cells)


def learn_photos(
    network: SuperPoint,
    photos: Sequence[Grey],
    points: Sequence[NDArray[np.float32]],
    dice: np.random.Generator,
    plan: Plan,
) -> Tensor:
    """Its points in photo and view, and descriptors that are alike at the same place only."""
    network.train()
    height, width = photos[0].shape
    moves = [homographies.draw(dice, width=width, height=height) for _ in photos]
    seen = [
        homographies.relight(homographies.view(photo, h), dice)
        for photo, h in zip(photos, moves, strict=True)
    ]
    images = torch.from_numpy(np.stack([*photos, *seen]))[:, None]
    moved = [homographies.move(p, h) for p, h in zip(points, moves, strict=True)]
    cells = torch.stack([mark(p, (height, width)) for p in (*points, *moved)])
    features = network.backbone(images)
    found = functional.cross_entropy(network.detector(features), cells)
    descriptors = functional.normalize(network.descriptor(features), dim=1)
    losses = [
        compare(descriptors[i], descriptors[len(photos) + i], moves[i], dice, pairs=plan.pairs)
        for i in range(len(photos))
    ]
    return found + torch.stack(losses).mean()


def compare(
    one: Tensor,
    other: Tensor,
    homography: homographies.Homography,
    dice: np.random.Generator,
    *,
    pairs: int,
) -> Tensor:
    """Cross-entropy, both ways, of telling a place among all by its descriptor; (256, h, w)."""
    height, width = one.shape[1] * CELL, one.shape[2] * CELL
    places = dice.uniform((0, 0), (width - 1, height - 1), (pairs, 2)).astype(np.float32)
    there = homographies.move(places, homography)
    inside = (there >= 0).all(1) & (there[:, 0] < width) & (there[:, 1] < height)
    if inside.sum() < 2:
        return one.sum() * 0
    a = sample(one, torch.from_numpy(places[inside]))
    b = sample(other, torch.from_numpy(there[inside]))
    alike = a @ b.T / _WARMTH
    truth = torch.arange(len(a))
    return (functional.cross_entropy(alike, truth) + functional.cross_entropy(alike.T, truth)) / 2


def mark(points: NDArray[np.float32], size: tuple[int, ...]) -> Tensor:
    """(H / 8, W / 8): which of a cell's 64 places is a point, 64 for none."""
    rows, columns = size[0] // CELL, size[1] // CELL
    cells = torch.full((rows, columns), CELL * CELL)
    for x, y in points.round().astype(int):
        if 0 <= x < columns * CELL and 0 <= y < rows * CELL:
            cells[y // CELL, x // CELL] = (y % CELL) * CELL + x % CELL
    return cells


def find_points(
    network: SuperPoint, photo: Grey, dice: np.random.Generator, plan: Plan
) -> NDArray[np.float32]:
    """(K, 2): where the photo has points from everywhere."""
    scores = thin(homographies.adapt(network, photo, dice, views=plan.views)[None])[0]
    rows, columns = torch.nonzero(scores > plan.threshold, as_tuple=True)
    return torch.stack((columns, rows), dim=1).numpy().astype(np.float32)


@torch.inference_mode()
def measure(network: SuperPoint, photos: Sequence[Grey], *, seed: int) -> Quality:
    """The same views each time."""
    dice = np.random.Generator(np.random.PCG64(seed + 1))
    again, told, counted = 0, 0, 0
    for photo in photos:
        height, width = photo.shape
        homography = homographies.draw(dice, width=width, height=height)
        pair = np.stack([photo, homographies.view(photo, homography)])
        maps = network(torch.from_numpy(pair)[:, None])
        here, there = (choose(maps, i, threshold=0.005, most=200) for i in (0, 1))
        moved = homographies.move(here.places.numpy(), homography)
        inside = (moved >= 4).all(1) & (moved[:, 0] < width - 4) & (moved[:, 1] < height - 4)
        if not inside.any() or not len(there.places):
            counted += int(inside.sum())
            continue
        gaps = np.linalg.norm(moved[inside][:, None] - there.places.numpy()[None], axis=2)
        nearest = (here.descriptors[inside] @ there.descriptors.T).argmax(1).numpy()
        near = gaps.min(1) <= _NEAR
        again += int(near.sum())
        told += int((gaps[np.arange(len(gaps)), nearest][near] <= _NEAR).sum())
        counted += len(gaps)
    return Quality(again / max(counted, 1), told / max(again, 1))


def _detect(network: SuperPoint, images: Tensor) -> Tensor:
    found: Tensor = network.detector(network.backbone(images))
    return found


def _take_step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 5.0)
    optimizer.step()


def _say_now_and_then(say: Say, what: str, step: int, loss: Tensor) -> None:
    if step % 100 == 0:
        say(f"{what} {step}: loss {float(loss.detach()):.3f}")
