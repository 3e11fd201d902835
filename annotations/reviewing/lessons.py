"""All that reviews have taught: a head for the categories, and one for each attribute that had
something to learn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from annotations.reviewing import heads
from annotations.reviewing.heads import Examples, Floats, Head
from annotations.reviewing.thresholds import CATEGORY
from inference import taxonomy
from inference.contract import Alternative, Category, Garment, Label

ALTERNATIVES = 4
LEAST_SHOWN = 0.005
NONE = ""
"""The label that says that a garment has no value of an attribute."""
UNSAID = 0.5
"""How sure the model counts as of having no value where it names none."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """By key: "category" or an attribute's."""

    heads: Mapping[str, Head] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        return b"".join(head.weights.astype("<f4").tobytes() for head in self.heads.values())

    @property
    def labels(self) -> dict[str, list[str]]:
        return {key: list(head.labels) for key, head in self.heads.items()}

    @classmethod
    def from_bytes(cls, labels: Mapping[str, Sequence[str]], data: bytes, *, size: int) -> "Lesson":
        """`size` is the embeddings'. Raises ValueError where the numbers don't fit the labels."""
        numbers = np.frombuffer(data, "<f4").astype(np.float32)
        shapes = [(len(names), size + 1 + len(names)) for names in labels.values()]
        ends = np.cumsum([rows * columns for rows, columns in shapes])
        if (ends[-1] if labels else 0) != len(numbers):
            raise ValueError(f"{len(numbers)} numbers are not these labels' weights.")
        parts = np.split(numbers, ends[:-1])
        found = {
            key: Head(tuple(names), part.reshape(shape))
            for (key, names), part, shape in zip(labels.items(), parts, shapes, strict=False)
        }
        return cls(found)


def list_labels(key: str) -> list[str]:
    """What a head of this key chooses from."""
    if key == CATEGORY:
        return [category.name for category in taxonomy.load().categories]
    return [NONE, *(value.name for value in taxonomy.load().attribute(key).values)]


def apply_lesson(lesson: Lesson, garment: Garment) -> Garment:
    """The garment with what the heads make of what the model said."""
    size = len(garment.embedding)
    embedding = np.array(garment.embedding, np.float32)
    usable = {key: head for key, head in lesson.heads.items() if head.size == size}
    if CATEGORY in usable:
        garment = replace(garment, category=_decide_category(usable[CATEGORY], embedding, garment))
    labels = {label.key: label for label in garment.attributes}
    for key, head in usable.items():
        if key != CATEGORY and garment.category.name in taxonomy.load().attribute(key).applies_to:
            said = labels.pop(key, None)
            label = _decide_label(key, head, embedding, garment.category.name, said)
            if label:
                labels[key] = label
    fitting = [x for x in labels.values() if _applies(x, garment.category.name)]
    return replace(garment, attributes=tuple(fitting))


def make_attribute_prior(labels: Sequence[str], said: str, confidence: float) -> Floats:
    """Log-probabilities (L); `said` is empty where the model named no value."""
    return heads.make_prior(labels, said, confidence if said else UNSAID, [])


def _decide_category(head: Head, embedding: Floats, garment: Garment) -> Category:
    said = garment.category
    if said.name not in head.labels:
        return said
    pairs = [(each.name, each.confidence) for each in said.alternatives]
    shares = _ask(head, embedding, heads.make_prior(head.labels, said.name, said.confidence, pairs))
    order = np.argsort(-shares)[: ALTERNATIVES + 1]
    first, *others = [(head.labels[int(i)], float(shares[int(i)])) for i in order]
    alternatives = [Alternative(*pair) for pair in others if pair[1] >= LEAST_SHOWN]
    return Category(*first, tuple(alternatives))


def _decide_label(
    key: str, head: Head, embedding: Floats, category: str, said: Label | None
) -> Label | None:
    if said and said.name not in head.labels:
        return said
    name, confidence = (said.name, said.confidence) if said else (NONE, UNSAID)
    shares = _ask(head, embedding, make_attribute_prior(head.labels, name, confidence))
    for index in np.argsort(-shares):
        best = Label(key, head.labels[int(index)], float(shares[int(index)]))
        if best.name == NONE or (said is None and best.confidence < UNSAID):
            return None
        if _applies(best, category):
            return best
    return None


def _ask(head: Head, embedding: Floats, prior: Floats) -> Floats:
    one = Examples(embedding[None], prior[None], np.zeros(1, np.int64), np.zeros(1, np.bool_))
    return np.asarray(np.exp(heads.predict(head.weights, one)[0]))


def _applies(label: Label, category: str) -> bool:
    """A value that this taxonomy does not know is an older one's, and stays."""
    try:
        return taxonomy.load().applies(label.key, label.name, category)
    except taxonomy.UnknownLabel:
        return True
