"""What imported networks of eTryOn answer, in which order."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from inference.etryon import mallzee
from inference.mmfashion.names import BadNames

PREFIX = "etryon/"
CONFIGS = tuple(f"{PREFIX}{kind}" for kind in ("detector", "category", "attributes"))
SIZE = 380
"""Side that EfficientNet-B4 looks at."""

ValueOrder = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Answers:
    settings: Mapping[str, Any]
    """Of the network."""
    labels: tuple[str, ...] = ()
    attributes: ValueOrder = ()
    size: tuple[int, int] = (SIZE, SIZE)


def find(config: str, *, labels: Path | None, attributes: Path | None) -> Answers:
    """The files hold a name a line in the order of the network's answers: classes or objects;
    `pattern: striped`, `style: boxy` … Without one it is that of the taxonomy. Raises BadNames."""
    kind = config.removeprefix(PREFIX)
    if kind == "attributes":
        order = _read_attributes(attributes) if attributes else _list_attributes()
        count = sum(len(words) for _, words in order)
        return Answers({"type": kind, "answers": count}, attributes=order)
    known = mallzee.OBJECTS if kind == "detector" else mallzee.NAMES
    named = _read_lines(labels) if labels else known
    if strange := [name for name in named if name not in known]:
        raise BadNames(f"{labels.name if labels else ''}: {strange[0]!r} is none of {known}.")
    if len(set(named)) < len(named):
        raise BadNames(f"{labels.name if labels else ''} names something twice.")
    size = (0, 0) if kind == "detector" else (SIZE, SIZE)
    return Answers({"type": kind, "answers": len(named)}, labels=named, size=size)


def _list_attributes() -> ValueOrder:
    return tuple((key, mallzee.list_labels(key)) for key in mallzee.KEYS)


def _read_attributes(path: Path) -> ValueOrder:
    order: list[tuple[str, list[str]]] = []
    for line in _read_lines(path):
        key, colon, word = (part.strip() for part in line.partition(":"))
        if not colon or not word or key not in get_args(mallzee.Key):
            raise BadNames(f"{path.name}: {line!r} is no `pattern: NAME` or `style: NAME`.")
        if not order or order[-1][0] != key:
            order.append((key, []))
        order[-1][1].append(word)
    keys = [key for key, _ in order]
    if len(set(keys)) < len(keys):
        raise BadNames(f"{path.name}: patterns have to follow each other, and so have styles.")
    return tuple((key, tuple(words)) for key, words in order)


def _read_lines(path: Path) -> tuple[str, ...]:
    try:
        lines = tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise BadNames(f"{path.name} cannot be read.") from error
    if not lines:
        raise BadNames(f"{path.name} is empty.")
    return lines
