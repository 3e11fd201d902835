"""Similar items by the embedding alone, and put in the order of their details.

    python -m benchmarks.details PHOTOS.parquet [GALLERY] [--questions N] [--weights 0.25 0.5 1 2]
        [--store FOLDER]

PHOTOS is fpi's or clothing's val file. Two questions, each for striped, printed (graphic, floral
and the like) and checked goods apart, as far as the file's names say so:
- Found again: a part of a photo (65 to 85 % of its sides), in perspective and other light, asks for
  the photo that it is of. Share of first places and mean reciprocal rank.
- Alike: a photo asks for others of the same type, pattern and colour. Precision of the first ten.
Of the most similar 60 by the embedding those come first whose cosine + weight x share of the
asked details is highest, as in the product; weight 0 is the embedding alone. FAISS over all
details of the gallery (flat and by k-means lists, cosine and L2) is timed beside, and how often
its first vote is the photo itself.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from inference import pipeline, specs
from inference.contract import DETAIL_SIZE, AnnotationResult, GarmentDetails
from inference.preprocess import decode
from inference.request import Photo
from inference.training.names import colour_of, mine
from inference.training.samples import recognise
from inference.training.superpoint import homographies
from inference.training.superpoint.train import throw
from inference.wizard import finding
from inference.wizard.details import DetailIndex
from inference.wizard.votes import Vectors, vote

POOL = 60
TEN = 10
PLAIN = ("", "solid", "plain")
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Item:
    data: bytes
    key: Key
    """Type, pattern and colour."""
    group: str
    """striped, checked, printed or the rest."""
    embedding: NDArray[np.float32]
    details: Vectors


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.details")
    parser.add_argument("file", type=Path)
    parser.add_argument("gallery", type=int, nargs="?", default=800)
    parser.add_argument("--questions", type=int, default=60, help="of each group")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.25, 0.5, 1.0, 2.0])
    parser.add_argument("--store", type=Path, default=None)
    options = parser.parse_args()
    engine = pipeline.load("kalas-mini", device="cpu")
    finder = finding.load(options.store or specs.STORE)
    items = read_items(options.file, options.gallery, engine, finder)
    counts = {g: sum(i.group == g for i in items) for g in sorted({i.group for i in items})}
    each = np.mean([len(item.details) for item in items])
    print(f"{len(items)} photos of {options.file.name}: {counts}; {each:.0f} details each")
    gallery = np.stack([item.embedding for item in items])
    weights = [0.0, *options.weights]
    head = "".join(f"{f'w {weight:g}':>16}" for weight in weights)
    print(f"\n{'found again: first, MRR':<34}{head}")
    asked = choose_questions(items, options.questions)
    looks = {q: look(make_view(items[q].data, q), engine, finder) for q in asked}
    views = {q: seen for q, seen in looks.items() if seen is not None}
    for group in [*counts, "all"]:
        chosen = [q for q in views if group in (items[q].group, "all")]
        places = np.array(
            [
                [order(items, gallery, *views[q], weight).index(q) + 1 for weight in weights]
                for q in chosen
            ]
        )
        cells = "".join(
            f"{f'{first:.3f}, {mrr:.3f}':>16}"
            for first, mrr in zip((places == 1).mean(0), (1 / places).mean(0), strict=True)
        )
        print(f"{f'{group} ({len(chosen)})':<34}{cells}", flush=True)
    print(f"\n{'alike: precision@10':<34}{head}")
    alike = [q for q in asked if sum(i.key == items[q].key for i in items) > TEN]
    for group in [*counts, "all"]:
        chosen = [q for q in alike if group in (items[q].group, "all")]
        if not chosen:
            continue
        found = np.array(
            [[count_alike(items, gallery, q, weight) for weight in weights] for q in chosen]
        )
        cells = "".join(f"{mean:>16.3f}" for mean in found.mean(0))
        print(f"{f'{group} ({len(chosen)})':<34}{cells}", flush=True)
    time_indexes(items, views)


def read_items(path: Path, count: int, engine: Any, finder: finding.DetailFinder) -> list[Item]:
    """Patterned goods first, then the others, up to so many."""
    table = pq.read_table(path)
    data_set = recognise(table.schema.names)
    rows = [(row, mine(data_set, row).get("pattern", "")) for row in table.to_pylist()]
    rows.sort(key=lambda each: each[1] in PLAIN)
    items: list[Item] = []
    for row, pattern in rows:
        seen = look(row["image"], engine, finder)
        if seen is not None:
            kind = str(row.get("article_type") or row.get("label"))
            key = kind, pattern, colour_of(row) if data_set == "fpi" else ""
            items.append(Item(row["image"], key, name_group(pattern), *seen))
        if len(items) == count:
            break
    return items


def name_group(pattern: str) -> str:
    if pattern in PLAIN:
        return "plain or unknown"
    return pattern if pattern in ("striped", "checked") else "printed"


def look(
    data: bytes, engine: Any, finder: finding.DetailFinder
) -> tuple[NDArray[np.float32], Vectors] | None:
    """The embedding and the details of its main garment; None where nothing is seen."""
    [result] = engine.annotate([Photo(data)])
    if not isinstance(result, AnnotationResult) or not result.garments:
        return None
    best = max(result.garments, key=lambda each: (each.primary, each.confidence))
    vector = np.array(best.embedding, np.float32)
    return vector / np.linalg.norm(vector), unpack(finder.find(Photo(data, best.box)))


def unpack(found: GarmentDetails) -> Vectors:
    rows = np.frombuffer(found.vectors, np.int8).reshape(-1, DETAIL_SIZE).astype(np.float32)
    if not len(rows):
        return rows
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def choose_questions(items: Sequence[Item], each: int) -> list[int]:
    by_group: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        by_group.setdefault(item.group, []).append(number)
    dice = throw(3)
    return sorted(
        int(q) for found in by_group.values() for q in dice.permutation(found)[:each].tolist()
    )


def make_view(data: bytes, number: int) -> bytes:
    """What a customer's photo of the same thing shows: a part, at an angle, in other light."""
    dice = throw(5, number)
    image = decode(data)
    height, width = image.shape[:2]
    turned = cv2.warpPerspective(
        image,
        homographies.draw(dice, width=width, height=height, strength=0.06),
        (width, height),
        borderMode=cv2.BORDER_REPLICATE,
    )
    share = dice.uniform(0.65, 0.85)
    high, wide = round(height * share), round(width * share)
    top, left = dice.integers(0, height - high + 1), dice.integers(0, width - wide + 1)
    part = turned[top : top + high, left : left + wide].astype(np.float32)
    lit = part * dice.uniform(0.8, 1.2) + dice.uniform(-12, 12)
    bgr = cv2.cvtColor(lit.clip(0, 255).astype(np.uint8), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def order(
    items: Sequence[Item],
    gallery: NDArray[np.float32],
    embedding: NDArray[np.float32],
    details: Vectors,
    weight: float,
) -> list[int]:
    cosines = gallery @ embedding
    ranked: list[int] = np.argsort(-cosines, kind="stable").tolist()
    if not weight:
        return ranked
    pool, rest = ranked[:POOL], ranked[POOL:]
    shares: Mapping[int, float] = dict(vote(details, {i: items[i].details for i in pool}))
    return [*sorted(pool, key=lambda i: -(cosines[i] + weight * shares.get(i, 0.0))), *rest]


def count_alike(
    items: Sequence[Item], gallery: NDArray[np.float32], question: int, weight: float
) -> float:
    asked = items[question]
    ranked = order(items, gallery, asked.embedding, asked.details, weight)
    first = [i for i in ranked if i != question][:TEN]
    return sum(items[i].key == asked.key for i in first) / TEN


def time_indexes(items: Sequence[Item], views: Mapping[int, tuple[Any, Vectors]]) -> None:
    kept = {str(i): item.details for i, item in enumerate(items)}
    print(f"\n{'FAISS over all details':<24}{'build ms':>10}{'ask ms':>8}{'itself first':>14}")
    for name, metric, least in (
        ("cosine, flat", "cosine", 1 << 60),
        ("cosine, lists", "cosine", None),
        ("l2, lists", "l2", None),
    ):
        start = time.perf_counter()
        index = DetailIndex(kept, metric=metric, lists_from=least)  # type: ignore[arg-type]
        built = time.perf_counter()
        found = [(index.vote(details) or [("", 0.0)])[0][0] for _, details in views.values()]
        asked = (time.perf_counter() - built) / max(len(views), 1)
        right = np.mean([name == str(q) for name, q in zip(found, views, strict=True)])
        print(f"{name:<24}{(built - start) * 1000:>10.0f}{asked * 1000:>8.1f}{right:>14.3f}")


if __name__ == "__main__":
    main()
