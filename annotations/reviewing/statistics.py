"""Numbers about numbers; no queries."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """`right` of `number`, with the interval that holds the true share in 95 of 100 cases (Wilson
    1927)."""

    number: int
    right: int

    @property
    def value(self) -> float | None:
        return self.right / self.number if self.number else None

    @property
    def low(self) -> float:
        return self._bound(-1)

    @property
    def high(self) -> float:
        return self._bound(1)

    def _bound(self, side: int) -> float:
        n = self.number
        if not n:
            return 0.0 if side < 0 else 1.0
        p, z2 = self.right / n, Z95 * Z95
        middle = p + z2 / (2 * n)
        spread = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return min(1.0, max(0.0, (middle + side * spread) / (1 + z2 / n)))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of two who judged the same things without seeing each other."""

    pairs: int
    same: int
    kappa: float | None
    """Cohen 1960: 1 is agreement, 0 what chance would give; None where it is not defined."""


def measure_agreement(pairs: Sequence[tuple[str, str]]) -> Agreement:
    number = len(pairs)
    same = sum(a == b for a, b in pairs)
    if not number:
        return Agreement(0, 0, None)
    firsts, seconds = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(firsts[name] * seconds[name] for name in firsts) / (number * number)
    kappa = None if chance == 1 else (same / number - chance) / (1 - chance)
    return Agreement(number, same, kappa)
