"""DeepFashion's four benchmarks, from the files that its authors give away.

Fixed where MMFashion's preparation and loaders were wrong; `as_written` gives the old values,
which the weights trained through them want.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from inference.mmfashion.data.lists import BadData, find_anno, read_numbers, read_rows

T = TypeVar("T")
LANDMARKS = 8
VISIBLE, OCCLUDED, CUT = 0, 1, 2
"""DeepFashion's own numbers for a landmark's visibility."""

Box = tuple[int, int, int, int]
Point = tuple[int, int, int]
"""Visibility, x, y."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One photo as the lists describe it."""

    image: str
    """Its path below Img/."""
    split: str
    """train, val, test; in-shop: train, query, gallery."""
    box: Box | None = None
    """left, top, right, bottom in pixels."""
    points: tuple[Point, ...] = ()
    """Landmarks in pixels, up to eight."""
    category: int | None = None
    """0-based; the lists count from 1."""
    attributes: tuple[int, ...] = ()
    """1, 0 for no or unknown."""
    item: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A customer's photo and the shop's photo of the same item."""

    consumer: Picture
    shop: Picture


def read_attributes(root: Path, *, fine: bool = False) -> list[Picture]:
    """Category and Attribute Prediction, with Anno/ (1,000 attributes) or Anno_fine/ (26).

    Raises BadData.
    """
    anno = find_anno(root, fine=fine)
    splits = _read_splits(root / "Eval" / "list_eval_partition.txt", {"train", "val", "test"})
    labels = _read_labels(anno / "list_attr_img.txt")
    categories = {
        row[0]: read_numbers(row[1:2], path=anno / "list_category_img.txt", line=n)[0] - 1
        for n, row in read_rows(anno / "list_category_img.txt", least=2)
    }
    boxes = _read_boxes(anno / "list_bbox.txt", first=1)
    points = _read_points(anno / "list_landmarks.txt")
    return [
        Picture(
            image=image,
            split=split,
            box=_get(boxes, image, "list_bbox.txt"),
            points=_get(points, image, "list_landmarks.txt"),
            category=_get(categories, image, "list_category_img.txt"),
            attributes=_get(labels, image, "list_attr_img.txt"),
        )
        for image, split in splits
    ]


def read_landmarks(root: Path) -> list[Picture]:
    """Landmark Detection. Raises BadData."""
    anno = find_anno(root)
    boxes = _read_boxes(anno / "list_bbox.txt", first=1)
    points = _read_points(anno / "list_landmarks.txt")
    return [
        Picture(
            image=image,
            split=split,
            box=_get(boxes, image, "list_bbox.txt"),
            points=_get(points, image, "list_landmarks.txt"),
        )
        for image, split in _read_splits(
            root / "Eval" / "list_eval_partition.txt", {"train", "val", "test"}
        )
    ]


def read_inshop(root: Path) -> list[Picture]:
    """In-shop Clothes Retrieval. Raises BadData."""
    anno = find_anno(root)
    labels = _read_labels(anno / "list_attr_items.txt")
    boxes = _read_boxes(anno / "list_bbox_inshop.txt", first=3)
    points = _read_points(anno / "list_landmarks_inshop.txt")
    path = root / "Eval" / "list_eval_partition.txt"
    pictures = []
    for number, (image, item, split, *_) in read_rows(path, least=3):
        _check_split(split, {"train", "query", "gallery"}, path, number)
        pictures.append(
            Picture(
                image=image,
                split=split,
                box=_get(boxes, image, "list_bbox_inshop.txt"),
                points=_get(points, image, "list_landmarks_inshop.txt"),
                attributes=_get(labels, item, "list_attr_items.txt"),
                item=item,
            )
        )
    return pictures


def read_pairs(root: Path) -> list[Pair]:
    """Consumer-to-shop Clothes Retrieval. Raises BadData."""
    anno = find_anno(root)
    labels = _read_labels(anno / "list_attr_items.txt")
    boxes = _read_boxes(anno / "list_bbox_consumer2shop.txt", first=3)
    points = _read_points(anno / "list_landmarks_consumer2shop.txt")
    path = root / "Eval" / "list_eval_partition.txt"

    def describe(image: str, item: str, split: str) -> Picture:
        return Picture(
            image=image,
            split=split,
            box=_get(boxes, image, "list_bbox_consumer2shop.txt"),
            points=_get(points, image, "list_landmarks_consumer2shop.txt"),
            attributes=_get(labels, item, "list_attr_items.txt"),
            item=item,
        )

    pairs = []
    for number, (consumer, shop, item, split, *_) in read_rows(path, least=4):
        _check_split(split, {"train", "val", "test"}, path, number)
        pairs.append(Pair(describe(consumer, item, split), describe(shop, item, split)))
    return pairs


def number_items(root: Path, name: str) -> dict[str, int]:
    """Item → its place in the list of items, as MMFashion numbers them. Raises BadData."""
    path = find_anno(root) / name
    return {row[0]: i for i, (_, row) in enumerate(read_rows(path, least=1, titles=False))}


def group_items(pictures: list[Picture]) -> dict[str, list[Picture]]:
    grouped: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        grouped[picture.item].append(picture)
    return dict(grouped)


def _read_splits(path: Path, known: set[str]) -> Iterator[tuple[str, str]]:
    for number, (image, split, *_) in read_rows(path, least=2):
        _check_split(split, known, path, number)
        yield image, split


def _check_split(split: str, known: set[str], path: Path, line: int) -> None:
    if split not in known:
        raise BadData(f"{path.name}, line {line}: {split!r} is none of {', '.join(sorted(known))}.")


def _read_labels(path: Path) -> dict[str, tuple[int, ...]]:
    """Numbers are compared as numbers: MMFashion compared texts, so that none was ever 1."""
    labels, width = {}, 0
    for number, row in read_rows(path, least=2):
        values = read_numbers(row[1:], path=path, line=number)
        width = width or len(values)
        if len(values) != width:
            raise BadData(
                f"{path.name}, line {number}: {width} attributes are needed, "
                f"{len(values)} are there."
            )
        labels[row[0]] = tuple(int(value == 1) for value in values)
    return labels


def _read_boxes(path: Path, *, first: int) -> dict[str, Box]:
    boxes: dict[str, Box] = {}
    for number, row in read_rows(path, least=first + 4):
        left, top, right, bottom = read_numbers(row[first : first + 4], path=path, line=number)
        if not (0 <= left < right and 0 <= top < bottom):
            raise BadData(f"{path.name}, line {number}: the box is empty.")
        boxes[row[0]] = (left, top, right, bottom)
    return boxes


def _read_points(path: Path) -> dict[str, tuple[Point, ...]]:
    """`image type [variation] (visibility x y)*`, each triple in its place."""
    points = {}
    for number, row in read_rows(path, least=5):
        values = read_numbers(row[1:], path=path, line=number)
        # Some lists say the variation beside the type of clothes, some do not.
        triples = values[len(values) % 3 :]
        known = all(triples[i] in {VISIBLE, OCCLUDED, CUT} for i in range(0, len(triples), 3))
        if len(values) % 3 == 0 or len(triples) > 3 * LANDMARKS or not known:
            raise BadData(
                f"{path.name}, line {number}: the type, then up to {LANDMARKS} times "
                "visibility, x, y are needed."
            )
        points[row[0]] = tuple(
            (triples[i], triples[i + 1], triples[i + 2]) for i in range(0, len(triples), 3)
        )
    return points


def _get(values: dict[str, T], key: str, file: str) -> T:
    try:
        return values[key]
    except KeyError as error:
        raise BadData(f"{file} has no row for {key}.") from error
