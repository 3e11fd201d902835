"""One labelled file put to a model: as whole photos, and as the engine serves them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from inference.pipeline import Pipeline
from inference.preprocess import Pixels, decode, resize_crop, whole
from inference.runtime import Model
from inference.training.evaluation import metrics, search
from inference.training.evaluation.answers import CATEGORY, COLOUR, Answers
from inference.training.evaluation.metrics import Metric
from inference.training.evaluation.model import ask, read
from inference.training.evaluation.photos import LabelledPhoto, read_photos
from inference.training.evaluation.report import FileResult, Say, WayResult
from inference.training.evaluation.served import annotate, primary, read_garments
from inference.training.measure import Floats
from inference.training.ranking import change_photo

WHOLE, SERVED = "whole", "served"
WAYS = (WHOLE, SERVED)
OWN_PHOTOS = "clothing"
"""Whose photos people took themselves, of one garment each, now and then with the telephone held
sideways."""
_SAY_SECONDS = 5.0
_PATTERNS = (
    ("striped", ("striped",)),
    ("checked", ("checked", "tartan")),
    ("printed", ("printed", "graphic")),
    ("solid", ("solid",)),
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Questions:
    """What to ask, besides the files."""

    ways: tuple[str, ...] = WAYS
    limit: int = 0
    """At most that many photos of each file, 0 for all."""
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Asked:
    """The model and the engine around it."""

    model: Model
    pipeline: Pipeline


def evaluate_photos(path: Path, *, asked: Asked, questions: Questions, say: Say) -> FileResult:
    """An fpi or clothing file. Raises UnknownFile, OSError."""
    file = read_photos(path, limit=questions.limit)
    ways: dict[str, WayResult] = {}
    if WHOLE in questions.ways:
        views = show(file.photos, asked.model.spec.input_size)
        answers = ask(asked.model, watch(views, len(file.photos), f"{path.stem} whole", say))
        changed = change_photos(file.photos, asked.model.spec.input_size, seed=questions.seed)
        again = ask(asked.model, watch(changed, len(file.photos), f"{path.stem} changed", say))
        extra = [search.measure_self_retrieval(file.photos, again.embedding, answers.embedding)]
        if file.data_set == OWN_PHOTOS:
            turned = turn_photos(file.photos, asked.model.spec.input_size)
            lying = ask(asked.model, watch(turned, len(file.photos), f"{path.stem} turned", say))
            extra.append(metrics.measure_turned(file.photos, lying.heads[CATEGORY]))
        ways[WHOLE] = judge(file.photos, answers, asked.model, extra=extra)
    if SERVED in questions.ways:
        data = [photo.data for photo in file.photos]
        results = list(watch(annotate(asked.pipeline, data), len(data), f"{path.stem} served", say))
        garments = [primary(result) for result in results]
        extra = [metrics.measure_alone(file.photos, results)] if file.data_set == OWN_PHOTOS else []
        ways[SERVED] = judge(
            file.photos,
            read_garments(garments, asked.model.spec),
            asked.model,
            measured=True,
            extra=extra,
        )
    return FileResult(path.stem, file.data_set, len(file.photos), file.left_out, ways)


def show(photos: Iterable[LabelledPhoto], size: tuple[int, int]) -> Iterator[Pixels]:
    """Each photo as a whole."""
    for photo in photos:
        image = decode(photo.data)
        yield resize_crop(image, whole(image), size)


def change_photos(
    photos: Sequence[LabelledPhoto], size: tuple[int, int], *, seed: int
) -> Iterator[Pixels]:
    """A changed copy of each; the same for the same seed and order."""
    for index, photo in enumerate(photos):
        image = change_photo(decode(photo.data), np.random.default_rng([seed, index]))
        yield resize_crop(image, whole(image), size)


def turn_photos(photos: Iterable[LabelledPhoto], size: tuple[int, int]) -> Iterator[Pixels]:
    """Each photo as a whole, turned by a quarter: the first to the right, the next to the left."""
    for index, photo in enumerate(photos):
        image = np.ascontiguousarray(np.rot90(decode(photo.data), 1 if index % 2 else -1))
        yield resize_crop(image, whole(image), size)


def judge(
    photos: Sequence[LabelledPhoto],
    answers: Answers,
    model: Model,
    *,
    measured: bool = False,
    extra: Sequence[Metric] = (),
) -> WayResult:
    """Every number that the photos' labels allow. `measured` colours are of the pixels."""
    heads = answers.heads
    found = metrics.measure_category(photos, heads[CATEGORY])
    if any(photo.colour for photo in photos):
        key = "measured colour" if measured else "colour"
        found += metrics.measure_colour(photos, heads[COLOUR], key=key)
    for key, _ in model.spec.attributes:
        floor = model.spec.floors.get(key, 0.0)
        found += metrics.measure_attribute(key, photos, heads[key], floor=floor)
        if key == "pattern":
            found.append(metrics.measure_pattern(photos, heads[key], _PATTERNS))
    if any(photo.benchmark for photo in photos):
        found += metrics.measure_ten(photos, heads[CATEGORY], abstained=answers.abstained)
    if any(photo.likeness[0] for photo in photos):
        found += _search(photos, answers.embedding, model)
    scores = [metric for metric in [*found, *extra] if metric.estimate.count]
    return WayResult(photos, answers, scores, metrics.measure_calibration(photos, answers))


def watch(items: Iterable[T], total: int, what: str, say: Say) -> Iterator[T]:
    """The same items; says now and then how far they are."""
    started = said = time.monotonic()
    for done, item in enumerate(items, start=1):
        now = time.monotonic()
        if now - said > _SAY_SECONDS or done == total:
            pace = done / max(now - started, 1e-9)
            say(f"{what}: {done}/{total} photos, {pace:.0f}/s")
            said = now
        yield item


def _search(photos: Sequence[LabelledPhoto], gallery: Floats, model: Model) -> list[Metric]:
    found = search.measure_likeness(photos, gallery)
    queries = list(search.list_queries(photos))
    texts = read(model, queries)
    if len(texts):
        found = [*search.measure_words(photos, texts, gallery), *found]
    return found
