"""`python -m inference.training.agreement FILE.parquet …`: how far a file's own labels agree.

Shops list a photo more than once, now and then with other labels. What sees nothing but the photo
is right no more often than one listing's labels are the other's.
"""

import argparse
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from inference.training.evaluation.photos import LabelledPhoto, read_photos, recognise_file
from inference.training.measure import Share
from inference.training.samples import UnknownFile

Pair = tuple[LabelledPhoto, LabelledPhoto]


@dataclass(frozen=True, slots=True)
class Agreement:
    label: str
    everywhere: Share
    named_apart: Share
    """Of the pairs whose products' names differ. Where they are equal, a listing may be another's
    copy; but a name says the colour too, so the truth lies between the two."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Count how often the labels of one photo agree.")
    parser.add_argument("files", type=Path, nargs="+", metavar="file", help="fpi or clothing")
    options = parser.parse_args()
    try:
        for path in options.files:
            print("\n".join(report(path)), flush=True)
    except (UnknownFile, OSError) as error:
        parser.exit(1, f"{error}\n")


def report(path: Path) -> list[str]:
    """Lines to print. Raises UnknownFile, OSError."""
    if recognise_file(path) == "ccp":
        raise UnknownFile(f"{path.name} labels pixels, not photos: name an fpi or clothing file.")
    photos = read_photos(path).photos
    pairs = find_pairs(photos)
    said = f"{path.stem}: {len(pairs)} pairs of {len(photos)} photos are the same file"
    if not pairs:
        return [f"{said}."]
    return [
        f"{said}; both have equal labels in how many?",
        f"{'':<28}{'all':<34}those whose names differ",
        *(f"{a.label:<28}{a.everywhere!s:<34}{a.named_apart}" for a in measure(pairs)),
    ]


def find_pairs(photos: Iterable[LabelledPhoto]) -> list[Pair]:
    """Any two whose encoded photos are equal, byte by byte."""
    same: defaultdict[bytes, list[LabelledPhoto]] = defaultdict(list)
    for photo in photos:
        same[photo.data].append(photo)
    return [pair for group in same.values() for pair in combinations(group, 2)]


def measure(pairs: Sequence[Pair]) -> list[Agreement]:
    """Of each label, over the pairs that both have it."""
    of: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for one, other in pairs:
        labels = _labels(other)
        for label, said in _labels(one).items():
            if label in labels:
                of[label].append((said == labels[label], one.name != other.name))
    return [
        Agreement(
            label,
            _share(agree for agree, _ in answers),
            _share(agree for agree, apart in answers if apart),
        )
        for label, answers in of.items()
    ]


def _labels(photo: LabelledPhoto) -> dict[str, Hashable]:
    category = photo.accepts or photo.label
    labels: dict[str, Hashable] = {"type": photo.label, "category": category}
    if photo.colour:
        labels |= {
            "colour": photo.likeness[1],
            "colour family": photo.colour,
            "type and colour": photo.likeness,
            "category and colour family": (category, photo.colour),
        }
    return labels


def _share(agree: Iterable[bool]) -> Share:
    answers = list(agree)
    return Share(sum(answers), len(answers))


if __name__ == "__main__":
    main()
