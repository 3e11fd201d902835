from typing import Any
from uuid import UUID

from django.utils import translation
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from accounts.models import Scope
from kalas.lib.api.inputs import read_query
from kalas.lib.api.problems import Problem
from retrieval.api.inputs import AuditQuery
from retrieval.auditing.advice import CODES, Audit, PhotoReport
from retrieval.auditing.texts import say
from retrieval.models import Product
from retrieval.services.audits import audit_product

Fields = serializers.Serializer[Any]


class AuditedPhoto(Fields):
    number = serializers.IntegerField(help_text="In the shop's order, from 1.")
    view = serializers.ChoiceField(choices=["worn", "lying"], allow_null=True)
    ground = serializers.ChoiceField(choices=["plain", "busy"], allow_null=True)
    garments = serializers.IntegerField()
    detail = serializers.BooleanField(help_text="A close-up.")
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    sharpness = serializers.FloatField(allow_null=True, help_text="0 to 1.")
    brightness = serializers.FloatField(allow_null=True, help_text="0 to 1.")
    faults = serializers.ListField(child=serializers.ChoiceField(choices=CODES))


class AdviceAnswer(Fields):
    code = serializers.ChoiceField(choices=CODES)
    photos = serializers.ListField(
        child=serializers.IntegerField(), help_text="Their numbers; none: it is of the product."
    )
    text = serializers.CharField()


class AuditAnswer(Fields):
    complete = serializers.BooleanField(
        help_text="Whether all photos were annotated and measured; until then more may follow."
    )
    advice = AdviceAnswer(many=True)
    photos = AuditedPhoto(many=True)


class ProductAuditView(ApiView):
    scopes = {"GET": (Scope.CATALOGUE,)}

    @extend_schema(operation_id="audit_product", parameters=[AuditQuery], responses=AuditAnswer)
    def get(self, request: Request, product_id: UUID) -> Response:
        """What the product's photos lack, and what to do about it.

        A photo's values are null until it was measured, its view where nothing is found on it.
        """
        asked = read_query(request, AuditQuery)
        product = Product.objects.for_tenant(self.caller.tenant).filter(id=product_id).first()
        if product is None:
            raise Problem("not-found")
        told = audit_product(product)
        with translation.override(asked["language"]):
            return Response(_describe(told, product))


def _describe(told: Audit, product: Product) -> dict[str, Any]:
    measured = sum(report.photo.measures is not None for report in told.photos)
    waiting = product.photos.filter(state__in=["waiting", "stored"]).count()
    return {
        "complete": measured == waiting,
        "advice": [
            {
                "code": each.code,
                "photos": list(each.photos),
                "text": say(each, object_type=product.object_type),
            }
            for each in told.advice
        ],
        "photos": [_describe_photo(report) for report in told.photos],
    }


def _describe_photo(report: PhotoReport) -> dict[str, Any]:
    photo = report.photo
    return {
        "number": photo.number,
        "view": report.view or None,
        "ground": report.ground or None,
        "garments": report.garments,
        "detail": report.detail,
        "width": photo.width,
        "height": photo.height,
        "sharpness": photo.measures.sharpness if photo.measures else None,
        "brightness": photo.measures.brightness if photo.measures else None,
        "faults": list(report.faults),
    }
