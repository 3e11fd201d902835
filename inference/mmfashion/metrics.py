"""What MMFashion measures, by its exact definitions, each beside the usual one.

Its published numbers ("top-5 recall" and the like) are `written`; `usual` is what others call by
that name. All are shares, 0..1. Equal scores are ranked by their place, the first one first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
Integers = NDArray[np.integer]

BEST = 50
"""Of so many attributes, those with the highest recall, MMFashion takes the mean."""


class UnknownItem(KeyError):
    """A query's item is not in the gallery: it cannot be found."""

    def __str__(self) -> str:
        return f"item {self.args[0]} is asked for and not in the gallery"


@dataclass(frozen=True, slots=True)
class Attributes:
    """Of the k likeliest attributes of each picture."""

    recall: float
    """Written: the mean of the BEST highest recalls of attributes that occur."""
    precision: float
    """Written: the same of the precisions."""
    accuracy: float
    """Written: the share of right yes and no; labels that are neither count as wrong."""
    macro_recall: float
    """Usual: the mean recall of all attributes that occur."""
    micro_recall: float
    """Usual: found among all there are."""
    micro_precision: float


def measure_attributes(scores: Floats, truth: Integers, *, k: int) -> Attributes:
    """scores (N, C); truth (N, C): 1, 0, or else for unknown."""
    chosen = choose(scores, k)
    there, absent = truth == 1, truth == 0
    found = (chosen & there).sum(0)
    occurring, asked = there.sum(0), (chosen & (there | absent)).sum(0)
    rejected = (~chosen & absent).sum(0)
    recalls = found[occurring > 0] / occurring[occurring > 0]
    precisions = found[asked > 0] / asked[asked > 0]
    return Attributes(
        recall=_mean_of_best(recalls, min(BEST, int((occurring > 0).sum()))),
        precision=_mean_of_best(precisions, min(BEST, int((asked > 0).sum()))),
        accuracy=float(((found + rejected) / len(scores)).mean()),
        macro_recall=float(recalls.mean()) if len(recalls) else 0.0,
        micro_recall=float(found.sum() / max(occurring.sum(), 1)),
        micro_precision=float(found.sum() / max(asked.sum(), 1)),
    )


@dataclass(frozen=True, slots=True)
class Categories:
    recall: float
    """Written: the mean over categories that occur of the share found."""
    accuracy: float
    """Usual: the share of pictures whose category is found."""


def measure_categories(scores: Floats, truth: Integers, *, k: int) -> Categories:
    """scores (N, C); truth (N,): the category's index."""
    hit = choose(scores, k)[np.arange(len(truth)), truth]
    recalls = [hit[truth == category].mean() for category in np.unique(truth)]
    return Categories(float(np.mean(recalls)), float(hit.mean()))


@dataclass(frozen=True, slots=True)
class Retrieval:
    recall: float
    """Written: the mean of (hits among the first k) / (what there is of the item)."""
    hit_rate: float
    """Usual as recall@k: the share of queries with any hit among the first k."""
    precision: float
    """Usual as P@k: the mean share of hits among the first k."""


def measure_retrieval(
    order: Integers, gallery: Integers, queries: Integers, *, k: int
) -> Retrieval:
    """order (Q, G): the gallery's indices, nearest first; gallery (G,), queries (Q,): items.

    Raises UnknownItem.
    """
    there = np.array([(gallery == item).sum() for item in queries])
    if (there == 0).any():
        raise UnknownItem(int(queries[there == 0][0]))
    hits = (gallery[order[:, :k]] == queries[:, None]).sum(1)
    return Retrieval(
        recall=float((hits / there).mean()),
        hit_rate=float((hits > 0).mean()),
        precision=float((hits / min(k, len(gallery))).mean()),
    )


def order_gallery(queries: Floats, gallery: Floats) -> Integers:
    """(Q, G): by the cosine, nearest first."""
    return np.argsort(-(_normalise(queries) @ _normalise(gallery).T), axis=1, kind="stable")


@dataclass(frozen=True, slots=True)
class LandmarkErrors:
    error: float
    """Written: mean distance / image size over all landmarks; unseen ones count as no error."""
    detected: float
    """Written: the share within `near` pixels; unseen ones count as detected."""
    visible_error: float
    """Usual: over those that can be seen."""
    visible_detected: float
    found_visible: float
    """Written: the share said and being visible, of all landmarks: right refusals do not count."""
    visibility_accuracy: float
    """Usual: the share of landmarks whose visibility is said rightly."""


def measure_landmarks(
    found: Floats,
    truth: Floats,
    visible: Bools,
    said_visible: Floats,
    *,
    size: float = 224,
    near: float = 10,
) -> LandmarkErrors:
    """found, truth (N, 8, 2) in pixels; visible (N, 8); said_visible (N, 8) probabilities."""
    distances = np.linalg.norm(found - truth, axis=2)
    counted = np.where(visible, distances, 0)
    said = said_visible >= 0.5
    seen = distances[visible]
    return LandmarkErrors(
        error=float(counted.mean() / size),
        detected=float((counted <= near).mean()),
        visible_error=float(seen.mean() / size) if len(seen) else 0.0,
        visible_detected=float((seen <= near).mean()) if len(seen) else 0.0,
        found_visible=float((said & visible).mean()),
        visibility_accuracy=float((said == visible).mean()),
    )


def score_outfit(distances: Sequence[float]) -> float:
    """1 less the mean distance of its pairs: higher is more compatible."""
    return 1 - float(np.mean(distances))


def measure_auc(scores: Floats, compatible: Bools) -> float:
    """How often a compatible outfit scores above another one; ties count half."""
    above, below = scores[compatible], scores[~compatible]
    if not len(above) or not len(below):
        raise ValueError("Compatible and other outfits are needed for an AUC.")
    ranked = np.sort(below)
    smaller = np.searchsorted(ranked, above, side="left")
    equal = np.searchsorted(ranked, above, side="right") - smaller
    return float((smaller + equal / 2).sum() / (len(above) * len(below)))


def choose(scores: Floats, k: int) -> Bools:
    """(N, C): whether it is among the k highest of its row."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    chosen = np.zeros(scores.shape, bool)
    np.put_along_axis(chosen, best, values=True, axis=1)
    return chosen


def _mean_of_best(values: Floats, count: int) -> float:
    return float(np.sort(values)[::-1][:BEST].sum() / count) if count else 0.0


def _normalise(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    normalised: Floats = vectors / np.maximum(lengths, 1e-12)
    return normalised
