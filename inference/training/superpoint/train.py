"""SuperPoint without outside weights: corners of drawn shapes, then photos and their views.

Each step draws its own luck from the seed and its number, so a run that was cut off and goes on
ends as one that was not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inference import specs
from inference.networks.superpoint import CELL, SuperPoint, choose, sample, thin
from inference.specs import WeightsSpec
from inference.training.plans import BadPlan, load_checkpoint, save_checkpoint
from inference.training.superpoint import homographies, shapes
from inference.training.superpoint.plan import Plan
from inference.training.superpoint.shapes import Grey
from inference.weights import hash_file

Say = Callable[[str], None]
_WARMTH = 0.07
"""Descriptors' cosines are divided by it: how sharply like is told from unlike."""
_NEAR = 3.0
"""Pixels within which a point is found again."""
_SAVE_STEPS = 25
_SHAPES, _MARKS, _PHOTOS = range(3)
"""What luck is drawn for."""


@dataclass(frozen=True, slots=True)
class Quality:
    """On views of photos that were not trained on."""

    repeatability: float
    """The share of points that are found in the view too, within 3 pixels."""
    matched: float
    """The share of those whose descriptor is the nearest one in the view."""


class _Run:
    def __init__(self, plan: Plan, out: Path, say: Say) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.say = plan, say
        self.network = SuperPoint()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=plan.rate)
        self.done = 0
        self.marks: list[Tensor] = []
        """(K, 2) for each photo that is learnt from, once the shapes are learnt."""
        self._path = out / "checkpoint.pt"

    def load(self) -> None:
        """Raises BadPlan where the checkpoint is damaged or of another run."""
        state = load_checkpoint(self._path, self.plan)
        if state is not None:
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.done, self.marks = state["done"], state["marks"]
            self.say(f"resumed after step {self.done}")

    def save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "done": self.done,
            "marks": self.marks,
        }
        save_checkpoint(self._path, self.plan, state)

    def learn(self, photos: Sequence[Grey]) -> None:
        plan = self.plan
        while self.done < plan.shape_steps:
            dice = throw(plan.seed, _SHAPES, self.done)
            loss = learn_shapes(self.network, plan.batch, dice, side=plan.side)
            self._take(loss, "shapes", self.done, plan.shape_steps)
        if not self.marks:
            self.network.eval()
            self.marks = [
                torch.from_numpy(find_points(self.network, each, throw(plan.seed, _MARKS, i), plan))
                for i, each in enumerate(photos)
            ]
            self.say(f"{sum(map(len, self.marks)) / len(photos):.1f} points a photo")
            self.save()
        marks = [each.numpy() for each in self.marks]
        while (step := self.done - plan.shape_steps) < plan.photo_steps:
            dice = throw(plan.seed, _PHOTOS, step)
            chosen = dice.integers(len(photos), size=plan.batch)
            loss = learn_photos(
                self.network, [photos[i] for i in chosen], [marks[i] for i in chosen], dice, plan
            )
            self._take(loss, "photos", step, plan.photo_steps)

    def _take(self, loss: Tensor, what: str, step: int, steps: int) -> None:
        if not loss.isfinite():
            raise BadPlan(f"The loss is no number at {what} {step}; lower the rate.")
        # Up in the first twentieth, then down to nothing: the best of few steps.
        share = step / steps
        self.optimizer.param_groups[0]["lr"] = (
            self.plan.rate * min(1.0, 20 * share + 0.05) * (1 - share)
        )
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.done += 1
        if self.done % _SAVE_STEPS == 0:
            self.say(f"{what} {step + 1}/{steps}: loss {float(loss.detach()):.3f}")
            self.save()


def train(
    photos: Sequence[Grey], *, plan: Plan, out: Path, resume: bool, say: Say
) -> tuple[SuperPoint, Quality]:
    """photos: (side, side); a tenth of them is kept for measuring. Checkpoints go to `out`.

    Raises BadPlan.
    """
    if len(photos) < 2:
        raise BadPlan("Two photos are needed at least: to learn from, and to measure on.")
    out.mkdir(parents=True, exist_ok=True)
    run = _Run(plan, out, say)
    if resume:
        run.load()
    kept = max(1, len(photos) // 10)
    run.learn(photos[kept:])
    run.network.eval()
    quality = measure(run.network, photos[:kept], seed=plan.seed)
    say(f"repeatability {quality.repeatability:.3f}, matched {quality.matched:.3f}")
    return run.network, quality


def throw(*numbers: int) -> np.random.Generator:
    """The same luck for the same numbers."""
    return np.random.Generator(np.random.PCG64(numbers))


def keep(network: SuperPoint, quality: Quality, *, plan: Plan, store: Path) -> WeightsSpec:
    """In the store, as half precision, as the shipped ones are."""
    store.mkdir(parents=True, exist_ok=True)
    versions = specs.list_versions(plan.name, store=store)
    version = str(int(versions[-1]) + 1 if versions else 1)
    path = store / f"{plan.name}-{version}.safetensors"
    state = network.state_dict()
    halves = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    path.write_bytes(safetensors.torch.save(halves))
    spec = WeightsSpec(
        name=plan.name,
        version=version,
        architecture="superpoint",
        taxonomy="none",
        sha256=hash_file(path),
        source="trained from random weights by `manage.py train_superpoint`: drawn shapes,"
        f" then views of the photos below; {plan.shape_steps} + {plan.photo_steps} steps of"
        f" {plan.batch}",
        licence=plan.licence,
        data=plan.photos,
        metrics={"repeatability": quality.repeatability, "matched": quality.matched},
        folder=store,
    )
    specs.write(spec)
    return spec


def learn_shapes(
    network: SuperPoint, batch: int, dice: np.random.Generator, *, side: int
) -> Tensor:
    network.train()
    drawn = [shapes.crop(*shapes.draw(dice), dice, side=side) for _ in range(batch)]
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
    best = scores[rows, columns].argsort(descending=True)[: plan.most]
    rows, columns = rows[best], columns[best]
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
