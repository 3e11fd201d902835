"""From answers and right answers to named numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference import taxonomy
from inference.contract import AnnotationResult
from inference.training.calibration import (
    Bin,
    HeadAnswers,
    estimate_error,
    expect_error,
    in_fitting_half,
    judge,
    reliability,
)
from inference.training.evaluation.answers import CATEGORY, COLOUR, Answers, Head
from inference.training.evaluation.photos import LabelledPhoto
from inference.training.measure import Bools, Doubles, Estimate, are_hits, estimate_mean, macro_f1

OWN_COLOURS = ("gold", "silver", "multi")
"""Families that are none of the eleven basic colours."""
STRICT_ERROR = f"{CATEGORY}: calibration error, one right answer"


@dataclass(frozen=True, slots=True)
class Metric:
    key: str
    estimate: Estimate
    scores: Doubles | None = None
    """(N,) what each photo gave, NaN where it doesn't count; None for what is no mean."""
    note: str = ""


def measure_mean(key: str, scores: Doubles, *, note: str = "") -> Metric:
    return Metric(key, estimate_mean(scores), scores, note)


def measure_category(photos: Sequence[LabelledPhoto], head: Head) -> list[Metric]:
    accepts = head.mark([photo.accepts for photo in photos])
    counted = np.array([bool(photo.accepts) for photo in photos], dtype=np.bool_)
    abstention = taxonomy.load().abstention
    nothing_there = np.array([abstention in photo.accepts for photo in photos], dtype=np.bool_)
    # Saying nothing at all is to abstain.
    nothing_said = np.array([name in ("", abstention) for name in head.say()], dtype=np.bool_)
    ranked = np.where(head.probabilities > 0, head.probabilities, -np.inf)
    strict = np.array([len(photo.accepts) == 1 for photo in photos], dtype=np.bool_)
    return [
        measure_mean("category top-1", _scores(are_hits(ranked, accepts, top=1), counted)),
        measure_mean(
            "category top-1, one right answer",
            _scores(are_hits(ranked, accepts, top=1), strict),
            note="without the photos whose label may mean several categories",
        ),
        measure_mean(
            "category top-5",
            _scores(are_hits(ranked, accepts, top=5), counted),
            note='"not a garment" is one of the five; an abstention of the engine is that answer, '
            "so wrong in top-1, then what it may be nevertheless",
        ),
        measure_mean("garment or not", _scores(nothing_said == nothing_there, counted)),
        measure_mean("abstains without a garment", _scores(nothing_said, nothing_there)),
    ]


def measure_turned(photos: Sequence[LabelledPhoto], head: Head) -> Metric:
    """What a telephone saves that was held sideways and doesn't say so."""
    accepts = head.mark([photo.accepts for photo in photos])
    counted = np.array([bool(photo.accepts) for photo in photos], dtype=np.bool_)
    return measure_mean(
        "category top-1, photos turned by a quarter",
        _scores(are_hits(head.probabilities, accepts, top=1), counted),
        note="half of them to the right, half to the left",
    )


def measure_alone(photos: Sequence[LabelledPhoto], results: Sequence[AnnotationResult]) -> Metric:
    """Of photos of one garment each."""
    alone = np.array([len(result.garments) < 2 for result in results])
    counted = np.array([bool(p.accepts) and p.shows_garment for p in photos])
    return measure_mean(
        "nothing beside the garment",
        _scores(alone, counted),
        note="each photo shows one; what else is named is not there",
    )


def measure_colour(
    photos: Sequence[LabelledPhoto], head: Head, *, key: str = "colour"
) -> list[Metric]:
    """Of garments: the eleven basic colours, any other answer is wrong; then all fourteen."""
    right = _agree(head, [photo.colour for photo in photos])
    known = np.array([bool(p.colour) and p.shows_garment for p in photos], dtype=np.bool_)
    basic = known & np.array([p.colour not in OWN_COLOURS for p in photos], dtype=np.bool_)
    return [
        measure_mean(
            f"{key} family, 11 basic",
            _scores(right, basic),
            note="garments whose base colour is gold, silver or multi are left out here, "
            "but answering one of these is wrong",
        ),
        measure_mean(f"{key} family, with gold, silver, multi", _scores(right, known)),
    ]


def measure_attribute(
    key: str, photos: Sequence[LabelledPhoto], head: Head, *, floor: float
) -> list[Metric]:
    """Of garments whose labels or name say the value."""
    names = [p.attributes.get(key, "") for p in photos]
    known = np.array(
        [name in head.values and p.shows_garment for name, p in zip(names, photos, strict=True)],
        dtype=np.bool_,
    )
    right = _agree(head, names)
    said = head.confidence >= max(floor, 1e-9)
    other = ~in_fitting_half([photo.id for photo in photos])
    index = {value: i for i, value in enumerate(head.values)}
    truth = np.array([index.get(name, 0) for name in names], dtype=np.int64)
    return [
        measure_mean(f"{key}: accuracy", _scores(right, known)),
        Metric(
            f"{key}: macro-F1",
            macro_f1(truth[known], head.best[known], classes=len(head.values)),
        ),
        measure_mean(f"{key}: coverage", _scores(said, known), note=f"confidence ≥ {floor:g}"),
        measure_mean(
            f"{key}: accuracy where said",
            _scores(right, known & said & other),
            note="of the half of the photos that floors were not fitted on",
        ),
    ]


def measure_pattern(
    photos: Sequence[LabelledPhoto], head: Head, groups: Sequence[tuple[str, tuple[str, ...]]]
) -> Metric:
    """Macro-F1 over groups of pattern values, over the garments whose name says one of them."""
    of = {value: i for i, (_, values) in enumerate(groups) for value in values}
    truth = np.array([of.get(p.attributes.get("pattern", ""), -1) for p in photos], dtype=np.int64)
    known = (truth >= 0) & np.array([p.shows_garment for p in photos], dtype=np.bool_)
    said = np.array([of.get(name, -1) for name in head.say()], dtype=np.int64)
    names = ", ".join(name for name, _ in groups)
    return Metric(
        "pattern macro-F1",
        macro_f1(truth[known], said[known], classes=len(groups)),
        note=f"over {names}; any other answer is wrong",
    )


def measure_ten(photos: Sequence[LabelledPhoto], head: Head, *, abstained: Bools) -> list[Metric]:
    """The ten classes of the published benchmark, on photos that belong to it."""
    classes = {p.benchmark: p.benchmark_accepts for p in photos if p.benchmark}
    names = sorted(classes)
    index = {value: i for i, value in enumerate(head.values)}
    summed = np.stack(
        [
            head.probabilities[:, [index[c] for c in classes[name] if c in index]].sum(axis=1)
            for name in names
        ],
        axis=1,
    )
    best = summed.argmax(axis=1)
    counted = np.array([bool(p.benchmark) for p in photos], dtype=np.bool_)
    right = np.array([p.benchmark == names[i] for p, i in zip(photos, best, strict=True)])
    plain = np.array(
        [said in p.benchmark_accepts for said, p in zip(head.say(), photos, strict=True)]
    )
    return [
        measure_mean(
            "ten classes: accuracy",
            _scores(right & (summed.max(axis=1) > 0) & ~abstained, counted),
            note="a class's score is the sum over the categories that it may mean",
        ),
        measure_mean(
            "ten classes: plain",
            _scores(plain, counted),
            note="the likeliest of all categories is one that the class may mean",
        ),
    ]


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far one head's confidence was to be believed."""

    head: str
    errors: tuple[Metric, ...]
    bins: tuple[Bin, ...]


def measure_calibration(photos: Sequence[LabelledPhoto], answers: Answers) -> list[Reliability]:
    """Each head on the photos of the half that its temperature was not fitted on.

    Answers that carry no probability, such as an abstention of the engine, are left out.
    """
    other = ~in_fitting_half([photo.id for photo in photos])
    strict = np.array([len(photo.accepts) == 1 for photo in photos], dtype=np.bool_)
    found = []
    for name, head in answers.heads.items():
        if name in answers.unsure:
            continue
        marks = head.mark(right_names(photos, name))
        known = marks.any(axis=1) & (head.confidence > 0)
        if name == CATEGORY:
            known &= ~answers.abstained
        counted = other & known
        if counted.any():
            confidence, right = judge(head.probabilities[counted], marks[counted])
            errors = _errors(name, confidence, right)
            if name == CATEGORY and (counted & strict).any():
                one = counted & strict
                errors.append(_strict_error(*judge(head.probabilities[one], marks[one])))
            found.append(Reliability(name, tuple(errors), reliability(confidence, right)))
    return found


def _errors(head: str, confidence: Doubles, right: Bools) -> list[Metric]:
    return [
        Metric(
            f"{head}: calibration error",
            estimate_error(confidence, right),
            note=_say_expected(confidence),
        ),
        Metric(
            f"{head}: adaptive calibration error",
            estimate_error(confidence, right, adaptive=True),
        ),
    ]


def _strict_error(confidence: Doubles, right: Bools) -> Metric:
    return Metric(
        STRICT_ERROR,
        estimate_error(confidence, right),
        note="where several answers are right, one's confidence is below the chance of any; "
        + _say_expected(confidence),
    )


def _say_expected(confidence: Doubles) -> str:
    return f"true confidences have {expect_error(confidence):.3f} on so few photos"


def collect_heads(photos: Sequence[LabelledPhoto], answers: Answers) -> dict[str, HeadAnswers]:
    """Each head's answers where the right one is known, for fitting temperatures."""
    heads = {}
    for name, head in answers.heads.items():
        marks = head.mark(right_names(photos, name))
        known: Bools = np.any(marks, axis=1)
        ids = tuple(p.id for p, is_known in zip(photos, known, strict=True) if is_known)
        heads[name] = HeadAnswers(ids, head.logits[known], marks[known])
    return heads


def right_names(photos: Sequence[LabelledPhoto], head: str) -> list[tuple[str, ...]]:
    """Of each photo the right answers of this head; none where they are not known."""
    if head == CATEGORY:
        return [photo.accepts for photo in photos]
    garments = [(photo, photo.shows_garment) for photo in photos]
    if head == COLOUR:
        return [(p.colour,) if shows and p.colour else () for p, shows in garments]
    return [
        (p.attributes[head],) if shows and head in p.attributes else () for p, shows in garments
    ]


def _agree(head: Head, names: Sequence[str]) -> Bools:
    return np.array([a == b for a, b in zip(head.say(), names, strict=True)], dtype=np.bool_)


def _scores(right: Bools, counted: Bools) -> Doubles:
    return np.where(counted, right.astype(np.float64), np.nan)
