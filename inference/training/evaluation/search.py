"""How well photos are found: by words, by a photo alike, by a changed copy of themselves."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from inference.training.evaluation.metrics import Metric, measure_mean
from inference.training.evaluation.photos import LabelledPhoto
from inference.training.measure import Counts, Floats, estimate_mean
from inference.training.ranking import (
    group,
    hits_at,
    others,
    precisions,
    rank,
    reachable_precisions,
    reciprocal_ranks,
)

DEPTH = 10
_RANKS = 100
"""How deep the first relevant photo is looked for; below counts as not found."""


def list_queries(photos: Sequence[LabelledPhoto]) -> dict[str, frozenset[int]]:
    """Each distinct query with the photos whose own query it is."""
    of: defaultdict[str, set[int]] = defaultdict(set)
    for index, photo in enumerate(photos):
        if photo.query:
            of[photo.query].add(index)
    return {query: frozenset(found) for query, found in of.items()}


def measure_words(photos: Sequence[LabelledPhoto], texts: Floats, gallery: Floats) -> list[Metric]:
    """`texts` are the vectors of `list_queries`' keys in their order."""
    queries = list_queries(photos)
    relevant = list(queries.values())
    found = rank(texts, gallery, depth=_RANKS)
    hits = hits_at(found[:, :DEPTH], relevant)
    note = "each distinct query once; relevant are the photos with that same query"
    by_photo = np.full(len(photos), np.nan)
    for hit, right in zip(hits, relevant, strict=True):
        by_photo[list(right)] = hit
    return [
        Metric("words → photo: hit rate@10", estimate_mean(hits), note=note),
        Metric("words → photo: MRR", estimate_mean(reciprocal_ranks(found, relevant)), note=note),
        measure_mean(
            "words → photo: hit rate@10, by photo",
            by_photo,
            note="each photo's query, so that frequent ones count as often as they occur",
        ),
    ]


def measure_likeness(photos: Sequence[LabelledPhoto], gallery: Floats) -> list[Metric]:
    """The photo that asks is not among the answers."""
    everyone = np.arange(len(photos))
    found = rank(gallery, gallery, depth=DEPTH, exclude=everyone)
    raw = group([photo.likeness for photo in photos])
    coarse = group([(photo.accepts or (photo.label,), photo.colour) for photo in photos])
    enough = others(raw) >= DEPTH
    metrics = []
    for name, groups in (("type and colour", raw), ("category and colour family", coarse)):
        best = np.minimum(others(groups), DEPTH) / DEPTH
        metrics += [
            measure_mean(
                f"photo → same {name}: P@10",
                precisions(found, groups),
                note=f"a perfect search reaches {best.mean():.4f}: not all have ten alike",
            ),
            measure_mean(
                f"photo → same {name}: P@10 of what there is",
                reachable_precisions(found, groups),
                note="over min(10, how many are alike); photos without any are left out",
            ),
        ]
    frequent = np.where(enough, precisions(found, raw), np.nan)
    metrics.append(
        measure_mean(
            "photo → same type and colour: P@10, ten alike or more",
            frequent,
            note="only photos with at least ten others of their type and colour",
        )
    )
    for place, name in enumerate(("type", "colour")):
        known = _tell(gallery, group([photo.likeness[place] for photo in photos]))
        metrics.append(
            measure_mean(
                f"photo → same type and colour: P@10 of what there is, told each {name}",
                reachable_precisions(rank(known, known, depth=DEPTH, exclude=everyone), groups=raw),
                note=f"photos of its own {name} come first: what the other label costs",
            )
        )
    return metrics


def _tell(gallery: Floats, groups: Counts) -> Floats:
    """(N, d + groups): of L2-normalised vectors, those of a group are nearest to each other."""
    marks = np.zeros((len(groups), groups.max(initial=0) + 1), dtype=np.float32)
    marks[np.arange(len(groups)), groups] = 2
    return np.hstack([gallery, marks])


def measure_self_retrieval(
    photos: Sequence[LabelledPhoto], changed: Floats, gallery: Floats
) -> Metric:
    """`changed` (N, d) are the embeddings of the changed copies, in the photos' order."""
    found = rank(changed, gallery, depth=1)[:, 0]
    # Some products share one and the same picture.
    pictures = group([hashlib.sha256(photo.data).digest() for photo in photos])
    return measure_mean(
        "self-retrieval: R@1",
        (pictures[found] == pictures).astype(np.float64),
        note="a copy cropped to 80-95 % of each side, mirrored and in other light finds its photo",
    )
