"""Photos that are looked at and not kept, as those that somebody searches with."""

from annotations import asking, services
from annotations.photos import FORMATS, Photo, check_photo
from inference.contract import AnnotationResult, Box
from kalas.lib.shared_connections.base import lend_connection


def look_at(
    data: bytes,
    *,
    crop: Box | None,
    family: str,
    timeout_s: float,
    formats: tuple[str, ...] = FORMATS,
) -> tuple[Photo, AnnotationResult]:
    """The checked photo and what the shop's family of models sees on it; the engine looks while
    the photo is still being checked.

    Raises photos.PhotoRefused, services.CropRefused, and as `asking.ask`.
    """
    # Large photos wait for each other, and the engine takes its time.
    lend_connection()
    with asking.Question(crop=crop, hint="", timeout_s=timeout_s, family=family) as question:

        def ask(encoded: bytes, width: int, height: int) -> None:
            if crop:
                services.check_crop(crop, width=width, height=height)
            question.ask(encoded)

        photo = check_photo(data, with_thumbnail=False, when_encoded=ask, formats=formats)
        return photo, question.read_answer()
