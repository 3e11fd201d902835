from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import usage
from accounts.api.base import ApiView
from accounts.api.serializers import UsageAnswer, UsageQuery
from accounts.models import Scope
from kalas.lib.api.inputs import read_query


class UsageView(ApiView):
    scopes = {"GET": (Scope.ANNOTATE, Scope.MANAGE)}

    @extend_schema(operation_id="usage", parameters=[UsageQuery], responses=UsageAnswer)
    def get(self, request: Request) -> Response:
        """What all keys of the shop did, by day, and what is left of the month."""
        asked = read_query(request, UsageQuery)
        days = usage.list_days(tenant=self.tenant, first=asked["since"], last=asked["until"])
        month = usage.read_month(tenant=self.tenant, now=timezone.now())
        return Response(UsageAnswer({"month": month, "days": days}).data)
