"""The heads in use have a say in each new answer of the model whose embeddings they read."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from annotations.models import TrainedHead
from annotations.reviewing.lessons import Lesson, apply_lesson
from inference.contract import Garment

KEPT = 64
# Weights never change: a head that is trained anew has another id.
_lessons: OrderedDict[UUID, Lesson] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Learned:
    """Garments as they are stored; `said` is what the model itself had said of each, where the
    head said otherwise."""

    garments: Sequence[Garment]
    said: Sequence[dict[str, Any] | None]


def use_head(*, head_id: UUID | None, garments: Sequence[Garment]) -> Learned:
    """No queries, but one where this process has not seen the head before."""
    if head_id is None:
        return Learned(garments, [None] * len(garments))
    lesson = load_lesson(head_id)
    learned = [apply_lesson(lesson, garment) for garment in garments]
    said = [
        None if new == old else describe_said(old)
        for old, new in zip(garments, learned, strict=True)
    ]
    return Learned(learned, said)


def describe_said(garment: Garment) -> dict[str, Any]:
    """What is kept of the model's own answer."""
    labels = [asdict(label) for label in garment.attributes]
    return asdict(garment.category) | {"labels": labels}


def load_lesson(head_id: UUID) -> Lesson:
    """Raises TrainedHead.DoesNotExist."""
    if head_id not in _lessons:
        row = TrainedHead.objects.only("labels", "weights", "size").get(id=head_id)
        _lessons[head_id] = Lesson.from_bytes(row.labels, bytes(row.weights), size=row.size)
        while len(_lessons) > KEPT:
            _lessons.popitem(last=False)
    return _lessons[head_id]
