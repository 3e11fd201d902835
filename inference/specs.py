"""What each shipped weights file answers: a TOML file beside it. No torch, no Django.

A model is chosen by name, which means its newest version, or as `name@version`. Each version
keeps its own labels and heads, so that it goes on answering when the taxonomy grows.
"""

import json
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast

Architecture = Literal[
    "garment-net", "garment-finder", "text-net", "mmfashion", "superpoint", "etryon", "part-net"
]
ValueOrder = tuple[tuple[str, tuple[str, ...]], ...]
"""Attribute keys with their values, as the head's answers follow each other."""

STORE = Path(__file__).parent / "weights_store"


class UnknownModel(KeyError):
    """No model of that name, or not in that version, is shipped."""

    def __str__(self) -> str:
        return str(self.args[0])


class BadWeights(RuntimeError):
    """The weights file or what describes it is missing, or one is not what the other says."""


@dataclass(frozen=True, slots=True)
class WeightsSpec:
    """Everything needed to use a weights file rightly, and to say where it comes from."""

    name: str
    version: str
    architecture: Architecture
    taxonomy: str
    sha256: str
    """Of the weights file."""
    input_size: tuple[int, int] = (0, 0)
    """(height, width) of the pixels that the network reads; nothing for texts."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    widths: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()
    colour_hidden: int = 0
    """Hidden units of the colour head; 0: it is linear on the embedding."""
    neck: tuple[int, ...] = ()
    """A finder's channels on the way back up and in its heads."""
    mirrored: bool = False
    """Whether its answers are better by a second look, at the mirror image."""
    labels: tuple[str, ...] = ()
    """Head index → category; for a finder → what it finds."""
    colour_families: tuple[str, ...] = ()
    attributes: ValueOrder = ()
    floors: dict[str, float] = field(default_factory=dict)
    """Attribute key → the confidence below which nothing is said of it."""
    finder: str = ""
    """The model (`name@version`) that finds the garments for this one; empty: the foreground."""
    text: str = ""
    """The model that encodes words into this one's embedding space; empty: there is none."""
    config: str = ""
    """An ancestor's settings of its network, as JSON."""
    source: str = ""
    licence: str = ""
    data: tuple[str, ...] = ()
    """Each data set with its licence."""
    metrics: dict[str, float] = field(default_factory=dict)
    """On the validation files, as `manage.py evaluate` prints them."""
    folder: Path = STORE

    @property
    def choice(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def path(self) -> Path:
        """The weights file."""
        return self.folder / f"{self.name}-{self.version}.safetensors"

    @property
    def attribute_values(self) -> int:
        return sum(len(values) for _, values in self.attributes)


def find(choice: str, *, store: Path = STORE) -> WeightsSpec:
    """`name` for the newest version, `name@version` for a given one.

    Raises UnknownModel, BadWeights.
    """
    name, _, version = choice.partition("@")
    versions = list_versions(name, store=store)
    if not versions or version not in {"", *versions}:
        raise UnknownModel(f"{choice}; there are {', '.join(list_choices(store=store))}")
    return read(store / f"{name}-{version or versions[-1]}.toml")


def is_finder_mirrored(spec: WeightsSpec) -> bool:
    """Of the model that finds the garments for this one, if any does."""
    return bool(spec.finder) and find(spec.finder, store=spec.folder).mirrored


def list_versions(name: str, *, store: Path = STORE) -> list[str]:
    """Oldest first; versions are whole numbers."""
    found = (p.stem.removeprefix(f"{name}-") for p in store.glob(f"{name}-*.toml"))
    return sorted((v for v in found if v.isdecimal()), key=int)


def list_choices(*, store: Path = STORE) -> list[str]:
    return sorted("@".join(p.stem.rsplit("-", 1)) for p in store.glob("*.toml"))


def read(path: Path) -> WeightsSpec:
    """The description in this TOML file; its weights are beside it. Raises BadWeights."""
    try:
        raw = tomllib.loads(path.read_text())
        return WeightsSpec(folder=path.parent, **{k: _read_value(k, v) for k, v in raw.items()})
    except OSError as error:
        raise BadWeights(f"{path.name} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise BadWeights(f"{path.name} does not describe weights: {error}") from error


def write(spec: WeightsSpec) -> Path:
    """Write the description beside the weights file; returns its path."""
    path = spec.path.with_suffix(".toml")
    known = [f.name for f in fields(spec) if f.name != "folder"]
    # Tables come last in TOML.
    known.sort(key=lambda name: isinstance(getattr(spec, name), dict))
    lines = [_write_value(name, getattr(spec, name)) for name in known if getattr(spec, name)]
    path.write_text("\n".join(lines) + "\n")
    return path


def _read_value(name: str, value: Any) -> Any:
    if name == "attributes":
        return tuple((key, tuple(values)) for key, values in value)
    return tuple(value) if isinstance(value, list) else value


def _write_value(name: str, value: Any) -> str:
    if isinstance(value, dict):
        table = cast(dict[str, float], value)
        return "\n".join([f"\n[{name}]", *(f"{_quote(k)} = {v}" for k, v in table.items())])
    if name in {"attributes", "data"}:
        return "\n".join([f"{name} = [", *(f"    {_quote(item)}," for item in value), "]"])
    return f"{name} = {_quote(value)}"


def _quote(value: Any) -> str:
    """JSON's strings, numbers and lists are TOML's as well."""
    return json.dumps(value, ensure_ascii=False)
