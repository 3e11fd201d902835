"""How well the audit tells worn from lying clothes and plain from busy grounds.

    python -m benchmarks.photo_audit DATA [--train]

DATA holds {ccp,clothing,fpi}-{val,train}.parquet. What is told is compared with what a data set is
of: ccp are people in the street, clothing are clothes that people laid or hung at home (a few are
worn, which nobody has marked), fpi are a shop's photos on white. Of fpi's first clothes, somebody
looked which are worn. `--train` fits the weights of `retrieval.auditing.views` to the training
parts and prints them.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from inference import pipeline
from inference.contract import AnnotationResult
from inference.request import Photo
from retrieval.auditing.measures import Measures, measure_photo
from retrieval.auditing.views import SeenGarment, describe_features, tell_view

PHOTOS = 400
"""Of each part."""
CLOTHES = 160
LYING = {
    "train": {4, 5, 9, 14, 19, 24, 33, 36, 39, 42, 50, 60, 62, 65, 70, 76, 83, 98, 104, 107, 113}
    | {119, 130, 137, 144, 148},
    "val": {10, 11, 17, 28, 36, 38, 43, 46, 54, 55, 56, 62, 63, 71, 73, 76, 79, 80, 81, 85, 90, 91}
    | {92, 95, 97, 106, 110, 118, 121, 122, 126, 129, 131, 142, 143, 146, 159},
}
"""Of the first CLOTHES photos of apparel in fpi's parts those that nobody wears."""
Seen = tuple[list[SeenGarment], Measures]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.photo_audit")
    parser.add_argument("data", type=Path)
    parser.add_argument("--train", action="store_true")
    options = parser.parse_args()
    if options.train:
        print_weights(options.data)
    for name, plain in (("ccp", False), ("clothing", False), ("fpi", True)):
        seen = list(look(options.data, name, "val"))
        views = np.array([tell_view(*each) for _, each in seen])
        told, sure = views == "worn", views != ""
        worn = np.array([truth for truth, _ in seen])
        grounds = np.array([measures.plain == plain for _, (_, measures) in seen])
        print(
            f"{name}: {len(seen)} photos, ground {grounds.mean():.3f},"
            f" told {sure.mean():.3f}, of these right {(told == worn)[sure].mean():.3f}"
            f" (worn: {(told & worn).sum()} of {worn.sum()}, called lying"
            f" {(~told & sure & worn).sum()}; lying: {(~told & sure & ~worn).sum()} of"
            f" {(~worn).sum()}, called worn {(told & ~worn).sum()})",
            flush=True,
        )


def look(data: Path, name: str, part: str) -> Iterator[tuple[bool, Seen]]:
    """Whether it is worn, and what is seen: of the photos on which something is."""
    model = pipeline.load("kalas-mini")
    for worn, photo in read_photos(data / f"{name}-{part}.parquet", part):
        [result] = model.annotate([Photo(photo)])
        if isinstance(result, AnnotationResult) and result.garments:
            yield worn, (describe(result), measure_photo(photo))


def read_photos(path: Path, part: str) -> list[tuple[bool, bytes]]:
    rows = pq.read_table(path).to_pylist()
    if path.name.startswith("fpi"):
        clothes = [row for row in rows if row["master_category"] == "Apparel"][:CLOTHES]
        return [(i not in LYING[part], row["image"]) for i, row in enumerate(clothes)]
    worn = path.name.startswith("ccp")
    return [(worn, row["image"]) for row in rows[:: max(1, len(rows) // PHOTOS)][:PHOTOS]]


def describe(result: AnnotationResult) -> list[SeenGarment]:
    area = result.width * result.height
    return [
        SeenGarment(g.object, g.confidence, g.box, g.box.width * g.box.height / area)
        for g in result.garments
    ]


def print_weights(data: Path) -> None:
    rows, truth = [], []
    for name in ("ccp", "clothing", "fpi"):
        for worn, seen in look(data, name, "train"):
            rows.append(describe_features(*seen))
            truth.append(worn)
    features, labels = np.array(rows), np.array(truth, dtype=np.float64)
    weights = fit(features, labels)
    told = features @ weights[1:] + weights[0] > 0
    print(f"train: {len(labels)} photos, right {np.mean(told == labels):.3f}")
    print("weights:", ", ".join(f"{w:.2f}" for w in weights))


def fit(features: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logistic regression by Newton's method, its weights kept small; the first is the bias."""
    rows = np.column_stack([np.ones(len(features)), features])
    weights = np.zeros(rows.shape[1])
    for _ in range(30):
        said = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (said - labels) + weights
        bend = (rows * (said * (1 - said))[:, None]).T @ rows + np.eye(len(weights))
        weights -= np.linalg.solve(bend, slope)
    return weights


if __name__ == "__main__":
    main()
