"""How far confidence can be believed, and the temperatures that make it so."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.training.measure import Bools, Counts, Doubles, Estimate, Floats, spread

BINS = 15
_ROUNDS = 300
_SEED = 31
_FEWEST = 20
"""Photos below which a share says too little to choose a floor by."""


@dataclass(frozen=True, slots=True)
class HeadAnswers:
    """One head's answers about the photos whose right answer is known."""

    ids: tuple[str, ...]
    """Data set and id of each photo, which decide the half that it belongs to."""
    logits: Floats
    """(N, C), divided by no temperature or by a former one."""
    accepts: Bools
    """(N, C): which answers are right."""


@dataclass(frozen=True, slots=True)
class Bin:
    """A bar of a reliability chart: the photos with a confidence from `low` to `high`."""

    low: float
    high: float
    count: int
    confidence: float
    right: float
    """Means over the bin's photos."""


def fit(heads: Mapping[str, HeadAnswers]) -> dict[str, float]:
    """Head → the temperature with the smallest loss on the fitting half (Guo et al. 2017)."""
    temperatures = {}
    for name, head in heads.items():
        half = in_fitting_half(head.ids)
        temperatures[name] = fit_temperature(head.logits[half], head.accepts[half])
    return temperatures


def check(head: HeadAnswers, temperature: float) -> tuple[float, float]:
    """The calibration error before and after, on the half that was not fitted to."""
    other = ~in_fitting_half(head.ids)
    if not other.any():
        return float("nan"), float("nan")
    logits, accepts = head.logits[other], head.accepts[other]
    return (
        calibration_error(logits, accepts),
        calibration_error(logits, accepts, temperature=temperature),
    )


def choose_floor(head: HeadAnswers, temperature: float, *, wanted: float) -> float:
    """The least confidence from which on answers of the fitting half are right as often as wanted.

    1 where they never are, or are too few to tell: then the head had better say nothing. In steps
    of 0.01.
    """
    confidence, right = _judge_fitting_half(head, temperature)
    for floor in np.arange(0.2, 1.0, 0.01):
        said = confidence >= floor
        if said.sum() >= _FEWEST and right[said].mean() >= wanted:
            return round(float(floor), 2)
    return 1.0


def choose_least(head: HeadAnswers, temperature: float, *, hopeless: float) -> float:
    """The confidence below which answers of the fitting half are right less often than hopeless.

    0 where they never are, or are too few to tell. In steps of 0.01.
    """
    confidence, right = _judge_fitting_half(head, temperature)
    for least in np.arange(0.99, 0.0, -0.01):
        below = confidence < least
        if below.sum() >= _FEWEST and right[below].mean() < hopeless:
            return round(float(least), 2)
    return 0.0


def in_fitting_half(ids: Sequence[str]) -> Bools:
    """Half of the photos, always the same ones: those whose id has an even SHA-256.

    Temperatures are fitted on it; what is said about calibration is measured on the other half.
    """
    return np.array([hashlib.sha256(i.encode()).digest()[-1] % 2 == 0 for i in ids], dtype=np.bool_)


def shares(logits: Floats, *, temperature: float = 1.0) -> Floats:
    """Softmax over the answers."""
    scaled = (logits - logits.max(axis=1, keepdims=True)) / temperature
    grown = np.exp(scaled)
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), dtype=np.float32)


def fit_temperature(logits: Floats, accepts: Bools) -> float:
    """To within 1 %; 1 where there is nothing to learn from."""
    if not len(logits):
        return 1.0
    candidates = np.exp(np.arange(np.log(0.3), np.log(4), 0.01))
    losses = [_loss(shares(logits, temperature=t), accepts) for t in candidates]
    return float(candidates[int(np.argmin(losses))])


def calibration_error(logits: Floats, accepts: Bools, *, temperature: float = 1.0) -> float:
    """Expected calibration error of the best answer over 15 equal bins of confidence."""
    confidence, right = judge(shares(logits, temperature=temperature), accepts)
    return equal_error(confidence, right)


def judge(probabilities: Floats, accepts: Bools) -> tuple[Doubles, Bools]:
    """Of the best answer: its confidence (N,) and whether it is right (N,)."""
    best = probabilities.argmax(axis=1)
    rows = np.arange(len(best))
    return probabilities[rows, best].astype(np.float64), accepts[rows, best]


def equal_error(confidence: Doubles, right: Bools) -> float:
    """Expected calibration error over 15 equally wide bins (Naeini et al. 2015)."""
    return _error(_equal_bins(confidence), confidence, right)


def adaptive_error(confidence: Doubles, right: Bools) -> float:
    """The same over 15 bins of equally many photos (Nixon et al. 2019)."""
    return _error(_full_bins(confidence), confidence, right)


def estimate_error(confidence: Doubles, right: Bools, *, adaptive: bool = False) -> Estimate:
    """With a bootstrap interval. Redrawing adds noise, so the interval lies rather high."""
    measure = adaptive_error if adaptive else equal_error
    if not len(right):
        return Estimate(float("nan"), 0.0, 1.0, 0, "")
    low, high = spread(
        len(right), lambda drawn: measure(confidence[drawn], right[drawn]), rounds=_ROUNDS
    )
    value = measure(confidence, right)
    return Estimate(value, min(low, value), max(high, value), len(right), "bootstrap")


def expect_error(confidence: Doubles) -> float:
    """The calibration error of a model whose every confidence is true.

    It is above nothing, as a bin's few photos are right more or less often than they will be.
    """
    rng = np.random.default_rng(_SEED)
    drawn = rng.random((_ROUNDS, len(confidence))) < confidence
    return float(np.mean([equal_error(confidence, right) for right in drawn]))


def reliability(confidence: Doubles, right: Bools) -> tuple[Bin, ...]:
    """The bins that hold photos, for a chart."""
    index = _equal_bins(confidence)
    return tuple(
        Bin(
            low=i / BINS,
            high=(i + 1) / BINS,
            count=int((index == i).sum()),
            confidence=float(confidence[index == i].mean()),
            right=float(right[index == i].mean()),
        )
        for i in np.unique(index)
    )


def _judge_fitting_half(head: HeadAnswers, temperature: float) -> tuple[Doubles, Bools]:
    half = in_fitting_half(head.ids)
    return judge(shares(head.logits[half], temperature=temperature), head.accepts[half])


def _equal_bins(confidence: Doubles) -> Counts:
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def _full_bins(confidence: Doubles) -> Counts:
    ranks = np.empty(len(confidence), dtype=np.int64)
    ranks[np.argsort(confidence, kind="stable")] = np.arange(len(confidence))
    return ranks * BINS // len(confidence)


def _error(index: Counts, confidence: Doubles, right: Bools) -> float:
    """Σ over the bins of |photos right - confidence summed|, per photo."""
    difference = np.bincount(index, weights=right - confidence, minlength=BINS)
    return float(np.abs(difference).sum() / len(index))


def _loss(confident: Floats, accepts: Bools) -> float:
    right = np.where(accepts, confident, 0).sum(axis=1)
    return float(-np.log(np.maximum(right, 1e-12)).mean())
