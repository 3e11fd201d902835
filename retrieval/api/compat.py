from uuid import uuid4

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts.api.base import ApiView, once_per_idempotency_key
from accounts.models import Scope
from annotations import photos
from annotations.models import Annotation, Garment
from inference import client
from inference.contract import AnnotationResult, InvalidImage
from kalas.lib.api.inputs import StrictSerializer, read
from kalas.lib.api.problems import Problem
from retrieval import selectors

SHOWN = 10
TIMEOUT_S = 30.0


class OldRetrieveInput(StrictSerializer):
    image = serializers.FileField()


class OldRetrieveAnswer(serializers.Serializer[None]):
    """As Kalas-Iris answered."""

    paths = serializers.ListField(child=serializers.URLField(), help_text="The likest first.")


class OldRetrieveView(ApiView):
    """For programs that were written for Kalas-Iris: they change the address and send a key."""

    scopes = {"POST": (Scope.SEARCH,)}
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="compat_retrieve",
        request={"multipart/form-data": OldRetrieveInput},
        responses=OldRetrieveAnswer,
    )
    @once_per_idempotency_key
    def post(self, request: Request) -> Response:
        """The form field `image` → addresses of the shop's photos that show similar items.

        Nothing of the photo is kept.
        """
        upload = read(OldRetrieveInput, request.data)["image"]
        result = _ask_engine(upload)
        wanted = _build_garment(result)
        found = (
            selectors.nearest_garments(tenant=self.tenant, garment=wanted, limit=SHOWN)
            if wanted
            else []
        )
        root = settings.PUBLIC_URL.rstrip("/")
        ids = [each.garment.annotation.image_id for each in found]
        return Response({"paths": [root + reverse("api_image_file", args=[pk]) for pk in ids]})


def _ask_engine(upload: photos.Upload) -> AnnotationResult:
    """Raises Problem."""
    try:
        photo = photos.check_photo(photos.read_upload(upload))
        return client.Client(settings.INFERENCE_URL).annotate(photo.data, timeout=TIMEOUT_S)
    except photos.PhotoRefused as error:
        raise Problem("photo-refused", error.detail, reason=error.code) from error
    except InvalidImage as error:
        raise Problem("photo-refused", error.detail, reason=error.code) from error
    except client.Overloaded as error:
        wait = {"Retry-After": str(max(1, round(error.retry_after)))}
        raise Problem("engine-busy", headers=wait) from error
    except client.Unavailable as error:
        raise Problem("unavailable", headers={"Retry-After": "5"}) from error
    except ValueError as error:
        raise ValidationError({"image": [str(error)]}) from error


def _build_garment(result: AnnotationResult) -> Garment | None:
    """What is looked for; it belongs to no photo and is not stored."""
    found = [each for each in result.garments if each.embedding]
    if not found:
        return None
    best = max(found, key=lambda each: (each.primary, each.confidence))
    model = Annotation(
        image_id=uuid4(), model_name=result.model.name, model_version=result.model.version
    )
    return Garment(annotation=model, embedding=list(best.embedding))
