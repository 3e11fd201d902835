"""A training run as a file: everything that decides its result, besides the data."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Changes:
    """How often a view is changed in which way, each from 0 to 1."""

    whole: float
    """Not cropped to the garment."""
    ground: float
    """Another ground behind what stands on white."""
    turn: float
    detail: float
    """Less of it: scaled down, or saved badly."""
    light: float
    strong_light: float
    """Of those in other light the share whose colours can no longer be told."""
    erase: float
    quarter: float = 0.0
    """Lying on its side, as telephones save it that don't note how they were held."""
    angle: float = 12.0
    """The most degrees by which `turn` rotates."""
    near: float = 0.18
    """The most of each side that is cut away where nothing stands on white."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    name: str
    seed: int
    epochs: int
    size: tuple[int, int]
    """(height, width) of the input."""
    batch_size: int
    """Different photos in a step."""
    twice: int
    """Of them those that a step shows in a second view."""
    learning_rate: tuple[float, float]
    """At the beginning, after `warm_up` of all steps, and at the end; a line between them."""
    words_rate: float
    """The text encoder's at the beginning; it falls with the other."""
    warm_up: float
    weight_decay: float
    label_smoothing: float
    plain_weight: float
    """Of the answer that a label with several right ones says by itself."""
    article_weight: float
    """Of the raw article type's loss beside the category's, which counts 1."""
    colour_weight: float
    attribute_weight: float
    """Of each attribute key that `attribute_weights` doesn't name."""
    text_weight: float
    """Of the contrast between photos and their names."""
    alike_weight: float
    """Of the contrast between a photo's two views and everything else."""
    kin_weight: float
    """The same between photos of one type and colour."""
    bank: int
    """Texts of other photos in each step, which its photos are not to fit."""
    average_decay: float
    """Of the exponential moving average of the weights, which is what ships."""
    clothing_repeats: float
    """How often an epoch shows each photo of `clothing`; augmentation differs each time."""
    outfit_repeats: float
    """The same for each garment cut out of `ccp`'s masked photos."""
    negative_photos: int
    """Generated and background pictures without a garment in each epoch."""
    changes: Changes
    clothing_frequent: int = 0
    """Labels of `clothing` with fewer photos are shown more often, by the root of what they lack;
    0 for none."""
    attribute_weights: dict[str, float] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    """Attribute keys that are read from the embedding without a say in it."""
    balanced: tuple[str, ...] = ()
    """Attribute keys whose rare values count more: by one over the root of their number."""
    repeats: dict[str, float] = field(default_factory=dict)
    """How often an epoch shows the photos of these article types, where not once."""
    bfloat16: bool = False
    """Whether a CPU computes in bfloat16: half as long again as fast where it knows that, with one
    thread; far slower elsewhere. On CUDA short numbers are used anyway."""
    contrast_scale: float = 14.0
    """The inverse temperature of the contrast with names at the beginning; it is learnt. A run
    that goes on from weights begins with what they were learnt with."""
    widths: tuple[int, ...] = ()
    """Of the network's stages, where it is a teacher's and not the one that ships."""
    taught_share: float = 0.0
    """Of what the teachers (`--teacher`) answer to the same view, from 0 to 1; the labels have the
    rest."""
    taught_alike: float = 0.0
    """Of what the teachers find alike among a step's views, beside everything else."""
    workers: int = 0
    """Processes that make the views; 0 for a thread. They change nothing but the time it takes."""
    limit: int = 0
    """At most that many photos of each file, 0 for all: for a quick look."""


def read_config(path: Path) -> TrainConfig:
    """Raises TypeError for a key that is unknown or missing."""
    with path.open("rb") as file:
        raw: dict[str, Any] = tomllib.load(file)
    lists = {key: tuple(value) for key, value in raw.items() if isinstance(value, list)}
    changes = Changes(**raw.get("changes", {}))
    return TrainConfig(**{**raw, **lists, "changes": changes})
