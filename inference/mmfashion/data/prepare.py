"""MMFashion's prepared files from DeepFashion's lists, with its mistakes mended.

In-shop landmarks stand in their own places, not one to the left; a training pair has one id.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from inference.mmfashion.data.deepfashion import (
    LANDMARKS,
    VISIBLE,
    Picture,
    number_items,
    read_attributes,
    read_inshop,
    read_landmarks,
    read_pairs,
)
from inference.mmfashion.data.lists import BadData

Files = dict[str, list[str]]
"""Name → lines."""


def prepare_attributes(root: Path, *, fine: bool = False) -> Files:
    """Raises BadData, as all of these."""
    files: Files = {}
    pictures = read_attributes(root, fine=fine)
    for split in ("train", "test", "val"):
        some = [p for p in pictures if p.split == split]
        files[f"{split}.txt"] = [p.image for p in some]
        files[f"{split}_attr.txt"] = [_join(p.attributes) for p in some]
        files[f"{split}_cate.txt"] = [str((p.category or 0) + 1) for p in some]
        files[f"{split}_bbox.txt"] = [_join(p.box or ()) for p in some]
        files[f"{split}_landmarks.txt"] = [_join(_places(p)) for p in some]
    return files


def prepare_landmarks(root: Path) -> Files:
    files: Files = {}
    pictures = read_landmarks(root)
    for split in ("train", "test", "val"):
        some = [p for p in pictures if p.split == split]
        files[f"{split}.txt"] = [p.image for p in some]
        files[f"{split}_bbox.txt"] = [_join(p.box or ()) for p in some]
        files[f"{split}_landmarks.txt"] = [_join(_triples(p)) for p in some]
    return files


def prepare_inshop(root: Path) -> Files:
    """Landmarks that cannot be seen are 0 0 in their place; the originals moved the rest up and
    took each one's numbers from the one before."""
    numbers = number_items(root, "list_item_inshop.txt")
    files: Files = {}
    pictures = read_inshop(root)
    for split in ("train", "query", "gallery"):
        some = [p for p in pictures if p.split == split]
        files[f"{split}_img.txt"] = [p.image for p in some]
        files[f"{split}_labels.txt"] = [_join(p.attributes) for p in some]
        files[f"{split}_id.txt"] = [str(_number(numbers, p.item)) for p in some]
        files[f"{split}_bbox.txt"] = [_join(p.box or ()) for p in some]
        files[f"{split}_landmarks.txt"] = [_join(_places(p, visible_only=True)) for p in some]
    return files


def prepare_pairs(root: Path) -> Files:
    """train_id.txt has one line for each pair: the original wrote two and read them by pair."""
    numbers = number_items(root, "list_item_consumer2shop.txt")
    pairs = read_pairs(root)
    train = [p for p in pairs if p.consumer.split == "train"]
    other = [p for p in pairs if p.consumer.split != "train"]
    files: Files = {
        "train_consumer2shop.txt": [f"{p.consumer.image} {p.shop.image}" for p in train],
        "train_id.txt": [str(_number(numbers, p.consumer.item)) for p in train],
    }
    both = [picture for pair in train for picture in (pair.consumer, pair.shop)]
    consumers, shops = _unique(p.consumer for p in other), _unique(p.shop for p in other)
    for name, some in (("consumer", consumers), ("shop", shops)):
        files[f"{name}.txt"] = [p.image for p in some]
        files[f"{name}_id.txt"] = [str(_number(numbers, p.item)) for p in some]
    for name, some in (("train", both), ("consumer", consumers), ("shop", shops)):
        files[f"list_bbox_{name}.txt"] = [f"{p.image} {_join(p.box or ())}" for p in some]
        files[f"list_landmarks_{name}.txt"] = [
            f"{p.image} {_join(_places(p, visible_only=True))}" for p in some
        ]
    return files


PREPARERS: dict[str, Callable[[Path], Files]] = {
    "attributes": prepare_attributes,
    "attributes-fine": lambda root: prepare_attributes(root, fine=True),
    "in-shop": prepare_inshop,
    "consumer-to-shop": prepare_pairs,
    "landmarks": prepare_landmarks,
}


def write(files: Files, folder: Path) -> None:
    """All of them, or none: each takes its name when all are written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    try:
        for name, lines in files.items():
            path = folder / f".{name}.new"
            written.append(path)
            path.write_text("".join(f"{line}\n" for line in lines))
        for path in written:
            path.replace(folder / path.name.removeprefix(".").removesuffix(".new"))
    finally:
        for path in written:
            path.unlink(missing_ok=True)


def _join(values: Iterable[int]) -> str:
    return " ".join(str(value) for value in values)


def _places(picture: Picture, *, visible_only: bool = False) -> list[int]:
    places = [0] * (2 * LANDMARKS)
    for i, (visibility, x, y) in enumerate(picture.points):
        if visibility == VISIBLE or not visible_only:
            places[2 * i : 2 * i + 2] = x, y
    return places


def _triples(picture: Picture) -> list[int]:
    triples = [0] * (3 * LANDMARKS)
    for i, (visibility, x, y) in enumerate(picture.points):
        triples[3 * i : 3 * i + 3] = int(visibility == VISIBLE), x, y
    return triples


def _number(numbers: dict[str, int], item: str) -> int:
    if item not in numbers:
        raise BadData(f"The list of items has no {item}.")
    return numbers[item]


def _unique(pictures: Iterable[Picture]) -> list[Picture]:
    return list({picture.image: picture for picture in pictures}.values())
