from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView, once_per_idempotency_key
from accounts.models import Scope
from kalas.lib.api.inputs import StrictSerializer, UploadField, read
from kalas.lib.api.problems import Problem
from retrieval import similar, wanting
from retrieval.api import engine
from retrieval.api.shoppers import narrow
from retrieval.filters import NO_FILTERS

SHOWN = 10


class OldRetrieveInput(StrictSerializer):
    image = UploadField()


class OldRetrieveAnswer(serializers.Serializer[None]):
    """As Kalas-Iris answered, and why there is nothing."""

    paths = serializers.ListField(child=serializers.URLField(), help_text="The likest first.")
    reason = serializers.ChoiceField(
        choices=["no-garment", "no-retriever", "nothing-similar"],
        required=False,
        help_text="Given where `paths` is empty. `no-retriever`: the shop's model names garments"
        " but cannot compare them. `nothing-similar`: no photo of the shop's shows a similar item.",
    )


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
        seen = engine.annotate(engine.read_upload(upload), caller=self.caller)
        wanted = wanting.want_found(seen)
        try:
            found = (
                similar.find_similar(
                    tenant=self.tenant,
                    wanted=wanted,
                    filters=narrow(NO_FILTERS, self.caller),
                    limit=SHOWN,
                )
                if wanted
                else []
            )
        except similar.BeingBuilt as error:
            raise Problem("index-being-built", str(error)) from error
        root = settings.PUBLIC_URL.rstrip("/")
        ids = [match.photo.image_id for match in found]
        paths = [root + reverse("api_image_file", args=[pk]) for pk in ids]
        if paths:
            return Response({"paths": paths})
        nothing = "nothing-similar" if wanted else "no-retriever"
        return Response({"paths": [], "reason": nothing if seen.garments else "no-garment"})
