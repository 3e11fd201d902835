"""The head in use has a say in each new answer of the model whose embeddings it reads."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from annotations.models import TrainedHead
from annotations.reviewing.heads import Head, apply_head
from inference.contract import Garment

KEPT = 64
# Weights never change: a head that is trained anew has another id.
_heads: OrderedDict[UUID, Head] = OrderedDict()


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
    head = load_head(head_id)
    learned = [apply_head(head, garment) for garment in garments]
    said = [
        None if new.category == old.category else asdict(old.category)
        for old, new in zip(garments, learned, strict=True)
    ]
    return Learned(learned, said)


def load_head(head_id: UUID) -> Head:
    """Raises TrainedHead.DoesNotExist."""
    if head_id not in _heads:
        row = TrainedHead.objects.only("labels", "weights").get(id=head_id)
        _heads[head_id] = Head.from_bytes(row.labels, bytes(row.weights))
        while len(_heads) > KEPT:
            _heads.popitem(last=False)
    return _heads[head_id]
