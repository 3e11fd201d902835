from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from accounts.api.base import ApiView
from annotations.api.answers import TaxonomyAnswer
from inference import taxonomy
from kalas.lib.api.etags import answer_rendered, build_etag


class TaxonomyView(ApiView):
    scopes = {}

    @extend_schema(operation_id="get_taxonomy", responses=TaxonomyAnswer)
    def get(self, request: Request) -> HttpResponse:
        """Objects, categories, attributes with where they apply, and colours, in en and tr."""
        return answer_rendered(request, *_render())


@cache
def _render() -> tuple[bytes, str]:
    """The same for everybody, and 34 kB."""
    body = JSONRenderer().render(_describe())
    return body, build_etag(body)


def _describe() -> dict[str, Any]:
    known = taxonomy.load()
    return {
        "version": known.version,
        "objects": [{"name": each.name, "names": each.names} for each in known.object_types],
        "categories": [
            {"name": each.name, "names": each.names, "object": each.object_type}
            for each in known.categories
        ],
        "attributes": [
            {
                "key": each.key,
                "names": each.names,
                "exclusive": each.exclusive,
                "applies_to": each.applies_to,
                "values": [
                    {"name": value.name, "names": value.names, "applies_to": value.applies_to}
                    for value in each.values
                ],
            }
            for each in known.attributes
        ],
        "colours": [
            {"name": each.name, "names": each.names, "hex": each.hex, "family": each.family}
            for each in known.colours
        ],
    }
