"""The numbers of an evaluation, from answers and right answers; NumPy only."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.int64]

_ROUNDS = 1000
_SEED = 95


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
        # Rounding must not put the value outside.
        return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.4f} [{low:.4f}, {high:.4f}] of {self.total}"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number over `count` photos (or whatever it counts), with its 95 % interval."""

    value: float
    """NaN where nothing was counted."""
    low: float
    high: float
    count: int
    interval: str
    """How it was made: "wilson", "bootstrap", or "" where there is none."""

    def __str__(self) -> str:
        if not self.count:
            return "nothing to count"
        between = f" [{self.low:.4f}, {self.high:.4f}]" if self.interval else ""
        return f"{self.value:.4f}{between} of {self.count}"


def estimate_mean(scores: Doubles) -> Estimate:
    """The mean of one score per photo, NaN for a photo that doesn't count.

    Wilson's interval where each score is 0 or 1, else the percentile bootstrap over the photos.
    """
    known = scores[~np.isnan(scores)]
    if not len(known):
        return Estimate(math.nan, 0.0, 1.0, 0, "")
    if np.isin(known, (0.0, 1.0)).all():
        share = Share(int(known.sum()), len(known))
        return Estimate(share.value, *share.interval, share.total, "wilson")
    low, high = spread(len(known), lambda drawn: float(known[drawn].mean()))
    return Estimate(float(known.mean()), low, high, len(known), "bootstrap")


def spread(
    count: int, measure: Callable[[Counts], float], *, rounds: int = _ROUNDS
) -> tuple[float, float]:
    """The middle 95 % of `measure` over seeded redraws of `count` photos (Efron 1979).

    `measure` gets the indices of the photos drawn.
    """
    rng = np.random.default_rng(_SEED)
    values = [measure(rng.integers(0, count, count)) for _ in range(rounds)]
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def are_hits(scores: Floats, accepts: Bools, *, top: int) -> Bools:
    """(N,): whether one of the `top` best answers with a score above nothing is right.

    A score of -inf was not given; of several equal ones the first counts as better.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    given = np.take_along_axis(scores, best, axis=1) > -np.inf
    right: Bools = np.any(np.take_along_axis(accepts, best, axis=1) & given, axis=1)
    return right


def macro_f1(truth: Counts, said: Counts, *, classes: int) -> Estimate:
    """The mean over the classes that occur of the harmonic mean of precision and recall.

    Both (N,) indices; a `said` of `classes` or -1 means another or no answer: wrong, of no class.
    The interval redraws the photos.
    """
    if not len(truth):
        return Estimate(math.nan, 0.0, 1.0, 0, "")
    answers = np.where((said < 0) | (said >= classes), classes, said)
    table = np.bincount(truth * (classes + 1) + answers, minlength=classes * (classes + 1))
    value = _f1_of(table[None], classes)[0]
    rng = np.random.default_rng(_SEED)
    redrawn = rng.multinomial(len(truth), table / len(truth), size=_ROUNDS)
    low, high = np.quantile(_f1_of(redrawn, classes), (0.025, 0.975))
    return Estimate(float(value), float(low), float(high), len(truth), "bootstrap")


def _f1_of(tables: Counts, classes: int) -> Doubles:
    """(rounds,) macro-F1 of flat confusion tables (rounds, classes × (classes + 1))."""
    table = tables.reshape(len(tables), classes, classes + 1).astype(np.float64)
    right = np.einsum("rcc->rc", table[:, :, :classes])
    asked, given = table.sum(axis=2), table[:, :, :classes].sum(axis=1)
    f1 = 2 * right / np.maximum(asked + given, 1)
    occurs = asked > 0
    return np.asarray((f1 * occurs).sum(axis=1) / np.maximum(occurs.sum(axis=1), 1))
