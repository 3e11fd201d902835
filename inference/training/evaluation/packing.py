"""One score per photo as JSON: a letter each where all are 0 or 1, else a list."""

import numpy as np

from inference.training.measure import Doubles

Packed = str | list[float | None]

_NOT_COUNTED = "-"


def pack(scores: Doubles) -> Packed:
    """NaN, a photo that doesn't count, becomes "-" or null."""
    known = scores[~np.isnan(scores)]
    if np.isin(known, (0.0, 1.0)).all():
        return "".join(_NOT_COUNTED if np.isnan(s) else str(int(s)) for s in scores)
    return [None if np.isnan(s) else round(float(s), 4) for s in scores]


def unpack(packed: Packed) -> Doubles:
    if isinstance(packed, str):
        return np.array([np.nan if c == _NOT_COUNTED else float(c) for c in packed])
    return np.array([np.nan if s is None else s for s in packed], dtype=np.float64)
