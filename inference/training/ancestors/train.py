"""Follow a recipe: SGD as MMFashion has it, deterministic for a seed, the best epoch kept."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from inference import specs
from inference.mmfashion import names
from inference.mmfashion.data import polyvore
from inference.mmfashion.tensors import write_tensors
from inference.networks.mmfashion import build
from inference.specs import WeightsSpec
from inference.training.ancestors import checkpoint
from inference.training.ancestors.checkpoint import Progress
from inference.training.ancestors.recipe import BadRecipe, Recipe
from inference.training.ancestors.tasks import TASKS, Compatibility, Metrics, Task
from inference.weights import hash_file

Say = Callable[[str], None]


def train(recipe: Recipe, data: Path, *, store: Path, say: Say) -> WeightsSpec:
    """The best epoch's weights as a new version in the store; one that was killed goes on.

    Raises BadRecipe, BadConfig, BadData, InvalidImage.
    """
    torch.manual_seed(recipe.seed)
    network = build.build(recipe.model)
    if recipe.backbone:
        load_backbone(network, Path(recipe.backbone))
    task: Task = TASKS[recipe.kind](data, recipe)
    progress = Progress(
        network,
        torch.optim.SGD(network.parameters(), lr=recipe.rate, momentum=recipe.momentum),
        np.random.Generator(np.random.PCG64(recipe.seed)),
    )
    unfinished = checkpoint.place(recipe, data, store=store)
    if checkpoint.load(progress, unfinished):
        say(f"goes on after epoch {progress.epoch}")
    while progress.epoch < recipe.epochs:
        progress.epoch += 1
        loss = _train_epoch(recipe, task, progress)
        measured = measure(network, task)
        say(f"epoch {progress.epoch}: loss {loss:.4f}, {_say_metrics(measured)}")
        if progress.best_metrics is None or _judge(measured) > _judge(progress.best_metrics):
            progress.best = {k: v.clone() for k, v in network.state_dict().items()}
            progress.best_metrics = measured
        if progress.epoch < recipe.epochs:
            checkpoint.save(progress, unfinished)
    best = progress.best or network.state_dict()
    spaces = task.outfits.spaces if isinstance(task, Compatibility) else {}
    spec = keep(recipe, best, progress.best_metrics or {}, store=store, spaces=spaces)
    if unfinished.exists():
        checkpoint.remove(unfinished)
    return spec


def _train_epoch(recipe: Recipe, task: Task, progress: Progress) -> float:
    """The mean loss. Raises BadRecipe where it is no number."""
    network, optimizer = progress.network, progress.optimizer
    network.train()
    total = 0.0
    for chosen in _deal(task.size, recipe.batch, progress.dice):
        _set_rate(optimizer, recipe, progress.epoch, progress.step)
        found = task.compute_losses(network, chosen, progress.dice)
        loss = torch.stack([value.mean() for value in found.values()]).sum()
        if not loss.isfinite():
            raise BadRecipe(f"The loss is no number in epoch {progress.epoch}; lower the rate.")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += float(loss.detach()) * len(chosen)
        progress.step += 1
    return total / task.size


@torch.inference_mode()
def measure(network: nn.Module, task: Task) -> Metrics:
    network.eval()
    return task.measure(network)


def keep(
    recipe: Recipe,
    weights: dict[str, Tensor],
    measured: Metrics,
    *,
    store: Path,
    spaces: Mapping[tuple[str, str], int] | None = None,
) -> WeightsSpec:
    """In the store as an imported model is."""
    store.mkdir(parents=True, exist_ok=True)
    versions = specs.list_versions(recipe.name, store=store)
    known = names.find(recipe.model, labels=None, attributes=None)
    version = str(int(versions[-1]) + 1 if versions else 1)
    told = (("spaces", polyvore.name_spaces(dict(spaces))),) if spaces else ()
    path = store / f"{recipe.name}-{version}.safetensors"
    write_tensors(path, weights)
    spec = WeightsSpec(
        name=recipe.name,
        version=version,
        architecture="mmfashion",
        taxonomy="deepfashion" if known else "none",
        sha256=hash_file(path),
        input_size=(224, 224),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        config=json.dumps(recipe.model),
        labels=known.categories if known else (),
        attributes=(("deepfashion", known.attributes),) if known else told,
        source=f"trained here, {recipe.kind}, seed {recipe.seed}",
        licence="that of the data",
        metrics={name: round(value, 6) for name, value in measured.items()},
        folder=store,
    )
    specs.write(spec)
    return spec


def load_backbone(network: nn.Module, path: Path) -> None:
    """torchvision's weights, its classifier left out. Raises BadRecipe."""
    backbone = network.get_submodule("backbone")
    try:
        found = load_file(path)
    except Exception as error:
        raise BadRecipe(f"{path.name} holds no weights: {error}") from error
    own = {k: v for k, v in found.items() if not k.startswith(("classifier.", "fc."))}
    try:
        backbone.load_state_dict(own)
    except RuntimeError as error:
        raise BadRecipe(f"{path.name} is of another backbone.") from error


def _deal(size: int, batch: int, dice: np.random.Generator) -> Iterator[list[int]]:
    order = dice.permutation(size).tolist()
    for start in range(0, size, batch):
        yield order[start : start + batch]


def _set_rate(optimizer: torch.optim.SGD, recipe: Recipe, epoch: int, step: int) -> None:
    fallen = sum(epoch > end for end in recipe.steps)
    rise = min(1.0, 0.1 + 0.9 * step / recipe.warm_up) if recipe.warm_up else 1.0
    for group in optimizer.param_groups:
        group["lr"] = recipe.rate * 0.1**fallen * rise


def _judge(measured: Metrics) -> float:
    """Higher is better: the mean of what is measured, errors taken away."""
    return sum(-v if name.startswith("error") else v for name, v in measured.items())


def _say_metrics(measured: Metrics) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in measured.items())
