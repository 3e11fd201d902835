"""What the engine is asked for."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from inference.contract import AnnotationResult, Box, InvalidImage, ObjectType, Vectors

logger = logging.getLogger(__name__)

Outcome = AnnotationResult | Exception
"""The answer to one photo, or what is wrong with it alone."""


class NoWords(Exception):
    """The model has no text encoder."""


class NoDetails(Exception):
    """There are no weights that find key points."""


class ModelRefused(Exception):
    """The engine has no such model, or not the memory for it; the message is for people."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A garment asked of a recommender with others."""

    model: str
    asked: Vectors
    others: tuple[Vectors, ...]


@dataclass(frozen=True, slots=True)
class Photo:
    """Encoded bytes, and what the caller knows of them."""

    data: bytes
    crop: Box | None = None
    """Look only here, in source pixels after EXIF orientation."""
    hint: ObjectType | None = None
    """The garment is of this type, if there is one."""
    model: str = ""
    """Another one than the engine's own: a choice of `EngineHealth.others`."""


def parse_crop(text: str) -> Box:
    """`left,top,right,bottom`. Raises ValueError, fit to be shown."""
    try:
        left, top, right, bottom = (int(part) for part in text.split(","))
        return Box(left, top, right, bottom)
    except ValueError as error:
        raise ValueError(
            "A crop is left,top,right,bottom in whole pixels, right and bottom exclusive."
        ) from error


def try_alone(annotate: Callable[[Photo], AnnotationResult], photo: Photo) -> Outcome:
    """One photo fails alone, whatever it does."""
    try:
        return annotate(photo)
    except InvalidImage as error:
        return error
    except Exception as error:
        logger.exception("A photo of %d bytes could not be answered", len(photo.data))
        return error
