"""The Mallzee taxonomy, 23 classes, 20 patterns, 90 styles, and other taxonomies in it."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

from inference import taxonomy
from inference.contract import ObjectType

Key = Literal["pattern", "style"]

_FILE = Path(__file__).parent.parent / "data" / "mallzee.toml"

CLASSES: dict[ObjectType, tuple[str, ...]] = {
    "upper-body": (
        *("shirts", "formal jackets", "t-shirts", "hoodies", "tanks", "camis", "sweaters"),
        *("cardigans", "blouses", "coats & jackets", "shawls & capes & ponchos"),
    ),
    "lower-body": ("shorts", "skirts", "jeans", "trousers"),
    "full-body": ("dresses", "jumpsuits", "playsuits"),
    "footwear": ("trainers", "boots", "flats", "sandals", "heels"),
}
"""Object → its classes."""
OBJECTS = tuple(CLASSES)
NAMES = tuple(name for names in CLASSES.values() for name in names)
KEYS: tuple[Key, ...] = ("pattern", "style")


def list_labels(key: Key) -> tuple[str, ...]:
    """Its values. A style's word can mean two things, which the class tells apart: "boyfriend"
    jeans and t-shirts."""
    values = taxonomy.load().attribute(key).values
    return tuple(dict.fromkeys(value.etryon for value in values if value.etryon))


def remap(category: str) -> str | None:
    """DeepFashion's category → its class; None where there is none."""
    return _read()["deepfashion"].get(category)


def from_kalas(category: str) -> str | None:
    """kalas-1's category → its class; None where there is none."""
    own = taxonomy.load().category(category).etryon
    return own or _read()["kalas-1"].get(category)


@cache
def to_kalas(name: str) -> str:
    """The class as kalas-1's category. Raises KeyError."""
    return {c.etryon: c.name for c in taxonomy.load().categories if c.etryon}[name]


@cache
def find_object(name: str) -> ObjectType:
    """Of the class. Raises KeyError."""
    return {n: kind for kind, names in CLASSES.items() for n in names}[name]


def word_from_kalas(key: Key, value: str) -> str | None:
    """kalas-1's value of the key in the taxonomy's word; None where there is none."""
    return taxonomy.load().attribute(key).value(value).etryon or None


@cache
def word_to_kalas(key: Key, word: str, name: str) -> str | None:
    """The word's meaning in kalas-1 on a garment of the class; None where it makes no sense."""
    known = taxonomy.load()
    for value in known.attribute(key).values:
        if value.etryon == word and (not name or known.applies(key, value.name, to_kalas(name))):
            return value.name
    return None


@cache
def _read() -> dict[str, dict[str, str]]:
    return tomllib.loads(_FILE.read_text())
