"""Which photos a training step sees: a function of seed, epoch and step, so that runs resume."""

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference import taxonomy
from inference.preprocess import Pixels
from inference.training.augment import augment
from inference.training.samples import NONE, Sample, accepts_matrix
from inference.words import encode_words

_RARE = 300
"""Categories with fewer photos are shown more often, up to `_MOST_REPEATS` times."""
_MOST_REPEATS = 3.0
_NAME_SHARE = 0.5

Sizes = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Batch:
    images: Tensor
    """uint8 (N, 3, H, W), channels last in memory."""
    accepts: Tensor
    """bool (N, labels)."""
    plain: Tensor
    colour: Tensor
    article: Tensor
    """int64 (N,), -1 where the photo has no such label."""
    attributes: Tensor
    """int64 (N, keys), -1 where nothing is said."""
    described: Tensor
    """int64 (M,): which of the photos have a text."""
    words: Tensor
    weights: Tensor
    """(M, T): their texts, as `encode_words` gives them."""
    same: Tensor
    """bool (M, M): whose texts are equal."""


class TrainingSet:
    def __init__(
        self,
        samples: list[Sample],
        *,
        repeats: list[float],
        articles: list[str],
        backgrounds: list[Pixels],
        seed: int,
    ) -> None:
        self._samples = samples
        self._repeats = np.array(repeats) * _rarity(samples)
        self._backgrounds = backgrounds
        self._seed = seed
        self._accepts = accepts_matrix(samples)
        self._plain = np.array([s.plain for s in samples])
        self._colour = np.array([s.colour for s in samples])
        keys = len(taxonomy.load().attribute_order)
        self._attributes = np.array([s.attributes or (NONE,) * keys for s in samples])
        index = {article: i for i, article in enumerate(articles)}
        self._article = np.array([index.get(s.article, NONE) for s in samples])

    def steps(self, *, batch_size: int) -> int:
        """Full batches in an epoch; the same for every epoch."""
        return int(self._repeats.sum()) // batch_size

    def batches(
        self, *, epoch: int, sizes: Sizes, batch_size: int, first: int = 0
    ) -> Iterator[Batch]:
        """The epoch's batches from step `first` on; each is made while the one before is used."""
        order = self._order(epoch)
        last = self.steps(batch_size=batch_size)

        def make(step: int) -> Batch:
            rng = np.random.default_rng([self._seed, epoch, step])
            size = sizes[int(rng.integers(len(sizes)))]
            return self._batch(order[step * batch_size : (step + 1) * batch_size], size, rng)

        with ThreadPoolExecutor(max_workers=1) as pool:
            ahead = deque(pool.submit(make, step) for step in range(first, min(first + 2, last)))
            for step in range(first, last):
                batch = ahead.popleft().result()
                if step + 2 < last:
                    ahead.append(pool.submit(make, step + 2))
                yield batch

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Each sample as often as its repeats say; a fraction is the chance of one more."""
        rng = np.random.default_rng([self._seed, epoch])
        total = int(self._repeats.sum())
        # Systematic sampling: exact numbers on average and exactly `total` of them.
        edges = np.cumsum(self._repeats)
        points = (np.arange(total) + rng.random()) * (edges[-1] / total)
        chosen = np.searchsorted(edges, points, side="right").clip(max=len(edges) - 1)
        return np.asarray(rng.permutation(chosen), dtype=np.int64)

    def _batch(
        self, chosen: NDArray[np.int64], size: tuple[int, int], rng: np.random.Generator
    ) -> Batch:
        views = [
            augment(self._samples[i].image, size=size, backgrounds=self._backgrounds, rng=rng)
            for i in chosen
        ]
        texts = [_choose_text(self._samples[i].texts, rng) for i in chosen]
        described = [place for place, text in enumerate(texts) if text]
        said = [texts[place] for place in described]
        words, weights = encode_words(said)
        written = np.array(said, dtype=object)
        return Batch(
            images=torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2),
            accepts=torch.from_numpy(self._accepts[chosen]),
            plain=torch.from_numpy(self._plain[chosen]),
            colour=torch.from_numpy(self._colour[chosen]),
            article=torch.from_numpy(self._article[chosen]),
            attributes=torch.from_numpy(self._attributes[chosen]),
            described=torch.tensor(described, dtype=torch.int64),
            words=torch.from_numpy(words),
            weights=torch.from_numpy(weights),
            same=torch.from_numpy((written[:, None] == written[None, :]).astype(np.bool_)),
        )


def _choose_text(texts: tuple[str, ...], rng: np.random.Generator) -> str:
    """The product's own name most of the time."""
    if not texts:
        return ""
    return texts[0] if rng.random() < _NAME_SHARE else texts[int(rng.integers(len(texts)))]


def _rarity(samples: list[Sample]) -> NDArray[np.float64]:
    """√(300 / photos of the category) where that is more than one."""
    counts = Counter(sample.accepts for sample in samples)
    repeats = np.array([(_RARE / counts[sample.accepts]) ** 0.5 for sample in samples])
    return repeats.clip(1.0, _MOST_REPEATS)
