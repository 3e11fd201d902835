"""What the templates of cards need beside the annotation itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from annotations import selectors
from annotations.engine import EngineStatus, read_status
from annotations.models import Annotation


@dataclass(frozen=True, slots=True)
class Card:
    """`place` and `engine` say of a waiting annotation when and why; they are None of others."""

    annotation: Annotation
    place: int | None = None
    engine: EngineStatus | None = None
    known_already: bool = False


def build_cards(
    *, annotations: Sequence[Annotation], now: datetime, known_already: bool = False
) -> list[Card]:
    """Two queries where something waits, else none."""
    places = selectors.find_places(annotations=annotations)
    engine = read_status(now=now) if places else None
    return [
        Card(
            annotation=annotation,
            place=places.get(annotation.id),
            engine=engine if annotation.is_pending else None,
            known_already=known_already,
        )
        for annotation in annotations
    ]
