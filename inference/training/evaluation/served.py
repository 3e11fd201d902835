"""The same questions put to the whole pipeline: encoded bytes in, an annotation out."""

from collections.abc import Iterator, Sequence

import numpy as np

from inference import taxonomy
from inference.contract import Alternative, AnnotationResult, Garment
from inference.networks.garment_net import EMBEDDING_SIZE
from inference.pipeline import Pipeline
from inference.request import Photo
from inference.specs import WeightsSpec
from inference.training.evaluation.answers import CATEGORY, COLOUR, Answers, Head
from inference.training.measure import Floats

_BATCH = 16

Served = Garment | tuple[Alternative, ...]
"""A garment; or that there is none, and what it may be nevertheless."""


def annotate(pipeline: Pipeline, photos: Sequence[bytes]) -> Iterator[AnnotationResult]:
    """One result a photo, in order. Raises what a photo raised."""
    for start in range(0, len(photos), _BATCH):
        for outcome in pipeline.annotate([Photo(data) for data in photos[start : start + _BATCH]]):
            if isinstance(outcome, Exception):
                raise outcome
            yield outcome


def read_garments(garments: Sequence[Served], spec: WeightsSpec) -> Answers:
    """What was said of each garment; none at all is the answer "no garment", before what it may
    be nevertheless.

    The colour is the family of the first that was named.
    """
    rows = len(garments)
    colours = {colour.name: colour.family for colour in taxonomy.load().colours}
    category = _Table(spec.labels, rows)
    colour = _Table(spec.colour_families, rows)
    others = {key: _Table(values, rows) for key, values in spec.attributes}
    embedding = np.zeros((rows, EMBEDDING_SIZE), dtype=np.float32)
    for row, garment in enumerate(garments):
        if not isinstance(garment, Garment):
            category.add(row, taxonomy.load().abstention, 1.0)
            category.add_all(row, garment)
            continue
        category.add(row, garment.category.name, garment.category.confidence)
        category.add_all(row, garment.category.alternatives)
        for label in garment.attributes:
            if label.key in others:
                others[label.key].add(row, label.name, label.confidence)
        for shade in garment.colours[:1]:
            colour.add(row, colours[shade.name], 1.0)
        if garment.embedding:
            embedding[row] = garment.embedding
    heads = {CATEGORY: category.head(), COLOUR: colour.head()}
    return Answers(
        heads | {key: table.head() for key, table in others.items()},
        embedding,
        abstained=np.array([not isinstance(each, Garment) for each in garments], dtype=np.bool_),
        unsure=frozenset({COLOUR}),
    )


def primary(result: AnnotationResult) -> Served:
    garments = sorted(result.garments, key=lambda garment: not garment.primary)
    return garments[0] if garments else result.alternatives


class _Table:
    def __init__(self, values: tuple[str, ...], rows: int) -> None:
        self._values = values
        self._index = {value: i for i, value in enumerate(values)}
        self._scores: Floats = np.zeros((rows, len(values)), dtype=np.float32)

    def add(self, row: int, value: str, score: float) -> None:
        """A value that nobody asks about falls away."""
        if value in self._index:
            self._scores[row, self._index[value]] = score

    def add_all(self, row: int, alternatives: Sequence[Alternative]) -> None:
        for each in alternatives:
            self.add(row, each.name, each.confidence)

    def head(self) -> Head:
        return Head(self._values, self._scores)
