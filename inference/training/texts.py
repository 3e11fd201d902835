"""All texts of the training photos, encoded once, and which of them fit which photo."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inference.training.samples import NONE, Sample
from inference.words import encode_words

Rows = NDArray[np.int64]

_NAME_SHARE = 0.5


class Texts:
    def __init__(self, samples: Sequence[Sample]) -> None:
        rows: dict[str, int] = {}
        meanings: dict[str, int] = {}
        self._own = [
            tuple(rows.setdefault(text, len(rows)) for text in _list_texts(sample))
            for sample in samples
        ]
        self._named = np.array([bool(sample.name) for sample in samples])
        self._meaning = np.array([_find_meaning(sample, meanings) for sample in samples])
        self._said = np.full(len(rows), NONE)
        for sample, meaning in zip(samples, self._meaning, strict=True):
            self._said[[rows[text] for text in sample.descriptions]] = meaning
        self._ids, self._weights = encode_words(list(rows))

    def __len__(self) -> int:
        return len(self._said)

    def choose(self, photo: int, rng: np.random.Generator) -> int:
        """One of the photo's texts, its own name most of the time; NONE if it has none."""
        own = self._own[photo]
        if not own:
            return NONE
        if self._named[photo] and rng.random() < _NAME_SHARE:
            return own[0]
        return own[int(rng.integers(len(own)))]

    def encode(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """As `encode_words` does."""
        width = max(1, int((self._weights[rows] != 0).sum(axis=1).max(initial=0)))
        return self._ids[rows, :width], self._weights[rows, :width]

    def fit(self, photos: Rows, own: Rows, rows: Rows) -> NDArray[np.bool_]:
        """(photos, rows): which texts fit a photo as well as its `own`.

        Those that are equal, and every description of what it shows, in either language.
        """
        equal = own[:, None] == rows[None, :]
        means = self._meaning[photos][:, None]
        return np.asarray(equal | ((means == self._said[rows][None, :]) & (means != NONE)))


def _list_texts(sample: Sample) -> tuple[str, ...]:
    return (sample.name, *sample.descriptions) if sample.name else sample.descriptions


def _find_meaning(sample: Sample, meanings: dict[str, int]) -> int:
    """A number for what the photo shows, in the plainest words."""
    if not sample.descriptions:
        return NONE
    return meanings.setdefault(sample.descriptions[0], len(meanings))
