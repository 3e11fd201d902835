"""DeepFashion's names in Kalas' words."""

import tomllib
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from inference.contract import Alternative, Category, Label

_FILE = Path(__file__).parent.parent / "data" / "deepfashion.toml"
_SURE = 0.5
"""Probability from which an attribute is said."""
_SHOWN = 4
"""Alternatives beside the likeliest category."""


def translate_categories(probabilities: Mapping[str, float]) -> Category:
    """DeepFashion's categories with probabilities that sum to 1 → kalas-1's.

    What several of them mean gets their sum. Raises ValueError where none has a meaning.
    """
    meant: dict[str, float] = defaultdict(float)
    for name, probability in probabilities.items():
        if name in _read()["categories"]:
            meant[_read()["categories"][name]] += probability
    if not meant:
        raise ValueError("None of these categories is DeepFashion's.")
    ranked = sorted(meant.items(), key=lambda item: -item[1])
    rest = tuple(Alternative(name, round(p, 4)) for name, p in ranked[1 : 1 + _SHOWN])
    return Category(ranked[0][0], round(min(ranked[0][1], 1.0), 4), rest)


def mean_category(name: str) -> str:
    """kalas-1's category; "" for a name that is none of DeepFashion's."""
    found: str = _read()["categories"].get(name, "")
    return found


def translate_attributes(
    probabilities: Mapping[str, float], *, likeliest: str = ""
) -> tuple[Label, ...]:
    """The surest value of each key, where it is said at all; the category may tell the style."""
    best: dict[str, Label] = {}
    for name, probability in probabilities.items():
        meaning = _read()["attributes"].get(name)
        if meaning is None or probability < _SURE:
            continue
        key, value = meaning
        if key not in best or best[key].confidence < probability:
            best[key] = Label(key, value, round(probability, 4))
    style = _read()["styles"].get(likeliest)
    labels = list(best.values())
    return (*labels, Label("style", style, _SURE)) if style else tuple(labels)


@cache
def _read() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text())
