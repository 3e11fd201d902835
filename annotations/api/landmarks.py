from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from accounts.models import Scope
from annotations import files, landmarks, selectors
from inference import client
from inference.contract import InvalidImage
from kalas.lib.api.problems import Problem

Fields = serializers.Serializer[Any]


class LandmarkAnswer(Fields):
    name = serializers.CharField()
    x = serializers.FloatField(help_text="Source pixels.")
    y = serializers.FloatField()
    visible = serializers.FloatField(help_text="0 to 1.")


class OutlinedGarment(Fields):
    garment = serializers.UUIDField()
    landmarks = LandmarkAnswer(many=True)


class LandmarkModel(Fields):
    name = serializers.CharField()
    version = serializers.CharField()


class LandmarksAnswer(Fields):
    model = LandmarkModel()
    garments = OutlinedGarment(many=True)


class LandmarksView(ApiView):
    scopes = {"GET": (Scope.ANNOTATE,)}
    # The engine takes its time.
    is_one_transaction = False

    @extend_schema(operation_id="find_landmarks", responses=LandmarksAnswer)
    def get(self, request: Request, annotation_id: UUID) -> Response:
        """Collar, sleeves, waistline and hem of the photo's garments, where a detector was brought
        in (`manage.py import_weights`); 503 without one."""
        annotation = selectors.get_annotation(tenant=self.tenant, annotation_id=annotation_id)
        try:
            model, found = landmarks.find_landmarks(annotation=annotation)
        except landmarks.NoDetector as error:
            detail = (
                "No detector is there: bring MMFashion's landmark detector in with"
                " manage.py import_weights."
            )
            raise Problem("unavailable", detail) from error
        except client.Overloaded as error:
            wait = {"Retry-After": str(max(1, round(error.retry_after)))}
            raise Problem("engine-busy", headers=wait) from error
        except (FileNotFoundError, InvalidImage) as error:
            raise Problem("not-found") from error
        except (client.Unavailable, files.StorageAway, ValueError) as error:
            raise Problem("unavailable", headers={"Retry-After": "5"}) from error
        return Response(
            {
                "model": {"name": model.name, "version": model.version},
                "garments": [
                    {
                        "garment": str(each.garment.id),
                        "landmarks": [
                            {"name": p.name, "x": p.x, "y": p.y, "visible": p.visible}
                            for p in each.points
                        ],
                    }
                    for each in found
                ],
            }
        )
