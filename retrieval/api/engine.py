"""Photos that somebody searches with, asked of the engine; nothing of them is kept."""

from collections.abc import Callable

from rest_framework.serializers import ValidationError

from accounts.api.authentication import Caller
from annotations import looking, photos, services
from inference import client
from inference.contract import AnnotationResult, Box, InvalidImage
from kalas.lib.api.problems import Problem
from retrieval.details import Asked

TIMEOUT_S = 30.0


def annotate(data: bytes, *, caller: Caller, crop: Box | None = None) -> AnnotationResult:
    """By the shop's family of models.

    Raises Problem, and ValidationError for a box outside of the photo.
    """
    try:
        _photo, found = looking.look_at(
            data,
            crop=crop,
            family=caller.tenant.model_family,
            timeout_s=TIMEOUT_S,
            # Everybody can read a publishable key: with it nothing is sent that costs too much.
            formats=photos.PLAIN_FORMATS if caller.only_searches else photos.FORMATS,
        )
        return found
    except photos.PhotoRefused as error:
        raise Problem("photo-refused", error.detail, reason=error.code) from error
    except InvalidImage as error:
        raise Problem("photo-refused", error.detail, reason=error.code) from error
    except services.CropRefused as error:
        raise ValidationError({"crop": [str(error)]}) from error
    except client.Overloaded as error:
        wait = {"Retry-After": str(max(1, round(error.retry_after)))}
        raise Problem("engine-busy", headers=wait) from error
    except client.Unavailable as error:
        raise Problem("unavailable", headers={"Retry-After": "5"}) from error
    except ValueError as error:
        raise ValidationError({"image": [str(error)]}) from error


def find_details(look: Callable[[], Asked | None]) -> Asked | None:
    """None where the garment's photo is gone or cannot be read. Raises Problem."""
    try:
        return look()
    except client.NoDetails as error:
        raise Problem("no-details", str(error)) from error
    except client.Overloaded as error:
        wait = {"Retry-After": str(max(1, round(error.retry_after)))}
        raise Problem("engine-busy", headers=wait) from error
    except client.Unavailable as error:
        raise Problem("unavailable", headers={"Retry-After": "5"}) from error
    except (FileNotFoundError, InvalidImage, ValueError):
        return None


def read_upload(upload: photos.Upload) -> bytes:
    """Raises Problem."""
    try:
        return photos.read_upload(upload)
    except photos.PhotoRefused as error:
        raise Problem("photo-refused", error.detail, reason=error.code) from error
