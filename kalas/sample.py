"""What the landing page shows: photos of the demo set with the shipped model's own answers.

`make sample` asks the model again and writes sample.json; a test compares the two.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from inference.contract import AnnotationResult

ANSWERS = Path(__file__).parent / "sample.json"


@dataclass(frozen=True, slots=True)
class Sample:
    photo: str
    """Path below static/."""
    result: AnnotationResult


@cache
def load_samples() -> tuple[Sample, ...]:
    answers = json.loads(ANSWERS.read_text())
    return tuple(
        Sample(photo=f"photos/{name}", result=AnnotationResult.from_json(answer))
        for name, answer in answers.items()
    )
