"""Photos and their labels from the parquet files, decoded once and kept in memory."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from inference import taxonomy
from inference.contract import Box
from inference.preprocess import Pixels, decode, whole
from inference.scenes import with_margin
from inference.training import names
from inference.training.loading import spread
from inference.training.outfits import garments_of, read_mask

DataSet = Literal["fpi", "clothing", "ccp"]

NONE = -1
"""Index of a label that a photo doesn't have."""
_LANGUAGES: tuple[Literal["en", "tr"], ...] = ("en", "tr")
_UNSEEN = ("season", "occasion")
"""Keys that nearly every product has and few people search by."""
_SHELVES = ("Pants", "Shoes", "shoes", "loafers", "sneakers", "intimate")
_PART = 500
"""Rows that are read in one go."""
SMALLEST_CUT = 12
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
    plain: int = NONE
    """Of several right answers the one that the label says by itself, if it says one."""
    colour: int = NONE
    attributes: tuple[int, ...] = ()
    """For each key of the taxonomy's attribute order the value's index, NONE where none is said;
    empty where nothing is said at all."""
    article: str = ""
    """fpi's own type, which an auxiliary head learns; empty elsewhere."""
    likeness: tuple[str, str] = ("", "")
    """fpi's own type and colour: photos that share them are alike."""
    name: str = ""
    """The product's, without its brand."""
    descriptions: tuple[str, ...] = ()
    """Ways to say what the photo shows; the first in the plainest English."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The usable samples of a file, and how many photos each reason left out."""

    data_set: DataSet
    samples: list[Sample]
    left_out: Counter[str]


def read_samples(path: Path, *, limit: int = 0, shrink: bool = True, workers: int = 0) -> Reading:
    """Every photo whose label the trained categories can answer, in file order.

    With `workers`, that many processes read.
    Raises UnknownFile, taxonomy.UnknownLabel, InvalidImage.
    """
    table = pq.read_table(path)
    data_set = recognise(table.schema.names)
    if data_set == "ccp":
        raise UnknownFile(f"{path.name} labels pixels, not photos; it has no category to read.")
    parts = table.slice(0, limit or None).to_batches(max_chunksize=_PART)
    read = partial(_read_rows, data_set=data_set, shrink=shrink)
    reading = Reading(data_set, [], Counter())
    for samples, left_out in spread(read, [part.to_pylist() for part in parts], workers=workers):
        reading.samples.extend(samples)
        reading.left_out.update(left_out)
    return reading


def _read_rows(
    rows: list[dict[str, Any]], *, data_set: DataSet, shrink: bool
) -> tuple[list[Sample], Counter[str]]:
    left_out: Counter[str] = Counter()
    return list(_usable(rows, data_set=data_set, left_out=left_out, shrink=shrink)), left_out


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
            image=fit_height(image) if shrink else image,
            id=str(row["id"]),
            label=row[column],
            accepts=accepts,
            plain=_plain_index(row[column], meaning.categories),
            colour=_colour_index(row.get("base_colour")),
            attributes=attribute_indices(names.mine(data_set, row)),
            article=row[column] if data_set == "fpi" else "",
            likeness=(row[column], row["base_colour"] or "") if data_set == "fpi" else ("", ""),
            name=_name(row, meaning.categories),
            descriptions=_describe(data_set, row, meaning.categories),
        )


def read_outfits(path: Path, *, limit: int = 0) -> list[Sample]:
    """Each garment of a ccp file's masked photos, cut out with a little of what is around it."""
    labels = taxonomy.load_labels("ccp")
    samples: list[Sample] = []
    for row in pq.read_table(path).slice(0, limit or None).to_pylist():
        if row["mask"] is None:
            continue
        image = decode(row["image"])
        height, width = image.shape[:2]
        for garment in garments_of(read_mask(row["mask"]), width, height):
            categories = labels.meaning(garment.label).categories
            accepts = head_indices(categories)
            if not accepts or min(garment.box.width, garment.box.height) < SMALLEST_CUT:
                continue
            said = {"label": garment.label}
            samples.append(
                Sample(
                    image=fit_height(_cut(image, with_margin(garment.box, whole(image)))),
                    id=f"{row['id']}-{len(samples)}",
                    label=garment.label,
                    accepts=accepts,
                    plain=_plain_index(garment.label, categories),
                    attributes=attribute_indices(names.mine("ccp", said)),
                    descriptions=_describe("ccp", said, categories),
                )
            )
    return samples


def attribute_indices(said: dict[str, str]) -> tuple[int, ...]:
    """Of each key's value in the taxonomy's attribute order; NONE where nothing trained is said."""
    return tuple(
        values.index(said[key]) if said.get(key) in values else NONE
        for key, values in taxonomy.load().attribute_order
    )


def _name(row: dict[str, Any], categories: tuple[str, ...]) -> str:
    if not categories or categories[0] == taxonomy.load().abstention:
        return ""
    return names.query(row.get("display_name") or "")


def _describe(
    data_set: DataSet, row: dict[str, Any], categories: tuple[str, ...]
) -> tuple[str, ...]:
    """The photo's labels in words of each language, plain and with synonyms."""
    if not categories or categories[0] == taxonomy.load().abstention:
        return ()
    if len(categories) > 1 and data_set != "fpi":
        return ()
    said = {k: v for k, v in names.mine(data_set, row).items() if k not in _UNSEEN}
    colour = names.colour_of(row)
    choose = random.Random(str(row.get("display_name")))
    return tuple(
        names.describe(categories[0], colour, said, language, choose=synonyms)
        for language in _LANGUAGES
        for synonyms in (None, choose)
    )


def head_indices(categories: tuple[str, ...]) -> tuple[int, ...]:
    """Indices into the head; categories that the model doesn't answer fall away."""
    order = taxonomy.load().label_order
    return tuple(sorted(order.index(name) for name in categories if name in order))


def _plain_index(label: str, categories: tuple[str, ...]) -> int:
    """The first of a list, except where the label is a whole shelf's."""
    order = taxonomy.load().label_order
    if label in _SHELVES or not categories or categories[0] not in order:
        return NONE
    return order.index(categories[0])


def accepts_matrix(samples: list[Sample]) -> NDArray[np.bool_]:
    """(N, labels): which answers are right."""
    matrix = np.zeros((len(samples), len(taxonomy.load().label_order)), dtype=np.bool_)
    for row, sample in enumerate(samples):
        matrix[row, list(sample.accepts)] = True
    return matrix


def _colour_index(label: str | None) -> int:
    families = [family.name for family in taxonomy.load().colour_families]
    return _index(taxonomy.load_colour_labels(), label, families)


def _index(labels: taxonomy.LabelMap, label: str | None, order: list[str]) -> int:
    if not label:
        return NONE
    categories = labels.meaning(label).categories
    return order.index(categories[0]) if categories else NONE


def fit_height(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    if height <= STORED_HEIGHT:
        return image
    size = (max(1, round(width * STORED_HEIGHT / height)), STORED_HEIGHT)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _cut(image: Pixels, box: Box) -> Pixels:
    """Of which the whole is seen as serving's `crop_alone` sees the box."""
    return image[box.top : box.bottom, box.left : box.right]
