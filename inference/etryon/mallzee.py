"""The Mallzee taxonomy's 23 classes, and DeepFashion's categories in them."""

import tomllib
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent.parent / "data" / "mallzee.toml"

CLASSES: dict[str, tuple[str, ...]] = {
    "upper-body": (
        *("shirts", "formal jackets", "t-shirts", "hoodies", "tanks", "camis", "sweaters"),
        *("cardigans", "blouses", "coats & jackets", "shawls & capes & ponchos"),
    ),
    "lower-body": ("shorts", "skirts", "jeans", "trousers"),
    "full-body": ("dresses", "jumpsuits", "playsuits"),
    "footwear": ("trainers", "boots", "flats", "sandals", "heels"),
}
"""Object → its classes."""


def remap(category: str) -> str | None:
    """DeepFashion's category → its class; None where there is none."""
    return _read().get(category)


@cache
def _read() -> dict[str, str]:
    return tomllib.loads(_FILE.read_text())
