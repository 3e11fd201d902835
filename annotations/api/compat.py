from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts.api.base import ApiView, once_per_idempotency_key
from accounts.models import Scope
from annotations.api import ordering
from annotations.api.answers import OldAnnotationAnswer
from annotations.api.inputs import UploadForm
from inference import taxonomy
from kalas.lib.api.problems import Problem

WAIT_S = 30


class OldAnnotateView(ApiView):
    """For programs that were written for Kalas-Iris: they change the address and send a key."""

    scopes = {"POST": (Scope.ANNOTATE,)}
    is_one_transaction = False
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="compat_annotate",
        parameters=[],
        request={"multipart/form-data": UploadForm},
        responses=OldAnnotationAnswer,
    )
    @once_per_idempotency_key
    def post(self, request: Request) -> Response:
        """The form field `image` → probabilities by name, and colours as #rrggbb."""
        uploads, wish = ordering.read_form(self)
        if len(uploads) > 1:
            raise ValidationError({"image": ["One file; /api/v1/annotations/ takes several."]})
        response = ordering.take_upload(self, uploads[0], wish, WAIT_S)
        result: Mapping[str, Any] = response.data
        if result["state"] == "pending":
            location = response["Location"]
            headers = {"Retry-After": "2", "Location": location}
            raise Problem("engine-busy", headers=headers, annotation=location, id=result["id"])
        if result["state"] == "failed":
            raise Problem("photo-refused", result["error"], reason="failed")
        return Response(_translate(result))


def _translate(result: Mapping[str, Any]) -> dict[str, Any]:
    """The first name that is given for a probability is the likeliest, as it was there."""
    known = taxonomy.load()
    attributes: dict[str, float] = {}
    categories: dict[str, float] = {}
    colours: list[str] = []
    for garment in result["garments"]:
        category = garment["category"]
        for each in (category, *category["alternatives"]):
            title = known.title("category", each["name"], "en")
            categories[title] = max(each["confidence"], categories.get(title, 0))
        for label in garment["attributes"]:
            title = known.title("value", f"{label['key']}:{label['name']}", "en")
            attributes[title] = max(label["confidence"], attributes.get(title, 0))
        colours += [colour["hex"] for colour in garment["colours"]]
    original = result.get("original")
    if original:
        return {
            "attributes": _rank(original["attributes"]),
            "categories": _rank(original["categories"]),
            "colors": list(dict.fromkeys(colours)),
            # eTryOn's own values are probabilities already.
            "category_probabilities": _rank(
                original.get("category_probabilities", original["categories"])
            ),
            "calibrated": "calibration" in original,
        }
    return {
        "attributes": _rank(attributes),
        "categories": _rank(categories),
        "colors": list(dict.fromkeys(colours)),
    }


def _rank(values: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(values.items(), key=lambda item: -item[1]))
