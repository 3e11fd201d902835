from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView
from accounts.models import Scope
from inference import client
from kalas.lib.api.problems import Problem
from retrieval import thumbnails
from retrieval.api.answers import THUMBNAIL, ComparedModel, ProductAnswer, describe_product
from retrieval.api.shoppers import visible_products
from retrieval.services import outfits

Fields = serializers.Serializer[Any]


class MatchingProduct(Fields):
    product = ProductAnswer()
    distance = serializers.FloatField(
        help_text="Less goes better; comparable within one type only."
    )
    thumbnail = serializers.CharField(help_text=THUMBNAIL)


class MatchingGroup(Fields):
    type = serializers.CharField(help_text="Polyvore's: tops, shoes, bags …")
    products = MatchingProduct(many=True)


class GoesWithAnswer(Fields):
    model = ComparedModel()
    waiting = serializers.IntegerField(help_text="Products that are still being looked at.")
    groups = MatchingGroup(many=True)


class GoesWithView(ApiView):
    scopes = {"GET": (Scope.SEARCH,)}
    # The engine takes its time.
    is_one_transaction = False

    @extend_schema(operation_id="goes_with", responses=GoesWithAnswer)
    def get(self, request: Request, product_id: UUID) -> Response:
        """The shop's products of other types that go with this one, the best first.

        Needs a recommender that was brought in (`manage.py import_weights`); 503 without one.
        """
        product = visible_products(self.caller).filter(id=product_id).first()
        if product is None:
            raise Problem("not-found")
        try:
            found = outfits.find_matching(
                tenant=self.tenant, product=product, only_listed=self.caller.only_searches
            )
        except outfits.NoRecommender as error:
            detail = (
                "No recommender is there: bring MMFashion's type-aware recommender in with"
                " manage.py import_weights."
            )
            raise Problem("unavailable", detail) from error
        except client.Overloaded as error:
            wait = {"Retry-After": str(max(1, round(error.retry_after)))}
            raise Problem("engine-busy", headers=wait) from error
        except (client.Unavailable, ValueError) as error:
            raise Problem("unavailable", headers={"Retry-After": "5"}) from error
        now = timezone.now()
        return Response(
            {
                "model": {"name": found.model.name, "version": found.model.version},
                "waiting": found.waiting,
                "groups": [
                    {
                        "type": group.kind,
                        "products": [
                            {
                                "product": describe_product(each.product),
                                "distance": round(each.distance, 6),
                                "thumbnail": thumbnails.build_address(each.image_id, now=now),
                            }
                            for each in group.products
                        ],
                    }
                    for group in found.groups
                ],
            }
        )
