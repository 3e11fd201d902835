"""A training run as a file: everything that decides its result, besides the data."""

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Stage:
    """`epochs` passes; each step's input has one of the `sizes` (height, width), by chance."""

    epochs: int
    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class TrainConfig:
    name: str
    seed: int
    stages: tuple[Stage, ...]
    batch_size: int
    learning_rate: float
    """Reached after `warm_up` of all steps, held, and led to zero over the last `cool_down`."""
    warm_up: float
    cool_down: float
    weight_decay: float
    label_smoothing: float
    plain_weight: float
    """Of the answer that a label with several right ones says by itself."""
    auxiliary_weight: float
    """Of the raw article type's loss beside the category's."""
    attribute_weight: float
    """Of the losses of the colour family and of each attribute key."""
    text_weight: float
    """Of the contrast between photos and their names."""
    average_decay: float
    """Of the exponential moving average of the weights, which is what ships."""
    clothing_repeats: int
    """How often an epoch shows each photo of `clothing`; augmentation differs each time."""
    outfit_repeats: int
    """The same for each garment cut out of `ccp`'s masked photos."""
    negative_photos: int
    """Generated and background pictures without a garment in each epoch."""
    limit: int = 0
    """At most that many photos of each file, 0 for all: for a quick look."""

    @property
    def epochs(self) -> int:
        return sum(stage.epochs for stage in self.stages)

    def sizes_at(self, epoch: int) -> tuple[tuple[int, int], ...]:
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage.sizes
            epoch -= stage.epochs
        return self.stages[-1].sizes


def read_config(path: Path) -> TrainConfig:
    """Raises TypeError for a key that is unknown or missing."""
    with path.open("rb") as file:
        raw: dict[str, Any] = tomllib.load(file)
    stages = tuple(
        Stage(stage["epochs"], tuple((height, width) for height, width in stage["sizes"]))
        for stage in raw.pop("stages")
    )
    return TrainConfig(stages=stages, **raw)


def describe_config(config: TrainConfig) -> dict[str, Any]:
    return dataclasses.asdict(config)
