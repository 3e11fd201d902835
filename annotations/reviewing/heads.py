"""A head that learns a shop's words from its reviews, over embeddings that are stored anyway.

With e the garment's embedding (256 numbers of length 1) and p the model's own probabilities of the
categories, or of one attribute's values,

    p'(c) ∝ p(c) · exp(w_c · [e, 1, 4 p])

so that with w = 0 the answer is the model's, and what reviews don't speak of stays. That the head
also reads p is what keeps a systematic mistake apart: "what it calls a sweater and looks like this
is a t-shirt" moves nothing that the model calls a shirt. The weights minimise the mean
cross-entropy of the reviewed answers plus decay / 2 · |w|² (multinomial logistic regression with an
offset), by Nesterov's accelerated gradient, which needs no step to be chosen: the loss is smooth
with a constant of at most half of the largest squared length of an input, plus decay. No queries,
no torch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
STEPS = 300
# Where one of DECAYS begins with what the one before came to.
FEWER_STEPS = 100
SAID = 4.0
"""How much what the model said counts beside what the garment looks like. Of 500 corrections on
real embeddings: with 0 all others lose up to 2 points, with 4 they don't, whatever the decay."""
_SMOOTH = (1 + 1 + SAID**2) / 2
DECAYS = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
LEAST = 1e-4
"""Probability of what the model did not name among its alternatives, at the least."""


@dataclass(frozen=True, slots=True)
class Head:
    """Of the categories, or of one attribute. `weights`: (labels, embedding size + 1 + labels),
    float32; the bias comes after the embedding, then what the model said."""

    labels: tuple[str, ...]
    weights: Floats

    @property
    def size(self) -> int:
        """Of the embeddings that it reads."""
        return int(self.weights.shape[1]) - 1 - len(self.labels)


@dataclass(frozen=True, slots=True)
class Examples:
    """N garments: embeddings (N, D), the model's log-probabilities (N, L) and, as indices of
    labels, what is right (N). `held_out` (N, bool) are not learned from."""

    embeddings: Floats
    priors: Floats
    right: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.bool_]

    def pick(self, mask: npt.NDArray[np.bool_]) -> "Examples":
        return Examples(
            self.embeddings[mask], self.priors[mask], self.right[mask], self.held_out[mask]
        )


def make_prior(
    labels: Sequence[str], category: str, confidence: float, alternatives: Sequence[Any]
) -> Floats:
    """Log-probabilities (L) from a category with its alternatives (name, confidence); what is left
    is spread over the other labels."""
    known = {category: confidence, **dict(alternatives)}
    rest = max(0.0, 1.0 - sum(known.values())) / max(1, len(labels) - len(known))
    numbers = np.array([known.get(label, rest) for label in labels], np.float32)
    numbers = np.maximum(numbers, LEAST)
    return np.asarray(np.log(numbers / numbers.sum()), np.float32)


def predict(weights: Floats, examples: Examples) -> Floats:
    """Log-probabilities (N, L)."""
    return _log_softmax(_build_inputs(examples) @ weights.T + examples.priors)


def train(
    examples: Examples, *, labels: Sequence[str], tell: Callable[[float], None] = lambda _part: None
) -> Head:
    """Learn from all that is not held out; how strongly is chosen on a fifth of that.

    `tell` hears how much is done, 0 to 1.
    """
    learned = examples.pick(~examples.held_out)
    chosen = np.arange(len(learned.right)) % 5 == 0
    inner, tried = learned.pick(~chosen), learned.pick(chosen)
    parts = len(DECAYS) + 1
    best = (-10.0, DECAYS[0])
    weights = None
    for number, decay in enumerate(DECAYS):
        weights = _fit(inner, len(labels), decay, start=weights, steps=FEWER_STEPS)
        score = _score(weights, tried) if len(tried.right) else 0.0
        # Of equals the one that changes least.
        if score > best[0] + 1e-9:
            best = (score, decay)
        tell((number + 1) / parts)
    tell(1.0)
    return Head(tuple(labels), _fit(learned, len(labels), best[1]))


def compare(
    old: Floats | None, new: Head, examples: Examples
) -> tuple[list[tuple[str, int, int, int]], int, int, int]:
    """On what was held out: for each label (name, photos, right before, right after), then the
    same of all. `old` are the weights in use; None: the model alone."""
    held = examples.pick(examples.held_out)
    before = (held.priors if old is None else predict(old, held)).argmax(axis=1) == held.right
    after = predict(new.weights, held).argmax(axis=1) == held.right
    rows = []
    for index in np.unique(held.right):
        mask = held.right == index
        counts = int(mask.sum()), int(before[mask].sum()), int(after[mask].sum())
        rows.append((new.labels[int(index)], *counts))
    return rows, len(held.right), int(before.sum()), int(after.sum())


def _fit(
    examples: Examples,
    labels: int,
    decay: float,
    *,
    start: Floats | None = None,
    steps: int = STEPS,
) -> Floats:
    inputs = _build_inputs(examples)
    number = len(examples.right)
    targets = np.zeros((number, labels), np.float32)
    targets[np.arange(number), examples.right] = 1
    weights = np.zeros((labels, inputs.shape[1]), np.float32) if start is None else start
    ahead, step, momentum = weights, 1.0 / (_SMOOTH + decay), 1.0
    for _ in range(steps):
        shares = np.exp(_log_softmax(inputs @ ahead.T + examples.priors))
        slope = (shares - targets).T @ inputs / max(1, number) + decay * ahead
        following = ahead - step * slope
        momentum, last = (1 + math.sqrt(1 + 4 * momentum**2)) / 2, momentum
        share = np.float32((last - 1) / momentum)
        ahead = np.asarray(following + share * (following - weights), np.float32)
        weights = np.asarray(following, np.float32)
    return weights


def _score(weights: Floats, examples: Examples) -> float:
    """The share that is right; what was right and is not any more counts twice against it."""
    before = examples.priors.argmax(axis=1) == examples.right
    after = predict(weights, examples).argmax(axis=1) == examples.right
    return float(after.mean() - 2 * (before & ~after).mean())


def _build_inputs(examples: Examples) -> Floats:
    """(N, D + 1 + L)"""
    ones = np.ones((len(examples.right), 1), np.float32)
    said = np.exp(examples.priors) * np.float32(SAID)
    return np.concatenate([examples.embeddings, ones, said], axis=1)


def _log_softmax(numbers: Floats) -> Floats:
    numbers = numbers - numbers.max(axis=1, keepdims=True)
    return np.asarray(numbers - np.log(np.exp(numbers).sum(axis=1, keepdims=True)), np.float32)
