"""The numbers of an evaluation, from logits and right answers; NumPy only."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

_BINS = 15


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, with Wilson's 95 % interval (Wilson 1927)."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        return self.hits / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """0 to 1 where nothing was counted."""
        if not self.total:
            return 0.0, 1.0
        z, n, p = 1.96, self.total, self.hits / self.total
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, centre - half), min(1.0, centre + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.4f} [{low:.4f}, {high:.4f}] of {self.total}"


def count_hits(logits: Floats, accepts: Bools, *, top: int) -> Share:
    """How often one of the `top` best answers is right."""
    best = np.argsort(-logits, axis=1, kind="stable")[:, :top]
    right: Bools = np.any(np.take_along_axis(accepts, best, axis=1), axis=1)
    return Share(int(right.sum()), len(right))


def shares(logits: Floats, *, temperature: float = 1.0) -> Floats:
    """Softmax over the answers."""
    scaled = (logits - logits.max(axis=1, keepdims=True)) / temperature
    grown = np.exp(scaled)
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), dtype=np.float32)


def fit_temperature(logits: Floats, accepts: Bools) -> float:
    """The temperature with the smallest loss (Guo et al. 2017), to within 1 %."""
    candidates = np.exp(np.arange(np.log(0.3), np.log(4), 0.01))
    losses = [_loss(shares(logits, temperature=t), accepts) for t in candidates]
    return float(candidates[int(np.argmin(losses))])


def calibration_error(logits: Floats, accepts: Bools, *, temperature: float = 1.0) -> float:
    """Expected calibration error of the best answer over 15 equal bins of confidence."""
    confident = shares(logits, temperature=temperature)
    best = confident.argmax(axis=1)
    right = accepts[np.arange(len(best)), best]
    confidence = confident.max(axis=1)
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    error = 0.0
    for index in range(_BINS):
        inside = bins == index
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return float(error)


def _loss(confident: Floats, accepts: Bools) -> float:
    right = np.where(accepts, confident, 0).sum(axis=1)
    return float(-np.log(np.maximum(right, 1e-12)).mean())
