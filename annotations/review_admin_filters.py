"""What reviewers narrow their lists in the admin by."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import Membership, Tenant
from annotations.forms import list_categories
from annotations.models import Garment
from annotations.reviewing.queue import REVIEWERS

NOBODY = "nobody"
SURE = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.01))


def list_shops(request: HttpRequest) -> QuerySet[Tenant]:
    """Those in which the user reviews; all for operators."""
    user = request.user
    if user.is_superuser:
        return Tenant.objects.all()
    members = Membership.objects.filter(user__pk=user.pk or 0, role__in=REVIEWERS)
    return Tenant.objects.filter(memberships__in=members)


class ShopFilter(admin.SimpleListFilter):
    title = _("shop")
    parameter_name = "shop"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        shops = list_shops(request).order_by("name")[:200]
        return [(str(shop.id), shop.name) for shop in shops]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return _filter_by_id(queryset, "tenant", self.value())


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("", _("To review")), ("reviewed", _("Reviewed")), ("all", _("All"))]

    def choices(self, changelist: Any) -> Any:
        for value, title in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: value or None})
            selected = (self.value() or "") == value
            yield {"selected": selected, "query_string": query, "display": title}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "reviewed":
            return queryset.filter(reviewed_at__isnull=False)
        return queryset if self.value() == "all" else queryset.filter(needs_review=True)


class SureFilter(admin.SimpleListFilter):
    title = _("confidence")
    parameter_name = "confidence"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(i), f"{a:.0%} – {min(b, 1):.0%}") for i, (a, b) in enumerate(SURE)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value not in {str(number) for number in range(len(SURE))}:
            return queryset
        low, high = SURE[int(value)]
        return queryset.filter(least_confidence__gte=low, least_confidence__lt=high)


class CategoryFilter(admin.SimpleListFilter):
    title = _("category")
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list_categories()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        garments = Garment.objects.filter(category=value, primary=True)
        return queryset.filter(id__in=garments.values("annotation"))


class AssignedFilter(admin.SimpleListFilter):
    title = _("assigned to")
    parameter_name = "assigned"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("me", _("Me")), ("somebody", _("Somebody")), (NOBODY, _("Nobody"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "me":
            return queryset.filter(task__assigned_to=request.user.pk)
        if self.value() == "somebody":
            return queryset.filter(task__assigned_to__isnull=False)
        if self.value() == NOBODY:
            return queryset.filter(task__assigned_to__isnull=True)
        return queryset


def _filter_by_id(queryset: QuerySet[Any], name: str, value: str | None) -> QuerySet[Any]:
    if not value:
        return queryset
    try:
        return queryset.filter(**{name: UUID(value)})
    except ValueError:
        return queryset.none()
