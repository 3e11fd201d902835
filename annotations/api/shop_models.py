from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts.api.base import ApiView
from accounts.models import Scope
from annotations import engine, shop_models
from kalas.lib.api.inputs import StrictSerializer, read

Fields = serializers.Serializer[Any]


class ModelChange(StrictSerializer):
    family = serializers.CharField(
        max_length=200, allow_blank=True, help_text="One of `families`; empty: the engine's own."
    )


class ChosenModel(Fields):
    name = serializers.CharField()
    version = serializers.CharField()


class FamilyAnswer(ChosenModel):
    family = serializers.CharField()


class ShopModelAnswer(Fields):
    family = serializers.CharField(help_text="Empty: the engine's own model.")
    model = ChosenModel(allow_null=True, help_text="Null while the engine is away.")
    families = FamilyAnswer(many=True)
    older = serializers.IntegerField(help_text="Photos that another model annotated.")


class ModelView(ApiView):
    scopes = {"GET": (Scope.MANAGE,), "PATCH": (Scope.MANAGE,)}

    @extend_schema(operation_id="get_model", responses=ShopModelAnswer)
    def get(self, request: Request) -> Response:
        """Which model annotates the shop's photos, and which others there are."""
        return Response(self._describe())

    @extend_schema(operation_id="choose_model", request=ModelChange, responses=ShopModelAnswer)
    def patch(self, request: Request) -> Response:
        """Let another family of models annotate from now on."""
        asked = read(ModelChange, request.data)
        try:
            shop_models.choose_family(tenant=self.tenant, choice=asked["family"])
        except shop_models.NotOffered as error:
            raise ValidationError({"family": ["The engine has no such family."]}) from error
        return Response(self._describe())

    def _describe(self) -> dict[str, Any]:
        model = engine.read_model(family=self.tenant.model_family)
        return {
            "family": self.tenant.model_family,
            "model": {"name": model.name, "version": model.version} if model else None,
            "families": [
                {"family": f.choice, "name": f.name, "version": f.version}
                for f in shop_models.list_families()
            ],
            "older": shop_models.list_older(tenant=self.tenant).count(),
        }
