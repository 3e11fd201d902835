"""Where collar, sleeves, waistline and hem of a garment are, by a detector that was brought in."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from annotations import engine, files
from annotations.models import Annotation, Garment
from inference import client
from inference.contract import OtherModel
from kalas.lib.shared_connections.base import lend_connection

TIMEOUT_S = 30.0
MOST = 6
"""Garments of one photo; each is asked for by itself."""
VISIBLE = 0.5


class NoDetector(Exception):
    """The engine has none: its weights were not brought in, or it is away."""


@dataclass(frozen=True, slots=True)
class Point:
    name: str
    x: float
    """Source pixels."""
    y: float
    visible: float
    """0 to 1."""

    @property
    def is_visible(self) -> bool:
        return self.visible >= VISIBLE


@dataclass(frozen=True, slots=True)
class Outlined:
    garment: Garment
    points: tuple[Point, ...]


def find_landmarks(*, annotation: Annotation) -> tuple[OtherModel, list[Outlined]]:
    """Of each garment that is large enough. Nothing of it is kept.

    Raises NoDetector, client.Overloaded, client.Unavailable, FileNotFoundError,
    files.StorageAway, InvalidImage and ValueError, where the engine refuses the model.
    """
    found = engine.find_others("landmarks")
    if not found:
        raise NoDetector
    model = found[-1]
    garments: Sequence[Garment] = list(annotation.garments.all())[:MOST]
    data = files.read_photo(annotation.image)
    lend_connection()
    asked = client.Client(settings.INFERENCE_URL, model=model.choice)
    outlined = []
    for garment in garments:
        result = asked.annotate(data, crop=garment.box, timeout=TIMEOUT_S)
        said = result.original
        if said:
            points = tuple(
                Point(name, x, said["y"][name], said["visible"][name])
                for name, x in said["x"].items()
            )
            outlined.append(Outlined(garment, points))
    return model, outlined
