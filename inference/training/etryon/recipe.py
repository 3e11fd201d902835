"""What is trained, how: a TOML file of plain values."""

import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_origin

from inference.ancestors import KINDS, Kind

LOSSES = ("bce", "soft-f1")
BALANCES = ("none", "upsample", "weights")


class BadRecipe(ValueError):
    """The recipe cannot be followed; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """D3.1's settings where nothing else is said."""

    kind: Kind
    name: str
    """What the model is called in the store."""
    size: int = 380
    """Side of the square that is looked at; of a detector the photo's shorter side."""
    epochs: int = 50
    head_epochs: int = 5
    """Of them those that train the last layer alone, on features: the hybrid's first half."""
    layers: int = 100
    """How many of the network's last layers are fine-tuned then; 0: all."""
    batch: int = 32
    rate: float = 1e-4
    """Adam's."""
    dropout: float = 0.5
    loss: str = "bce"
    """Of attributes: bce or soft-f1."""
    balance: str = "none"
    """upsample: rare classes are shown more often; weights: they count more."""
    patience: int = 5
    """Epochs without a better result after which it stops; 0: never."""
    flips: bool = True
    rotations: tuple[int, ...] = ()
    """Degrees, by one of which a photo is turned half of the times."""
    zoom: float = 0.1
    canny: bool = False
    """Detector: photos of one garment lying flat get their box from Canny's edges."""
    anchors: tuple[int, ...] = (32, 64, 128, 256, 512)
    proposals: int = 2000
    """Detector: how many places are looked at more closely in training."""
    threshold: float = 0.99
    """Detector: what is said at all, when the model answers."""
    weights: str = ""
    """A safetensors file with ImageNet's weights, by torchvision's keys, or NAME@VERSION of an
    alignment in the store; empty: random weights."""
    limit: int = 0
    """At most that many photos of each file, spread over it, and of those to measure on a third as
    many; 0: all."""
    seed: int = 0

    def settings(self, answers: int) -> dict[str, Any]:
        """Of the network, as `networks.etryon.build` reads them."""
        if self.kind == "detector":
            anchors = list(self.anchors)
            return {
                "type": self.kind,
                "answers": answers,
                "size": self.size,
                "anchors": anchors,
                "longest": self.size * 5 // 3,
                "proposals": self.proposals,
            }
        return {"type": self.kind, "answers": answers, "dropout": self.dropout}

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read(path: Path) -> Recipe:
    """Raises BadRecipe."""
    try:
        raw = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRecipe(f"{path.name} cannot be read: {error}") from error
    known = {field.name: field.type for field in fields(Recipe)}
    wrong = [f"{name} is not known" for name in sorted(raw.keys() - known.keys())]
    wrong += [f"{name} is missing" for name in ("kind", "name") if name not in raw]
    wrong += [
        f"{name} has to be {_say_type(known[name])}"
        for name, value in raw.items()
        if name in known and not _fits(value, known[name])
    ]
    if wrong:
        raise BadRecipe(f"{path.name}: {', '.join(wrong)}.")
    lists = {name: tuple(value) for name, value in raw.items() if isinstance(value, list)}
    recipe = Recipe(**{**raw, **lists})
    if complaint := _judge(recipe):
        raise BadRecipe(f"{path.name}: {complaint}.")
    return recipe


def _judge(recipe: Recipe) -> str:
    for name, allowed in (("kind", KINDS), ("loss", LOSSES), ("balance", BALANCES)):
        if getattr(recipe, name) not in allowed:
            return f"{name} is one of {', '.join(allowed)}"
    plain = recipe.name.replace("-", "")
    if not (plain.isascii() and plain.isalnum() and recipe.name == recipe.name.lower()):
        return "name has small letters, digits and hyphens only"
    for name, low, high in (
        ("size", 32, 1024),
        ("epochs", 1, 10_000),
        ("head_epochs", 0, recipe.epochs),
        ("layers", 0, 10_000),
        ("batch", 2, 4096),
        ("rate", 1e-9, 1.0),
        ("dropout", 0.0, 0.95),
        ("patience", 0, 10_000),
        ("zoom", 0.0, 0.9),
        ("proposals", 10, 10_000),
        ("threshold", 0.0, 1.0),
        ("limit", 0, 10**9),
        ("seed", 0, 2**31),
    ):
        if not low <= getattr(recipe, name) <= high:
            return f"{name} lies between {low} and {high}"
    if len(recipe.anchors) != 5 or min(recipe.anchors) < 1:
        return "anchors are five sizes in pixels"
    return ""


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is tuple:
        [member, _] = get_args(kind)
        return isinstance(value, list) and all(_fits(one, member) for one in value)
    if kind is bool:
        return isinstance(value, bool)
    if kind in {int, float}:
        allowed = (int,) if kind is int else (int, float)
        return isinstance(value, allowed) and not isinstance(value, bool)
    return isinstance(value, str)


def _say_type(kind: Any) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false"}
    return "a list of whole numbers" if get_origin(kind) is tuple else words.get(kind, "a text")
