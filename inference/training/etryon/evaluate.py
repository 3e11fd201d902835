"""Any model on the same photos, in the Mallzee taxonomy: kalas-mini, MMFashion's and eTryOn's.

Each answer is asked for as it is served. A model that cannot be asked something has no table there.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from inference import ancestors, families
from inference.ancestors import Kind
from inference.contract import AnnotationResult, Garment
from inference.etryon import mallzee, metrics
from inference.etryon.heuristics import Found
from inference.etryon.mallzee import Key
from inference.etryon.report import FORMAT
from inference.etryon.stages import Stages
from inference.preprocess import decode, whole
from inference.request import Photo as Asked
from inference.training.etryon import photos
from inference.training.etryon.photos import Photo, is_whole

Say = Callable[[str], None]

_STAGES: tuple[Kind, ...] = ("detector", "category", "attributes")
_NOTHING = "none"
"""The class of a photo in which nothing was found."""


class Answerer(Protocol):
    name: str
    stages: tuple[Kind, ...]

    def find(self, photo: Photo) -> list[Found]: ...

    def rank(self, photo: Photo) -> Mapping[str, float]:
        """Classes with their probabilities; all others have none."""
        ...

    def describe(self, photo: Photo) -> Mapping[Key, str]: ...


def evaluate(answerer: Answerer, files: Sequence[Path], *, limit: int, say: Say) -> dict[str, Any]:
    """limit: of the photos of each stage in each file. Raises BadData, InvalidImage."""
    results = []
    for path in files:
        shown = photos.read(path, split="val")
        result: dict[str, Any] = {"name": path.name}
        for kind in answerer.stages:
            some = photos.choose(shown, kind, limit=limit)
            if kind == "detector":
                some = [p for p in some if p.garments]
            if not some:
                continue
            say(f"{path.name}: {kind}, {len(some)} photos")
            key = "detection" if kind == "detector" else kind
            result[key] = {"photos": len(some), **_MEASURES[kind](answerer, some)}
        results.append(result)
    return {"format": FORMAT, "model": answerer.name, "taxonomy": "mallzee", "files": results}


def open_answerer(choice: str, *, store: Path, cache: Path) -> Answerer:
    """Raises UnknownModel, BadWeights."""
    if ancestors.find(choice, store=store) == "etryon":
        return _ByStages(Stages(choice, store=store))
    return _Served(families.load(choice, device="cpu", cache=cache, store=store))


class _ByStages:
    """Each stage by itself, the detector without its floor, as COCO's numbers want it."""

    def __init__(self, stages: Stages) -> None:
        self._stages, self.name = stages, " + ".join(spec.choice for spec in stages.specs)
        self.stages: tuple[Kind, ...] = tuple(k for k in _STAGES if k in stages.stages)

    def find(self, photo: Photo) -> list[Found]:
        return self._stages.detect(decode(photo.data))

    def rank(self, photo: Photo) -> Mapping[str, float]:
        image = decode(photo.data)
        [classes] = self._stages.name(image, [photo.box or whole(image)])
        return classes

    def describe(self, photo: Photo) -> Mapping[Key, str]:
        image = decode(photo.data)
        [seen] = self._stages.see(image, photo.box or whole(image))
        return seen.said


class _Served:
    """What a product gets: what is sure enough to be said."""

    def __init__(self, pipeline: families.AnyPipeline) -> None:
        self._pipeline = pipeline
        self.name = f"{pipeline.model.name}@{pipeline.model.version}"
        self.stages = _STAGES

    def find(self, photo: Photo) -> list[Found]:
        return [
            Found(g.object, g.confidence, g.box)
            for g in self._ask(photo)
            if g.object in mallzee.OBJECTS
        ]

    def rank(self, photo: Photo) -> Mapping[str, float]:
        ranked: defaultdict[str, float] = defaultdict(float)
        for garment in self._ask(photo)[:1]:
            category = garment.category
            for name, share in (
                (category.name, category.confidence),
                *((other.name, other.confidence) for other in category.alternatives),
            ):
                ranked[mallzee.from_kalas(name) or _NOTHING] += share
        return ranked

    def describe(self, photo: Photo) -> Mapping[Key, str]:
        said: dict[Key, str] = {}
        for garment in self._ask(photo)[:1]:
            for label in garment.attributes:
                for key in mallzee.KEYS:
                    word = mallzee.word_from_kalas(key, label.name) if label.key == key else None
                    if word:
                        said[key] = word
        return said

    def _ask(self, photo: Photo) -> list[Garment]:
        """The primary one first."""
        [outcome] = self._pipeline.annotate([Asked(photo.data, photo.box)])
        if not isinstance(outcome, AnnotationResult):
            raise outcome
        return sorted(outcome.garments, key=lambda g: not g.primary)


def _measure_detection(answerer: Answerer, some: Sequence[Photo]) -> dict[str, Any]:
    """Over all objects and each alone, garments that the photo's edge cuts left out."""
    found, wanted = [], []
    for number, photo in enumerate(some):
        height, width = decode(photo.data).shape[:2]
        found += [
            metrics.Found(number, f.box, mallzee.OBJECTS.index(f.object), f.confidence)
            for f in answerer.find(photo)
            if is_whole(f.box, width, height)
        ]
        wanted += [metrics.Truth(number, g.box, g.object) for g in photo.garments or ()]
    objects: dict[str, Any] = {}
    for index, kind in enumerate((*mallzee.OBJECTS, "all")):
        there = [w for w in wanted if kind in {"all", mallzee.OBJECTS[w.kind]}]
        if not there:
            continue
        said = [f for f in found if kind == "all" or f.kind == index]
        measured = metrics.measure_detection(said, there, photos=len(some))
        names = ("AP", "AP50", "AP75", "AR@1", "AR@10", "AR@100")
        objects[kind] = {"garments": len(there), **dict(zip(names, astuple(measured), strict=True))}
    return {"objects": objects}


def _measure_categories(answerer: Answerer, some: Sequence[Photo]) -> dict[str, Any]:
    ranked = [answerer.rank(photo) for photo in some]
    scores = np.array([[said.get(name, 0.0) for name in mallzee.NAMES] for said in ranked])
    truth = np.array([mallzee.NAMES.index(photo.category) for photo in some])
    confusion: dict[str, Counter[str]] = {}
    for photo, said in zip(some, ranked, strict=True):
        best = max(said, key=lambda name: said[name]) if said else _NOTHING
        confusion.setdefault(photo.category, Counter())[best] += 1
    # Of classes without any probability none is among the best.
    scores[scores == 0] = -np.inf
    given = np.take_along_axis(scores, truth[:, None], 1)[:, 0] > -np.inf
    right = sum(confusion[name][name] for name in confusion)
    return {
        "accuracy": right / len(some),
        **{f"top-{k}": _top(scores, truth, given, k) for k in (3, 5)},
        "confusion": {name: dict(said) for name, said in confusion.items()},
    }


def _top(scores: metrics.Floats, truth: Any, given: metrics.Bools, k: int) -> float:
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float(((best == truth[:, None]).any(1) & given).mean())


@dataclass(frozen=True, slots=True)
class _Label:
    key: Key
    word: str


def _measure_attributes(answerer: Answerer, some: Sequence[Photo]) -> dict[str, Any]:
    """Over the keys of which a photo's words tell something."""
    answers = [answerer.describe(photo) for photo in some]
    labels = [_Label(key, word) for key in mallzee.KEYS for word in mallzee.list_labels(key)]
    known = [dict(photo.attributes) for photo in some]
    truth = np.array([[said.get(lb.key) == lb.word for lb in labels] for said in known])
    said = np.array(
        [
            [lb.key in told and answer.get(lb.key) == lb.word for lb in labels]
            for answer, told in zip(answers, known, strict=True)
        ]
    )
    measured = metrics.measure_labels(said, truth)
    hits = (said & truth).sum(0)
    return {
        "exact match": measured.exact_match,
        "binary accuracy": measured.binary_accuracy,
        "F1 micro": measured.f1_micro,
        "F1 macro": measured.f1_macro,
        "meanIR": metrics.measure_mean_ir(truth),
        "SCUMBLE": metrics.measure_scumble(truth),
        "labels": {
            f"{label.key}: {label.word}": (
                int(truth[:, i].sum()),
                float(hits[i] / max(said[:, i].sum(), 1)),
                float(hits[i] / truth[:, i].sum()),
            )
            for i, label in enumerate(labels)
            if truth[:, i].any()
        },
    }


_MEASURES: dict[Kind, Callable[[Answerer, Sequence[Photo]], dict[str, Any]]] = {
    "detector": _measure_detection,
    "category": _measure_categories,
    "attributes": _measure_attributes,
}


def write(content: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
