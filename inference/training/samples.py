"""Photos and their labels from the parquet files, decoded once and kept in memory."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from inference import taxonomy
from inference.preprocess import Pixels, decode

DataSet = Literal["fpi", "clothing", "ccp"]

NONE = -1
"""Index of a label that a photo doesn't have."""
STORED_HEIGHT = 176
"""Larger photos are kept at this height: more than any run's input, with room to crop."""


class UnknownFile(ValueError):
    """A parquet file whose columns are none of the known data sets'."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One photo with head indices; `accepts` are the right answers (several for a coarse label)."""

    image: Pixels
    id: str
    label: str
    accepts: tuple[int, ...]
    colour: int = NONE
    gender: int = NONE
    article: str = ""
    """fpi's own type, which an auxiliary head learns; empty elsewhere."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The usable samples of a file, and how many photos each reason left out."""

    data_set: DataSet
    samples: list[Sample]
    left_out: Counter[str]


def read_samples(path: Path, *, limit: int = 0, shrink: bool = True) -> Reading:
    """Every photo whose label the trained categories can answer, in file order.

    Raises UnknownFile, taxonomy.UnknownLabel, InvalidImage.
    """
    table = pq.read_table(path)
    data_set = recognise(table.schema.names)
    if data_set == "ccp":
        raise UnknownFile(f"{path.name} labels pixels, not photos; it has no category to read.")
    rows: Iterable[dict[str, Any]] = table.slice(0, limit or None).to_pylist()
    left_out: Counter[str] = Counter()
    samples = list(_usable(rows, data_set=data_set, left_out=left_out, shrink=shrink))
    return Reading(data_set, samples, left_out)


def read_columns(path: Path) -> list[str]:
    return list(pq.read_schema(path).names)


def recognise(columns: list[str]) -> DataSet:
    marks: tuple[tuple[DataSet, str], ...] = (
        ("fpi", "article_type"),
        ("clothing", "label"),
        ("ccp", "mask"),
    )
    for name, mark in marks:
        if mark in columns:
            return name
    raise UnknownFile(f"None of the known data sets has the columns {', '.join(columns)}.")


def _usable(
    rows: Iterable[dict[str, Any]], *, data_set: DataSet, left_out: Counter[str], shrink: bool
) -> Iterator[Sample]:
    column = "article_type" if data_set == "fpi" else "label"
    labels = taxonomy.load_labels(data_set)
    for row in rows:
        meaning = labels.meaning(row[column], row.get("display_name") or "")
        accepts = head_indices(meaning.categories)
        if not accepts:
            reason = meaning.ignored_because or "category without enough photos"
            left_out[f"{row[column]}: {reason}"] += 1
            continue
        image = decode(row["image"])
        yield Sample(
            image=_shrink(image) if shrink else image,
            id=str(row["id"]),
            label=row[column],
            accepts=accepts,
            colour=_colour_index(row.get("base_colour")),
            gender=_gender_index(row.get("gender")),
            article=row[column] if data_set == "fpi" else "",
        )


def head_indices(categories: tuple[str, ...]) -> tuple[int, ...]:
    """Indices into the head; categories that the model doesn't answer fall away."""
    order = taxonomy.load().label_order
    return tuple(sorted(order.index(name) for name in categories if name in order))


def accepts_matrix(samples: list[Sample]) -> NDArray[np.bool_]:
    """(N, labels): which answers are right."""
    matrix = np.zeros((len(samples), len(taxonomy.load().label_order)), dtype=np.bool_)
    for row, sample in enumerate(samples):
        matrix[row, list(sample.accepts)] = True
    return matrix


def _colour_index(label: str | None) -> int:
    families = [family.name for family in taxonomy.load().colour_families]
    return _index(taxonomy.load_colour_labels(), label, families)


def _gender_index(label: str | None) -> int:
    genders = [gender.name for gender in taxonomy.load().genders]
    return _index(taxonomy.load_gender_labels(), label, genders)


def _index(labels: taxonomy.LabelMap, label: str | None, order: list[str]) -> int:
    if not label:
        return NONE
    categories = labels.meaning(label).categories
    return order.index(categories[0]) if categories else NONE


def _shrink(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    if height <= STORED_HEIGHT:
        return image
    size = (max(1, round(width * STORED_HEIGHT / height)), STORED_HEIGHT)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
