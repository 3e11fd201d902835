"""How often an epoch shows a photo."""

import math
from collections import Counter
from collections.abc import Sequence

from inference.training.config import TrainConfig


def repeat_clothing(config: TrainConfig, labels: Sequence[str]) -> list[float]:
    """Of each photo of `clothing`, whose labels these are."""
    count = Counter(labels)
    frequent = config.clothing_frequent
    return [
        config.clothing_repeats * max(1.0, math.sqrt(frequent / count[label])) for label in labels
    ]
