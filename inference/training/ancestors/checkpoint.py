"""Where a training stands after an epoch, so that a killed one goes on as if it had not been.

Two safetensors files and a description, no pickle: network, optimizer and the best epoch's weights.
They are written beside each other and count from the moment the description takes the old one's
place.
"""

import json
import os
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from inference.training.ancestors.recipe import BadRecipe, Recipe

Metrics = dict[str, float]


@dataclass(slots=True)
class Progress:
    """What changes while a recipe is followed."""

    network: nn.Module
    optimizer: torch.optim.SGD
    dice: np.random.Generator
    epoch: int = 0
    """Epochs that are done."""
    step: int = 0
    best: dict[str, Tensor] | None = None
    best_metrics: Metrics | None = None


def place(recipe: Recipe, data: Path, *, store: Path) -> Path:
    """The folder of this recipe on these data: another recipe never goes on with its weights."""
    # How long is trained may be changed on the way.
    said = {k: v for k, v in asdict(recipe).items() if k != "epochs"}
    asked = json.dumps([said, str(data.resolve())], sort_keys=True)
    return store / "unfinished" / f"{recipe.name}-{sha256(asked.encode()).hexdigest()[:12]}"


def save(progress: Progress, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    own = f"{progress.epoch}.safetensors"
    momentum = {
        f"momentum.{i}": state["momentum_buffer"]
        for i, state in progress.optimizer.state_dict()["state"].items()
        if state.get("momentum_buffer") is not None
    }
    network = {f"network.{k}": v for k, v in progress.network.state_dict().items()}
    # Tensors that share their memory are written once for each name.
    save_file({k: v.clone() for k, v in (network | momentum).items()}, folder / own)
    best = f"best-{progress.epoch}.safetensors"
    save_file({k: v.clone() for k, v in (progress.best or {}).items()}, folder / best)
    written: dict[str, Any] = {
        "epoch": progress.epoch,
        "step": progress.step,
        "files": [own, best],
        "metrics": progress.best_metrics,
        "dice": progress.dice.bit_generator.state,
        "torch": torch.get_rng_state().numpy().tobytes().hex(),
    }
    new = folder / "progress.json.new"
    new.write_text(json.dumps(written))
    os.replace(new, folder / "progress.json")
    for path in folder.glob("*.safetensors"):
        if path.name not in written["files"]:
            path.unlink()


def load(progress: Progress, folder: Path) -> bool:
    """False where there is nothing to go on with. Raises BadRecipe for damaged files."""
    path = folder / "progress.json"
    if not path.exists():
        return False
    try:
        written: dict[str, Any] = json.loads(path.read_text())
        own, best = (load_file(folder / name) for name in written["files"])
        _restore(progress, written, own)
    except Exception as error:
        raise BadRecipe(
            f"{folder} is damaged: delete it, and the training begins anew ({error})."
        ) from error
    # In the network's order, which a file of tensors does not keep.
    progress.best = {k: best[k] for k in progress.network.state_dict()} if best else None
    progress.best_metrics = written["metrics"]
    return True


def remove(folder: Path) -> None:
    """After the end."""
    for path in folder.glob("*"):
        path.unlink()
    folder.rmdir()


def _restore(progress: Progress, written: dict[str, Any], own: dict[str, Tensor]) -> None:
    network = {k.removeprefix("network."): v for k, v in own.items() if k.startswith("network.")}
    progress.network.load_state_dict(network)
    described = progress.optimizer.state_dict()
    described["state"] = {
        int(k.removeprefix("momentum.")): {"momentum_buffer": v}
        for k, v in own.items()
        if k.startswith("momentum.")
    }
    progress.optimizer.load_state_dict(described)
    progress.dice.bit_generator.state = written["dice"]
    torch.set_rng_state(torch.frombuffer(bytearray.fromhex(written["torch"]), dtype=torch.uint8))
    progress.epoch, progress.step = written["epoch"], written["step"]
