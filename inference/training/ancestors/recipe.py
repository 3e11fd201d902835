"""What is trained, on what, how: a TOML file."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from inference.networks.mmfashion.released import CONFIGS

Kind = Literal[
    "attributes", "attributes-fine", "in-shop", "consumer-to-shop", "landmarks", "compatibility"
]


class BadRecipe(ValueError):
    """The recipe cannot be followed; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Recipe:
    kind: Kind
    name: str
    """What the model is called in the store."""
    model: dict[str, Any]
    """MMFashion's settings of the network."""
    epochs: int = 40
    batch: int = 32
    rate: float = 1e-3
    momentum: float = 0.9
    steps: tuple[int, ...] = (10, 20)
    """Epochs after which the rate falls to a tenth."""
    warm_up: int = 500
    """Steps in which it rises from a tenth."""
    flips: bool = True
    triplet: bool = True
    """Retrieval: embeddings of one item together, of two apart, beside naming the item."""
    backbone: str = ""
    """A safetensors file with torchvision's weights of the backbone; empty: from scratch."""
    seed: int = 0


def read(path: Path) -> Recipe:
    """Raises BadRecipe."""
    try:
        raw = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRecipe(f"{path.name} cannot be read: {error}") from error
    if isinstance(raw.get("model"), str):
        if raw["model"] not in CONFIGS:
            raise BadRecipe(f"{path.name}: there is no released model {raw['model']!r}.")
        raw["model"] = CONFIGS[raw["model"]]
    known = {field.name for field in fields(Recipe)}
    unknown, missing = raw.keys() - known, {"kind", "name", "model"} - raw.keys()
    if unknown or missing:
        what = [f"{name} is not known" for name in sorted(unknown)]
        what += [f"{name} is missing" for name in sorted(missing)]
        raise BadRecipe(f"{path.name}: {', '.join(what)}.")
    if raw["kind"] not in get_args(Kind):
        raise BadRecipe(f"{path.name}: kind is one of {', '.join(get_args(Kind))}.")
    if "steps" in raw:
        raw["steps"] = tuple(raw["steps"])
    for name in ("epochs", "batch"):
        if not isinstance(raw.get(name, 1), int) or raw.get(name, 1) < 1:
            raise BadRecipe(f"{path.name}: {name} has to be a positive whole number.")
    return Recipe(**raw)
