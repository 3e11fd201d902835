"""What the review page's script sends: read, or refused with a problem that it shows."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import serializers

from accounts.http import TenantRequest
from annotations.api.inputs import ReviewInput
from annotations.reviewing import claims
from kalas.lib.api.inputs import StrictSerializer, read

View = Callable[..., HttpResponse]
MOST_AT_HAND = 100


class ClaimInput(StrictSerializer):
    skipped = serializers.BooleanField(required=False)
    without = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_AT_HAND)
    number = serializers.IntegerField(min_value=1, max_value=claims.MOST)
    only = serializers.UUIDField(required=False)


class KeepInput(StrictSerializer):
    items = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_AT_HAND)


class SaveInput(ReviewInput):
    review = serializers.UUIDField()
    second = serializers.BooleanField(required=False)


class UndoInput(StrictSerializer):
    review = serializers.UUIDField()


def in_shop_of_page(view: View) -> View:
    """Refuse what a page of one shop sends after its reader went on in another, in another tab."""

    @wraps(view)
    def check(request: TenantRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        shop = request.headers.get("X-Kalas-Shop")
        if shop and shop != str(request.tenant.id):
            detail = _("You work in another shop by now. Choose this page's shop again.")
            return refuse(detail, 409, reason="other-shop")
        return view(request, *args, **kwargs)

    return check


def read_input(
    request: HttpRequest, serializer: type[StrictSerializer]
) -> dict[str, Any] | HttpResponse:
    try:
        return read(serializer, json.loads(request.body))
    except ValueError:
        return refuse(_("This is no JSON."), 400)
    except serializers.ValidationError as error:
        return refuse(flatten(error.detail), 422)


def flatten(detail: Any) -> str:
    if isinstance(detail, dict):
        return " ".join(f"{name}: {flatten(each)}" for name, each in detail.items())
    if isinstance(detail, list):
        return " ".join(flatten(each) for each in detail)
    return str(detail)


def refuse(detail: str, status: int, **more: str) -> HttpResponse:
    return JsonResponse(
        {"type": "about:blank", "title": _("That can't be saved."), "detail": detail, **more},
        status=status,
        content_type="application/problem+json",
    )
