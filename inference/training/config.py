"""A training run as a file: everything that decides its result, besides the data."""

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Stage:
    """`epochs` passes at input `size` = (height, width)."""

    epochs: int
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class TrainConfig:
    name: str
    seed: int
    stages: tuple[Stage, ...]
    batch_size: int
    learning_rate: float
    """The peak, reached after `warm_up` of all steps, then a cosine down to zero."""
    warm_up: float
    weight_decay: float
    label_smoothing: float
    auxiliary_weight: float
    """Of each auxiliary loss (colour family, gender, raw article type) beside the category's."""
    average_decay: float
    """Of the exponential moving average of the weights, which is what ships."""
    clothing_repeats: int
    """How often an epoch shows each photo of `clothing`; augmentation differs each time."""
    negative_photos: int
    """Generated and background pictures without a garment in each epoch."""
    limit: int = 0
    """At most that many photos of each file, 0 for all: for a quick look."""

    @property
    def epochs(self) -> int:
        return sum(stage.epochs for stage in self.stages)

    def size_at(self, epoch: int) -> tuple[int, int]:
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage.size
            epoch -= stage.epochs
        return self.stages[-1].size


def read_config(path: Path) -> TrainConfig:
    """Raises TypeError for a key that is unknown or missing."""
    with path.open("rb") as file:
        raw: dict[str, Any] = tomllib.load(file)
    stages = tuple(Stage(s["epochs"], (s["size"][0], s["size"][1])) for s in raw.pop("stages"))
    return TrainConfig(stages=stages, **raw)


def describe_config(config: TrainConfig) -> dict[str, Any]:
    return dataclasses.asdict(config)
