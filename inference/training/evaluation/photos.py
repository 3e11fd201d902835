"""Photos of a parquet file with everything that is known to be right about them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as pq

from inference import taxonomy
from inference.contract import InvalidImage
from inference.preprocess import Pixels, decode
from inference.taxonomy import LabelMap, Meaning, UnknownLabel
from inference.training import names
from inference.training.evaluation.kinds import tell_kind
from inference.training.samples import DataSet, UnknownFile, read_columns, recognise


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    id: str
    """With its data set, e.g. "fpi-26960"."""
    data: bytes
    label: str
    kind: str
    """One of `kinds`."""
    accepts: tuple[str, ...]
    """The right categories (several for a coarse label); none where the label says too little."""
    colour: str = ""
    """The base colour's family."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    """The product's, as its shop wrote it."""
    query: str = ""
    """What a person would type who looks for it; from the product's name."""
    likeness: tuple[str, str] = ("", "")
    """The data set's own type and colour, by which two photos are alike."""
    benchmark: str = ""
    """Its class in the ten-class benchmark, and the categories that the class may mean."""
    benchmark_accepts: tuple[str, ...] = ()

    @property
    def shows_garment(self) -> bool:
        return taxonomy.load().abstention not in self.accepts


@dataclass(frozen=True, slots=True)
class PhotoFile:
    name: str
    data_set: DataSet
    photos: list[LabelledPhoto]
    left_out: Counter[str]
    """Label and reason → photos whose category is not counted; they are in the list as well."""


def read_photos(path: Path, *, limit: int = 0) -> PhotoFile:
    """Raises UnknownFile for what is no parquet file or has other columns, OSError."""
    data_set, rows = read_rows(path, limit=limit)
    left_out: Counter[str] = Counter()
    photos = list(_read_all(rows, data_set=data_set, left_out=left_out))
    return PhotoFile(path.stem, data_set, photos, left_out)


def read_rows(path: Path, *, limit: int = 0) -> tuple[DataSet, list[dict[str, Any]]]:
    """Raises UnknownFile, OSError."""
    data_set = recognise_file(path)
    missing = {"id", "image"} - set(read_columns(path))
    if missing:
        raise UnknownFile(f"{path.name} lacks the columns {', '.join(sorted(missing))}.")
    return data_set, pq.read_table(path).slice(0, limit or None).to_pylist()


def answerable(categories: Iterable[str]) -> tuple[str, ...]:
    """Those that the model is trained to answer."""
    order = taxonomy.load().label_order
    return tuple(name for name in categories if name in order)


def _read_all(
    rows: Iterable[Mapping[str, Any]], *, data_set: DataSet, left_out: Counter[str]
) -> Iterator[LabelledPhoto]:
    for row in rows:
        try:
            image = decode(row["image"])
        except InvalidImage as error:
            left_out[f"unreadable photo: {error.code}"] += 1
            continue
        yield _read_photo(row, image, data_set=data_set, left_out=left_out)


def _read_photo(
    row: Mapping[str, Any], image: Pixels, *, data_set: DataSet, left_out: Counter[str]
) -> LabelledPhoto:
    label = row["article_type" if data_set == "fpi" else "label"] or ""
    name = row.get("display_name") or ""
    meaning = _look_up(taxonomy.load_labels(data_set), label, name)
    accepts = answerable(meaning.categories)
    if not accepts:
        left_out[f"{label}: {meaning.ignored_because or 'category without enough photos'}"] += 1
    benchmark = row.get("small_label") or ""
    return LabelledPhoto(
        id=f"{data_set}-{row['id']}",
        data=row["image"],
        label=label,
        kind=tell_kind(data_set, image, meaning.categories),
        accepts=accepts,
        colour=_family(row.get("base_colour")),
        attributes=_mine(data_set, row),
        name=name,
        query=names.query(name) if name else "",
        likeness=(row.get("article_type") or "", row.get("base_colour") or ""),
        benchmark=benchmark,
        benchmark_accepts=_benchmark_categories(benchmark),
    )


def recognise_file(path: Path) -> DataSet:
    """Raises UnknownFile for what is no parquet file or has other columns, OSError."""
    try:
        return recognise(read_columns(path))
    except pyarrow.ArrowInvalid as error:
        raise UnknownFile(f"{path.name} is no readable parquet file.") from error


def _mine(data_set: DataSet, row: Mapping[str, Any]) -> dict[str, str]:
    try:
        return names.mine(data_set, row)
    except UnknownLabel:
        return {}


def _look_up(labels: LabelMap, label: str, name: str = "") -> Meaning:
    """Another split may have labels that nobody has reviewed; they are counted as left out."""
    try:
        return labels.meaning(label, name)
    except UnknownLabel:
        return Meaning((), ignored_because="a label that the mapping does not know")


def _family(base_colour: str | None) -> str:
    if not base_colour:
        return ""
    return next(iter(_look_up(taxonomy.load_colour_labels(), base_colour).categories), "")


def _benchmark_categories(benchmark: str) -> tuple[str, ...]:
    """The class is a label of the clothing data set in lower case."""
    if not benchmark:
        return ()
    labels = taxonomy.load_labels("clothing").meanings
    return next(
        (answerable(m.categories) for name, m in labels.items() if name.lower() == benchmark), ()
    )
