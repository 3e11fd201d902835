"""Follow a recipe: features first, then the last layers, until nothing gets better.

What is in the checkpoint decides everything that follows: a run that was killed ends as one that
wasn't.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inference import specs
from inference.etryon.stages import OBJECT_FLOOR
from inference.etryon.tensors import MEAN, STD
from inference.mmfashion.tensors import write_tensors
from inference.networks.etryon import build
from inference.specs import WeightsSpec
from inference.training.etryon import layers, photos
from inference.training.etryon.photos import Photo
from inference.training.etryon.recipe import BadRecipe, Recipe
from inference.training.etryon.tasks import TASKS, Metrics, Task
from inference.weights import hash_file

Say = Callable[[str], None]

_SAVE_STEPS = 50


@dataclass(slots=True)
class _Progress:
    epoch: int = 0
    """Finished ones."""
    step: int = 0
    """Done in the next one."""
    loss: float = 0.0
    """Of these steps, summed."""
    waited: int = 0
    """Epochs without a better result."""
    measured: Metrics = field(default_factory=dict)
    """Of the best epoch."""


def train(
    recipe: Recipe, data: Sequence[Path], val: Sequence[Path], *, store: Path, work: Path, say: Say
) -> WeightsSpec:
    """The best epoch's weights as a new version in the store.

    Goes on from the checkpoint in `work`, if there is one of this recipe.
    Raises BadRecipe, BadData, InvalidImage, OSError.
    """
    torch.manual_seed(recipe.seed)
    task = prepare(recipe, data, val, say)
    network = build(recipe.settings(task.answers))
    if recipe.weights:
        count = layers.begin_with(network, recipe.weights, store=store)
        say(f"{count} tensors come from {recipe.weights}")
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    run = _Run(recipe, task, network, work=work, say=say)
    run.go()
    spec = keep(recipe, task, run.best, run.at.measured, store=store)
    run.checkpoint.unlink()
    return spec


def prepare(recipe: Recipe, data: Sequence[Path], val: Sequence[Path], say: Say) -> Task:
    """Without photos to measure on, every tenth is kept for that. Raises BadData."""
    shown = [p for path in data for p in _read(path, recipe, recipe.limit)]
    if val:
        limit = -(-recipe.limit // 3)
        held = [p for path in val for p in _read(path, recipe, limit, part="val")]
    else:
        shown, held = split(shown)
    task: Task = TASKS[recipe.kind](shown, held, recipe)
    say(f"{len(task.train)} photos to learn from, {len(held)} to measure on")
    return task


def _read(path: Path, recipe: Recipe, limit: int, *, part: str = "train") -> list[Photo]:
    return photos.choose(photos.read(path, split=part), recipe.kind, limit=limit)


def split(some: Sequence[Photo]) -> tuple[list[Photo], list[Photo]]:
    return [p for i, p in enumerate(some) if i % 10], [p for i, p in enumerate(some) if not i % 10]


class _Run:
    def __init__(
        self, recipe: Recipe, task: Task, network: nn.Module, *, work: Path, say: Say
    ) -> None:
        self.recipe, self.task, self.network, self.say = recipe, task, network, say
        self.checkpoint = work / "checkpoint.pt"
        self.identity = json.dumps(
            [recipe.to_json(), len(task.train), [p.id for p in task.train[:20]]], sort_keys=True
        )
        self.optimizer = torch.optim.Adam(network.parameters(), lr=recipe.rate)
        self.at = _Progress()
        self.best: dict[str, Tensor] = {}
        self.weights = np.array(task.weigh()) if recipe.balance == "upsample" else None
        work.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            self._load()

    def go(self) -> None:
        recipe, at = self.recipe, self.at
        while at.epoch < recipe.epochs and not self._is_done():
            self._learn(at.epoch)
            measured = measure(self.network, self.task)
            judged = self.task.judged_by
            better = not at.measured or measured[judged] > at.measured[judged]
            if better:
                state = self.network.state_dict()
                self.best = {k: v.detach().cpu().clone() for k, v in state.items()}
                at.measured = measured
            at.epoch, at.step, at.waited = at.epoch + 1, 0, 0 if better else at.waited + 1
            if at.epoch == recipe.head_epochs:
                # The second half has its own patience.
                at.waited = 0
            self.say(
                f"epoch {at.epoch}: loss {at.loss / self._steps:.4f}, "
                + ", ".join(f"{name} {value:.4f}" for name, value in measured.items())
            )
            at.loss = 0.0
            self._save()
        if at.epoch < recipe.epochs:
            self.say(f"Nothing got better for {recipe.patience} epochs: it stops.")

    def _is_done(self) -> bool:
        recipe, at = self.recipe, self.at
        fine = at.epoch >= recipe.head_epochs
        return bool(recipe.patience) and fine and at.waited >= recipe.patience

    @property
    def _steps(self) -> int:
        # A batch of one has no norm; what is left over has its turn in another epoch.
        return max(len(self.task.train) // self.recipe.batch, 1)

    def _learn(self, epoch: int) -> None:
        recipe, task = self.recipe, self.task
        order = self._deal(epoch)
        if epoch < recipe.head_epochs:
            layers.set_learning(self.network, last=0, heads=task.heads)
        else:
            layers.set_learning(self.network, last=recipe.layers)
        while self.at.step < self._steps:
            step = self.at.step
            chosen = [task.train[i] for i in order[step * recipe.batch : (step + 1) * recipe.batch]]
            # Each step has its own chance, whatever was before.
            torch.manual_seed(hash((recipe.seed, epoch, step)))
            loss = task.compute_loss(self.network, chosen, self._roll(epoch, step + 1))
            if not loss.isfinite():
                raise BadRecipe(f"The loss is no number in epoch {epoch + 1}; lower the rate.")
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self.at.loss += float(loss.detach())
            self.at.step += 1
            if self.at.step % _SAVE_STEPS == 0:
                self._save()

    def _deal(self, epoch: int) -> list[int]:
        """Which photos an epoch shows; upsampled ones are drawn as often as they are rare."""
        dice, count = self._roll(epoch, 0), len(self.task.train)
        if self.weights is None:
            return [int(i) for i in dice.permutation(count)]
        return [int(i) for i in dice.choice(count, count, p=self.weights / self.weights.sum())]

    def _roll(self, epoch: int, step: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([self.recipe.seed, epoch, step]))

    def _save(self) -> None:
        partial = self.checkpoint.with_suffix(".partial")
        at = self.at
        torch.save(
            {
                "identity": self.identity,
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "best": self.best,
                "at": [at.epoch, at.step, at.loss, at.waited, at.measured],
            },
            partial,
        )
        partial.replace(self.checkpoint)

    def _load(self) -> None:
        try:
            state: dict[str, Any] = torch.load(
                self.checkpoint, map_location="cpu", weights_only=True
            )
            same = state["identity"] == self.identity
        except Exception as error:
            raise BadRecipe(
                f"{self.checkpoint} is no checkpoint of a run; delete it to begin anew."
            ) from error
        if not same:
            raise BadRecipe(
                f"{self.checkpoint} is of another recipe or other photos; delete it, or say "
                "another --work."
            )
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.at = state["best"], _Progress(*state["at"])
        self.say(f"It goes on in epoch {self.at.epoch + 1} after step {self.at.step}.")


@torch.inference_mode()
def measure(network: nn.Module, task: Task) -> Metrics:
    network.eval()
    return task.measure(network)


def keep(
    recipe: Recipe, task: Task, weights: dict[str, Tensor], measured: Metrics, *, store: Path
) -> WeightsSpec:
    """In the store, as an imported model is."""
    store.mkdir(parents=True, exist_ok=True)
    versions = specs.list_versions(recipe.name, store=store)
    version = str(int(versions[-1]) + 1 if versions else 1)
    path = store / f"{recipe.name}-{version}.safetensors"
    write_tensors(path, weights)
    start = f"from {Path(recipe.weights).name}" if recipe.weights else "from random weights"
    count = f"{len(task.train)} photos, seed {recipe.seed}"
    spec = WeightsSpec(
        name=recipe.name,
        version=version,
        architecture="etryon",
        taxonomy="mallzee",
        sha256=hash_file(path),
        input_size=(recipe.size, recipe.size) if recipe.kind != "detector" else (0, 0),
        mean=MEAN,
        std=STD,
        labels=task.labels,
        attributes=task.attributes,
        floors={OBJECT_FLOOR: recipe.threshold} if recipe.kind == "detector" else {},
        config=json.dumps(recipe.settings(task.answers)),
        source=f"trained here, {recipe.kind}, {start}, {count}",
        licence="that of the data",
        metrics={name: round(value, 6) for name, value in measured.items()},
        folder=store,
    )
    specs.write(spec)
    return spec
