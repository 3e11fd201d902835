"""Which photos a training step sees: a function of seed, epoch and step, so that runs resume."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference import taxonomy
from inference.preprocess import Pixels
from inference.training.augment import augment
from inference.training.config import Changes
from inference.training.loading import steps_ahead
from inference.training.samples import NONE, Sample, accepts_matrix
from inference.training.texts import Rows, Texts

_RARE = 300
"""Categories with fewer photos are shown more often, up to `_MOST_REPEATS` times."""
_MOST_REPEATS = 3.0
_RUN = 8
"""Photos of one article type that stand together in half of each batch, so that contrast has to
look at more than the type."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a step shows."""

    size: tuple[int, int]
    batch_size: int
    """Different photos."""
    twice: int
    """Of them those that are shown in a second view, after all others."""
    bank: int
    """Texts of other photos."""
    changes: Changes


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
    """int64 (M,): which of the images have a text."""
    words: Tensor
    weights: Tensor
    """(M + bank, T): their texts and others, as `encode_words` gives them."""
    fits: Tensor
    """bool (M, M + bank): which of the texts are right for which of those images."""
    photos: Tensor
    """int64 (N,): which photo each image is a view of."""
    kin: Tensor
    """int64 (N,): equal where type and colour are, -1 where one of them isn't known."""


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
        self._kind = np.unique([s.article or s.label for s in samples], return_inverse=True)[1]
        self._kin = np.unique([" ".join(s.likeness) for s in samples], return_inverse=True)[1]
        self._kin[[not all(sample.likeness) for sample in samples]] = NONE
        self._texts = Texts(samples)

    def count_attributes(self) -> NDArray[np.float64]:
        """(A,): how many photos have each value, in the taxonomy's attribute order."""
        counts = [
            np.bincount(self._attributes[:, key][self._attributes[:, key] >= 0], minlength=len(v))
            for key, (_, v) in enumerate(taxonomy.load().attribute_order)
        ]
        return np.concatenate(counts).astype(np.float64)

    def steps(self, *, batch_size: int) -> int:
        """Full batches in an epoch; the same for every epoch."""
        return int(self._repeats.sum()) // batch_size

    def batches(
        self, plan: Plan, *, epochs: int, first: int = 0, workers: int = 0
    ) -> Iterator[Batch]:
        """All epochs' batches from step `first` of all on; the next ones are made meanwhile."""
        steps = self.steps(batch_size=plan.batch_size)
        order = lru_cache(maxsize=1)(self._order)

        def make(done: int) -> Batch:
            epoch, step = divmod(done, steps)
            rng = np.random.default_rng([self._seed, epoch, step])
            chosen = order(epoch, plan.batch_size)[step * plan.batch_size :][: plan.batch_size]
            return self._batch(chosen, plan, rng)

        return steps_ahead(make, first=first, last=epochs * steps, workers=workers)

    def _order(self, epoch: int, batch_size: int) -> Rows:
        """Each sample as often as its repeats say; a fraction is the chance of one more.

        The first half of each batch are runs of one article type.
        """
        rng = np.random.default_rng([self._seed, epoch])
        total = int(self._repeats.sum())
        # Systematic sampling: exact numbers on average and exactly `total` of them.
        edges = np.cumsum(self._repeats)
        points = (np.arange(total) + rng.random()) * (edges[-1] / total)
        chosen = rng.permutation(
            np.searchsorted(edges, points, side="right").clip(max=len(edges) - 1)
        )
        steps, half = total // batch_size, batch_size // 2 // _RUN * _RUN
        alike, mixed = chosen[: steps * half], chosen[steps * half :]
        alike = alike[np.argsort(self._kind[alike], kind="stable")].reshape(-1, _RUN)
        alike = rng.permutation(alike).reshape(steps, half)
        mixed = mixed[: steps * (batch_size - half)].reshape(steps, batch_size - half)
        return np.hstack([alike, mixed]).ravel()

    def _batch(self, chosen: Rows, plan: Plan, rng: np.random.Generator) -> Batch:
        # Every other one: of the runs of one type as of the rest.
        chosen = np.concatenate([chosen, chosen[:: plan.batch_size // plan.twice][: plan.twice]])
        views = [
            augment(
                self._samples[photo].image,
                size=plan.size,
                changes=plan.changes,
                backgrounds=self._backgrounds,
                rng=rng,
                again=place >= plan.batch_size,
            )
            for place, photo in enumerate(chosen)
        ]
        own = np.array([self._texts.choose(photo, rng) for photo in chosen])
        described = np.flatnonzero(own != NONE)
        bank = rng.integers(len(self._texts), size=plan.bank)
        rows = np.concatenate([own[described], bank])
        words, weights = self._texts.encode(rows)
        true_colours = np.array([view.true_colours for view in views])
        return Batch(
            images=torch.from_numpy(np.stack([v.pixels for v in views])).permute(0, 3, 1, 2),
            accepts=torch.from_numpy(self._accepts[chosen]),
            plain=torch.from_numpy(self._plain[chosen]),
            colour=torch.from_numpy(np.where(true_colours, self._colour[chosen], NONE)),
            article=torch.from_numpy(self._article[chosen]),
            attributes=torch.from_numpy(self._attributes[chosen]),
            described=torch.from_numpy(described),
            words=torch.from_numpy(words),
            weights=torch.from_numpy(weights),
            fits=torch.from_numpy(self._texts.fit(chosen[described], own[described], rows)),
            photos=torch.from_numpy(chosen),
            kin=torch.from_numpy(self._kin[chosen]),
        )


def _rarity(samples: list[Sample]) -> NDArray[np.float64]:
    """√(300 / photos of the category) where that is more than one; of several the commonest's."""
    counts = Counter(category for sample in samples for category in sample.accepts)
    most = np.array([max(counts[category] for category in s.accepts) for s in samples])
    return np.sqrt(_RARE / most).clip(1.0, _MOST_REPEATS)
