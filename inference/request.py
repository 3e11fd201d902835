"""What the engine is asked for."""

from dataclasses import dataclass

from inference.contract import AnnotationResult, Box, ObjectType

Outcome = AnnotationResult | Exception
"""The answer to one photo, or what is wrong with it alone."""


@dataclass(frozen=True, slots=True)
class Photo:
    """Encoded bytes, and what the caller knows of them."""

    data: bytes
    crop: Box | None = None
    """Look only here, in source pixels after EXIF orientation."""
    hint: ObjectType | None = None
    """The garment is of this type, if there is one."""
