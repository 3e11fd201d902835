"""Polyvore outfits: which garments were worn together (Vasileva et al. 2018)."""

import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.mmfashion.data.lists import BadData, read_lines
from inference.mmfashion.metrics import measure_auc, score_outfit

Floats = NDArray[np.floating]
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Outfits:
    """One split of the data set."""

    sets: dict[str, dict[int, str]]
    """Set → place in it → item."""
    types: dict[str, str]
    """Item → its type: tops, shoes …"""
    spaces: dict[Pair, int]
    """Pair of types, in their order → the number of its type-specific space."""
    texts: dict[str, str] = field(default_factory=dict)
    """Item → its title, or what its address calls it."""

    @property
    def items(self) -> list[str]:
        """In the order of their first appearance, as MMFashion's test tools count them."""
        return list(dict.fromkeys(i for places in self.sets.values() for i in places.values()))

    def find(self, written: str) -> str:
        """`set_place` → item. Raises BadData."""
        name, _, place = written.rpartition("_")
        try:
            return self.sets[name][int(place)]
        except (KeyError, ValueError) as error:
            raise BadData(f"There is no garment {written}.") from error

    def choose_space(self, one: str, other: str) -> int:
        """Raises BadData where no two garments of these types are compared."""
        first, second = sorted((self.types[one], self.types[other]))
        if (first, second) not in self.spaces:
            raise BadData(f"There is no space for {first} with {second}.")
        return self.spaces[first, second]


@dataclass(frozen=True, slots=True)
class Question:
    """Which garment fills the blank?"""

    worn: tuple[str, ...]
    answers: tuple[str, ...]
    right: tuple[bool, ...]


def read_outfits(folder: Path, *, variant: str = "disjoint", split: str = "test") -> Outfits:
    """Raises BadData."""
    metadata = _read_json(folder / "polyvore_item_metadata.json")
    written = _read_json(folder / variant / f"{split}.json")
    try:
        sets = {
            str(one["set_id"]): {int(i["index"]): str(i["item_id"]) for i in one["items"]}
            for one in written
        }
        worn = list(dict.fromkeys(i for places in sets.values() for i in places.values()))
        types = {item: str(metadata[item]["semantic_category"]) for item in worn}
        texts = {item: _choose_text(metadata[item]) for item in worn}
    except (KeyError, TypeError, ValueError) as error:
        raise BadData(f"{split}.json or the items' metadata lack {error}.") from error
    return Outfits(sets, types, read_spaces(folder / variant / "typespaces.p"), texts)


def read_spaces(path: Path) -> dict[Pair, int]:
    """typespaces.p is a pickled list of pairs of names; nothing else is read from it.

    Raises BadData.
    """
    try:
        with path.open("rb") as stream:
            pairs = _NamesOnly(stream).load()
        found = {
            tuple(sorted((_text(one), _text(other)))): number
            for number, (one, other) in enumerate(pairs)
        }
    except OSError as error:
        raise BadData(f"{path} is missing.") from error
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError) as error:
        raise BadData(f"{path.name} is no list of pairs of types: {error}") from error
    return {(pair[0], pair[1]): number for pair, number in found.items()}


def name_spaces(numbers: dict[Pair, int]) -> tuple[str, ...]:
    """As a description of weights holds them: `shoes|tops` at the place of its space."""
    named = {number: "|".join(pair) for pair, number in numbers.items()}
    return tuple(named.get(number, "") for number in range(max(named, default=-1) + 1))


def read_texts(path: Path, *, size: int) -> dict[str, Floats]:
    """train_hglmm_pca6000.txt: a text, then its numbers. Raises BadData.

    Texts are texts here: MMFashion looked bytes up among them and found none.
    """
    vectors: dict[str, Floats] = {}
    for number, line in enumerate(read_lines(path), 1):
        parts = line.rsplit(",", size)
        try:
            vectors[parts[0]] = np.array([float(v) for v in parts[1:]], np.float32)
        except ValueError as error:
            raise BadData(f"{path.name}, line {number}: {size} numbers are needed.") from error
        if len(parts) != size + 1:
            raise BadData(f"{path.name}, line {number}: {size} numbers are needed.")
    return vectors


def read_compatibility(path: Path, outfits: Outfits) -> list[tuple[tuple[str, ...], bool]]:
    """Outfits, and whether each was worn. Raises BadData."""
    rows = [line.split() for line in read_lines(path) if line.strip()]
    return [(tuple(outfits.find(w) for w in row[1:]), row[0] == "1") for row in rows]


def read_questions(path: Path, outfits: Outfits) -> list[Question]:
    """Right is the answer of the same set. Raises BadData."""
    questions = []
    for asked in _read_json(path):
        name = str(asked["question"][0]).rpartition("_")[0]
        answers = [str(answer) for answer in asked["answers"]]
        questions.append(
            Question(
                worn=tuple(outfits.find(w) for w in asked["question"]),
                answers=tuple(outfits.find(answer) for answer in answers),
                right=tuple(answer.rpartition("_")[0] == name for answer in answers),
            )
        )
    return questions


@dataclass(frozen=True, slots=True)
class Compatibility:
    """How well garments go together, by the embeddings of a type-aware recommender."""

    outfits: Outfits
    embeddings: dict[str, Floats]
    """Item → (spaces + 1, size)."""
    metric: Floats | None = None
    """(size,): the learned metric's weights; else the distance counts."""

    def measure(self, one: str, other: str) -> float:
        """Their distance in the space of their types."""
        space = self.outfits.choose_space(one, other)
        a, b = self.embeddings[one][space], self.embeddings[other][space]
        if self.metric is not None:
            return float((a * b) @ self.metric)
        return float(np.linalg.norm(a - b + 1e-6))

    def score(self, garments: tuple[str, ...]) -> float:
        """Higher is more compatible; at least two garments."""
        return score_outfit([self.measure(a, b) for a, b in combinations(garments, 2)])

    def answer(self, question: Question) -> int:
        """Which of the answers lies nearest to what is worn."""
        sums = [sum(self.measure(w, a) for w in question.worn) for a in question.answers]
        return int(np.argmin(sums))

    def measure_auc(self, asked: list[tuple[tuple[str, ...], bool]]) -> float:
        scores = np.array([self.score(garments) for garments, _ in asked])
        return measure_auc(scores, np.array([worn for _, worn in asked]))

    def measure_answers(self, questions: list[Question]) -> float:
        return float(np.mean([q.right[self.answer(q)] for q in questions]))


def draw_pairs(outfits: Outfits) -> Iterator[tuple[str, str, int]]:
    """Every two garments that were worn together, with the number of their space."""
    for places in outfits.sets.values():
        for one, other in combinations(places.values(), 2):
            yield one, other, outfits.choose_space(one, other)


class _NamesOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it would run {module}.{name}; nothing was executed.")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _choose_text(described: dict[str, str]) -> str:
    return (described.get("title") or described.get("url_name") or "").strip().lower()


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise BadData(f"{path} is missing.") from error
    except (OSError, ValueError) as error:
        raise BadData(f"{path.name} is no JSON.") from error
