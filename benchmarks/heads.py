"""What 500 corrections of a systematically wrong class teach a shop's head, on real embeddings.

    .venv/bin/python -m benchmarks.heads ../shared/data/fpi-train.parquet [--category t-shirt]
        [--called sweater] [--corrections 500] [--others 1500] [--model kalas-mini]

The photos are annotated by the shipped model; those of `--category` are then said to have been
called `--called`, as surely as the model was of what it really said: a systematic mistake. Their
reviews correct it, those of all other photos say what the data set says. A quarter of all photos is
held out. Prints accuracy before and after on these, of that class and of the one that lost most.
"""

import argparse
import hashlib
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from annotations.reviewing import heads
from inference import pipeline, taxonomy
from inference.contract import Box, Garment
from inference.pipeline import Photo

BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--category", default="t-shirt")
    parser.add_argument("--called", default="sweater")
    parser.add_argument("--corrections", type=int, default=500)
    parser.add_argument("--others", type=int, default=1500)
    parser.add_argument("--model", default="kalas-mini")
    options = parser.parse_args()
    wanted = {True: round(options.corrections / 0.75), False: round(options.others / 0.75)}
    rows = list(pick(options.photos, options.category, wanted))
    annotator = pipeline.load(options.model, device="cpu", cache=Path("var") / "exports")
    seen = list(annotate(annotator, rows))
    labels = [category.name for category in taxonomy.load().categories]
    table = build(seen, labels, category=options.category, called=options.called)
    started = time.perf_counter()
    head = heads.train(table, labels=labels)
    took = time.perf_counter() - started
    report(head, table, options.category, took)


def pick(path: Path, category: str, wanted: dict[bool, int]) -> Iterator[tuple[bytes, str]]:
    """Photos with one right category, in the file's order."""
    meanings = taxonomy.load_labels("fpi")
    columns = ["image", "article_type", "display_name"]
    for batch in pq.ParquetFile(path).iter_batches(512, columns=columns):
        for row in batch.to_pylist():
            try:
                meaning = meanings.meaning(row["article_type"], row["display_name"] or "")
            except taxonomy.UnknownLabel:
                continue
            if len(meaning.categories) != 1:
                continue
            (right,) = meaning.categories
            if right == taxonomy.load().abstention:
                continue
            if wanted[right == category] > 0:
                wanted[right == category] -= 1
                yield row["image"], right
        if not any(wanted.values()):
            return


def annotate(annotator: Any, rows: list[tuple[bytes, str]]) -> Iterator[tuple[Garment, str, str]]:
    """The main garment of each photo, what is right, and what tells the photo from others."""
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        photos = [Photo(data, Box(0, 0, *Image.open(io.BytesIO(data)).size)) for data, _ in part]
        for (data, right), outcome in zip(part, annotator.annotate(photos), strict=True):
            if not isinstance(outcome, Exception) and outcome.garments:
                yield outcome.garments[0], right, hashlib.sha256(data).hexdigest()


def build(
    seen: list[tuple[Garment, str, str]], labels: list[str], *, category: str, called: str
) -> heads.Examples:
    priors = []
    for garment, right, _sha256 in seen:
        said = garment.category
        others = [(each.name, each.confidence) for each in said.alternatives]
        name = said.name
        if right == category:
            others = [(n, c) for n, c in others if n != called]
            if name != called:
                # What it had said becomes its second guess, half as likely as the first.
                others = [(n, c) for n, c in others if n != name][:2]
                others.insert(0, (name, (1 - said.confidence) / 2))
            name = called
        priors.append(heads.make_prior(labels, name, said.confidence, others))
    return heads.Examples(
        np.array([garment.embedding for garment, _r, _s in seen], np.float32),
        np.array(priors, np.float32),
        np.array([labels.index(right) for _g, right, _s in seen], np.int64),
        np.array([int(sha256[:8], 16) % 4 == 0 for _g, _r, sha256 in seen]),
    )


def report(head: heads.Head, table: heads.Examples, category: str, took: float) -> None:
    rows, number, before, after = heads.compare(None, head, table)
    learned = int(((table.right == head.labels.index(category)) & ~table.held_out).sum())
    print(
        f"corrections of {category}: {learned}; other reviews: "
        f"{int((~table.held_out).sum()) - learned}; training {took:.1f} s"
    )
    for name, n, b, a in rows:
        if name == category:
            print(f"{name}, held out {n}: {b / n:.3f} → {a / n:.3f}")
    others = [row for row in rows if row[0] != category]
    n, b, a = (sum(row[i] for row in others) for i in (1, 2, 3))
    print(f"all others, held out {n}: {b / n:.3f} → {a / n:.3f}")
    large = [row for row in others if row[1] >= 20]
    name, n, b, a = min(large, key=lambda row: (row[3] - row[2]) / row[1])
    print(f"most lost of those with 20 and more: {name}, {n}: {b / n:.3f} → {a / n:.3f}")
    print(f"all, held out {number}: {before / number:.3f} → {after / number:.3f}")


if __name__ == "__main__":
    main()
