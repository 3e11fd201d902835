"""A finder's training run as a file: everything that decides its result, besides the data."""

import tomllib
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path
from typing import Any

KIND = "finder"
"""What the file's `kind` says, so that `train` knows which loop to run."""


@dataclass(frozen=True, slots=True)
class FinderStage:
    """`steps` batches at input `size` = (height, width)."""

    steps: int
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class FinderConfig:
    name: str
    seed: int
    stages: tuple[FinderStage, ...]
    batch_size: int
    learning_rate: float
    """After `warm_up` steps; kept until the last `cool_down` of all steps, then down to zero along
    half a cosine wave."""
    warm_up: int
    cool_down: float
    trunk_rate: float
    """The learning rate of stem and trunk, which come trained, as a share of the others'."""
    frozen_blocks: int
    """How many of the trunk's first blocks, and the stem with them, stay as they came."""
    weight_decay: float
    average_decay: float
    """Of the exponential moving average of the weights, which is what ships."""
    edges_weight: float
    segments_weight: float
    """Of those losses beside the heat maps'."""
    outfits: float
    products: float
    collages: float
    flat_lays: float
    """How often an example is of each kind; they need not add up to one."""
    products_per_type: int
    """At most that many photos of each of the shop's article types."""
    guesses: float = 0.0
    """How often it is an outfit without masks, as `teacher` sees it; in a kind of their own."""
    teacher: str = ""
    """The published finder (`name@version`) that guesses."""
    calm: float = 0.0
    """The last share of all steps, in which outfits are shown much as they are."""
    workers: int = 0
    """Processes that make batches; with 0 a thread does. It changes nothing in the result."""
    hold_out: int = 0
    """So many outfits with masks are not trained on but measured at the end, to choose by."""
    limit: int = 0
    """At most that many photos of each file, 0 for all: for a quick look."""

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def size_at(self, step: int) -> tuple[int, int]:
        for stage in self.stages:
            if step < stage.steps:
                return stage.size
            step -= stage.steps
        return self.stages[-1].size

    def is_calm(self, step: int) -> bool:
        return step >= (1 - self.calm) * self.steps

    def rate_at(self, step: int) -> float:
        """The learning rate's factor: warm-up, plateau, down along half a cosine wave.

        A plateau makes it possible to end a run early: shorten its stages and resume.
        """
        warm = min(1.0, (step + 1) / self.warm_up)
        left = min(1.0, (self.steps - step) / max(1.0, self.cool_down * self.steps))
        return min(warm, (1 - cos(pi * left)) / 2)


def is_finder(path: Path) -> bool:
    """Whether the configuration file is one of a finder."""
    with path.open("rb") as file:
        return tomllib.load(file).get("kind") == KIND


def read_config(path: Path) -> FinderConfig:
    """Raises TypeError for a key that is unknown or missing."""
    with path.open("rb") as file:
        raw: dict[str, Any] = tomllib.load(file)
    raw.pop("kind", None)
    stages = tuple(FinderStage(s["steps"], (s["size"][0], s["size"][1])) for s in raw.pop("stages"))
    return FinderConfig(stages=stages, **raw)
