"""A head that learns a shop's categories from its reviews, over embeddings that are stored anyway.

With e the garment's embedding (256 numbers of length 1) and p the model's own probabilities,

    p'(c) ∝ p(c) · exp(w_c · e + b_c)

so that with w = 0 the answer is the model's, and what reviews don't speak of stays. The weights
minimise the mean cross-entropy of the reviewed categories plus decay / 2 · |w|² (multinomial
logistic regression with an offset), by Nesterov's accelerated gradient, which needs no step to be
chosen: the loss is smooth with a constant of at most 1 + decay. No queries, no torch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.contract import Alternative, Category, Garment

Floats = npt.NDArray[np.float32]
STEPS = 300
DECAYS = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
LEAST = 1e-4
"""Probability of what the model did not name among its alternatives, at the least."""
ALTERNATIVES = 4


@dataclass(frozen=True, slots=True)
class Head:
    """`weights`: (labels, embedding size + 1), float32; the last column is the bias."""

    labels: tuple[str, ...]
    weights: Floats

    def to_bytes(self) -> bytes:
        return self.weights.astype("<f4").tobytes()

    @classmethod
    def from_bytes(cls, labels: Sequence[str], data: bytes) -> "Head":
        """Raises ValueError where the numbers don't fit the labels."""
        numbers = np.frombuffer(data, "<f4").astype(np.float32)
        return cls(tuple(labels), numbers.reshape(len(labels), -1))


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
    return _log_softmax(_with_bias(examples.embeddings) @ weights.T + examples.priors)


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
    for number, decay in enumerate(DECAYS):
        weights = _fit(inner, len(labels), decay)
        score = _score(weights, tried) if len(tried.right) else 0.0
        # Of equals the one that changes least.
        if score > best[0] + 1e-9:
            best = (score, decay)
        tell((number + 1) / parts)
    weights = _fit(learned, len(labels), best[1])
    tell(1.0)
    return Head(tuple(labels), weights)


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


def apply_head(head: Head, garment: Garment) -> Garment:
    """The garment with the category that the head makes of what the model said."""
    if len(garment.embedding) != head.weights.shape[1] - 1:
        return garment
    said = garment.category
    pairs = [(each.name, each.confidence) for each in said.alternatives]
    category, confidence, others = decide(
        head, np.array(garment.embedding, np.float32), said.name, said.confidence, pairs
    )
    if category == said.name and not others:
        return garment
    alternatives = tuple(Alternative(name, share) for name, share in others)
    return replace(garment, category=Category(category, confidence, alternatives))


def decide(
    head: Head,
    embedding: Floats,
    category: str,
    confidence: float,
    alternatives: Sequence[tuple[str, float]],
) -> tuple[str, float, list[tuple[str, float]]]:
    """Category, its probability, and the next ones."""
    if category not in head.labels:
        return category, confidence, list(alternatives)
    prior = make_prior(head.labels, category, confidence, alternatives)
    one = Examples(embedding[None], prior[None], np.zeros(1, np.int64), np.zeros(1, np.bool_))
    shares = np.exp(predict(head.weights, one)[0])
    order = np.argsort(-shares)[: ALTERNATIVES + 1]
    ranked = [(head.labels[int(i)], float(shares[int(i)])) for i in order]
    return ranked[0][0], ranked[0][1], [pair for pair in ranked[1:] if pair[1] >= 0.005]


def _fit(examples: Examples, labels: int, decay: float) -> Floats:
    inputs = _with_bias(examples.embeddings)
    number = len(examples.right)
    targets = np.zeros((number, labels), np.float32)
    targets[np.arange(number), examples.right] = 1
    weights = np.zeros((labels, inputs.shape[1]), np.float32)
    ahead, step, momentum = weights, 1.0 / (1.0 + decay), 1.0
    for _ in range(STEPS):
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


def _with_bias(embeddings: Floats) -> Floats:
    ones = np.ones((len(embeddings), 1), np.float32)
    return np.concatenate([embeddings, ones], axis=1)


def _log_softmax(numbers: Floats) -> Floats:
    numbers = numbers - numbers.max(axis=1, keepdims=True)
    return np.asarray(numbers - np.log(np.exp(numbers).sum(axis=1, keepdims=True)), np.float32)
