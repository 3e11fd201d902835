"""What the landing page shows: photos of the demo set with the shipped model's own answers.

`make sample` asks the model again; a test compares its answers with the ones kept here.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from inference.contract import AnnotationResult

ANSWERS = Path(__file__).parent / "sample.jsonl"


@dataclass(frozen=True, slots=True)
class Sample:
    photo: str
    """Path below static/."""
    result: AnnotationResult


@cache
def load_samples() -> tuple[Sample, ...]:
    answers = (json.loads(line) for line in ANSWERS.read_text().splitlines())
    return tuple(
        Sample(
            photo=answer["file"].removeprefix("static/"), result=AnnotationResult.from_json(answer)
        )
        for answer in answers
    )
