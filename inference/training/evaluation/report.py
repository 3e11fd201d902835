"""An evaluation as JSON and as lines to read."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from inference.training.evaluation.answers import CATEGORY, Answers
from inference.training.evaluation.metrics import Metric, Reliability
from inference.training.evaluation.packing import pack
from inference.training.evaluation.photos import LabelledPhoto
from inference.training.measure import Estimate, Share, estimate_mean

Say = Callable[[str], None]

TYPED = ("category top-1", "category top-5", "garment or not")
"""What is said of each photo type."""


@dataclass(frozen=True, slots=True)
class WayResult:
    """One file, asked one way."""

    photos: Sequence[LabelledPhoto]
    answers: Answers
    metrics: Sequence[Metric]
    reliabilities: Sequence[Reliability]


@dataclass(frozen=True, slots=True)
class FileResult:
    name: str
    data_set: str
    photos: int
    left_out: Mapping[str, int]
    ways: Mapping[str, WayResult]


def describe_file(file: FileResult) -> dict[str, Any]:
    return {
        "name": file.name,
        "data_set": file.data_set,
        "photos": file.photos,
        "left_out": dict(file.left_out),
        "ways": {way: _describe_way(result) for way, result in file.ways.items()},
    }


def describe_types(files: Sequence[FileResult]) -> list[dict[str, Any]]:
    """Per way, photo type and number: over the photos of all files together."""
    rows = []
    ways = dict.fromkeys(way for file in files for way in file.ways)
    for way in ways:
        results = [file.ways[way] for file in files if way in file.ways]
        kinds = dict.fromkeys(photo.kind for result in results for photo in result.photos)
        for kind in kinds:
            for key in TYPED:
                scores = np.concatenate([_scores_of(result, key, kind) for result in results])
                estimate = estimate_mean(scores)
                if estimate.count:
                    rows.append({"way": way, "kind": kind, "key": key} | asdict(estimate))
    return rows


def list_labels(photos: Sequence[LabelledPhoto], said: Sequence[str]) -> list[dict[str, Any]]:
    """The confusion table by the data's own labels, most photos first."""
    answers: dict[str, Counter[str]] = {}
    right: Counter[str] = Counter()
    for photo, name in zip(photos, said, strict=True):
        if photo.accepts:
            answers.setdefault(photo.label, Counter())[name] += 1
            right[photo.label] += name in photo.accepts
    rows = []
    for label, counts in answers.items():
        share = Share(right[label], counts.total())
        rows.append(
            {
                "label": label,
                "photos": share.total,
                "right": share.hits,
                "interval": list(share.interval),
                "answers": dict(counts.most_common()),
            }
        )
    return sorted(rows, key=lambda row: (-row["photos"], row["label"]))


def confuse(photos: Sequence[LabelledPhoto], said: Sequence[str]) -> dict[str, dict[str, int]]:
    """Category → answer → photos, over the photos with one right category only."""
    table: dict[str, Counter[str]] = {}
    for photo, name in zip(photos, said, strict=True):
        if len(photo.accepts) == 1:
            table.setdefault(photo.accepts[0], Counter())[name] += 1
    return {right: dict(table[right].most_common()) for right in sorted(table)}


def say_file(file: FileResult, say: Say) -> None:
    say(f"\n== {file.name}: {file.photos} photos")
    if file.left_out:
        say(f"{sum(file.left_out.values())} not counted for their category:")
        for reason, count in sorted(file.left_out.items(), key=lambda item: -item[1]):
            say(f"   {count:4} {reason}")
    for way, result in file.ways.items():
        say(f"-- {way}")
        for metric in _all_metrics(result):
            note = f"  ({metric.note})" if metric.note else ""
            say(f"{metric.key:52} {metric.estimate}{note}")
    for way, result in file.ways.items():
        say(f"-- {way}: labels, photos, right, most frequent answers")
        for row in list_labels(result.photos, result.answers.heads[CATEGORY].say()):
            answers = ", ".join(f"{n or '–'} {c}" for n, c in list(row["answers"].items())[:4])
            right = row["right"] / row["photos"]
            say(f"{row['label']:28} {row['photos']:6} {right:6.3f}  {answers}")


def say_types(rows: Sequence[Mapping[str, Any]], say: Say) -> None:
    say("\n== by type of photo")
    for row in rows:
        estimate = Estimate(*(row[k] for k in ("value", "low", "high", "count", "interval")))
        say(f"{row['way']:7} {row['kind']:16} {row['key']:16} {estimate}")


def _describe_way(result: WayResult) -> dict[str, Any]:
    said = result.answers.heads[CATEGORY].say()
    confidence = result.answers.heads[CATEGORY].confidence
    return {
        "metrics": {
            m.key: asdict(m.estimate) | ({"note": m.note} if m.note else {})
            for m in _all_metrics(result)
            if m.estimate.count
        },
        "reliability": {r.head: [asdict(b) for b in r.bins] for r in result.reliabilities},
        "labels": list_labels(result.photos, said),
        "confusion": confuse(result.photos, said),
        "photos": {
            "ids": [photo.id for photo in result.photos],
            "said": said,
            "confidence": [round(float(c), 4) for c in confidence],
            "scores": {m.key: pack(m.scores) for m in result.metrics if m.scores is not None},
        },
    }


def _all_metrics(result: WayResult) -> list[Metric]:
    extra = [metric for each in result.reliabilities for metric in each.errors]
    return [*result.metrics, *extra]


def _scores_of(result: WayResult, key: str, kind: str) -> "np.ndarray[Any, Any]":
    scores = next((m.scores for m in result.metrics if m.key == key), None)
    if scores is None:
        return np.empty(0)
    return scores[np.array([photo.kind == kind for photo in result.photos], dtype=np.bool_)]
