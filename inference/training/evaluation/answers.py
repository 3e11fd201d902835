"""What a model said about photos, by names: the same shape however it was asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.training.measure import Bools, Counts, Doubles, Floats

CATEGORY, COLOUR = "category", "colour"
"""Names of two heads; the others have the names of their attribute keys."""
NOTHING = ""


@dataclass(frozen=True, slots=True)
class Head:
    values: tuple[str, ...]
    probabilities: Floats
    """(N, len(values)); zeros for what was not said, a row of them where nothing was."""

    @property
    def best(self) -> Counts:
        """(N,) index of the likeliest value, -1 where nothing was said."""
        said = self.probabilities.argmax(axis=1)
        return np.where(self.confidence > 0, said, -1)

    @property
    def confidence(self) -> Doubles:
        return np.asarray(self.probabilities.max(axis=1, initial=0), dtype=np.float64)

    @property
    def logits(self) -> Floats:
        """As good as the network's own: its logits but for a constant in each row."""
        return np.log(np.maximum(self.probabilities, 1e-12))

    def say(self) -> list[str]:
        return [self.values[i] if i >= 0 else NOTHING for i in self.best]

    def mark(self, names: Sequence[tuple[str, ...]]) -> Bools:
        """(N, len(values)): which answers each photo's right names are; others are unknown here."""
        index = {value: i for i, value in enumerate(self.values)}
        marks = np.zeros(self.probabilities.shape, dtype=np.bool_)
        for row, right in enumerate(names):
            marks[row, [index[name] for name in right if name in index]] = True
        return marks


@dataclass(frozen=True, slots=True)
class Answers:
    """About N photos, in their order."""

    heads: Mapping[str, Head]
    embedding: Floats
    """(N, d), L2-normalised; zeros where there is none."""
    abstained: Bools
    """(N,): where "no garment" was said without saying how sure that is."""
    unsure: frozenset[str] = frozenset()
    """Heads whose numbers are no probabilities."""
