"""Stores in the operators' back office: to look at, not to change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from integrations.stores.models import Store, StoreDelivery, StoreProduct, WriteBack


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Store)
class StoreAdmin(ReadOnly):
    list_display = (
        "__str__",
        "tenant",
        "platform",
        "state",
        "problem",
        "delivered_at",
        "polled_at",
    )
    list_filter = ("platform", "state", "problem")
    search_fields = ("name", "url", "tenant__name")
    list_select_related = ("tenant",)
    exclude = ("credentials", "token_sha256")


@admin.register(StoreProduct)
class StoreProductAdmin(ReadOnly):
    list_display = ("external_id", "store", "state", "problem", "read_at")
    list_filter = ("state", "problem")
    search_fields = ("external_id",)
    list_select_related = ("store",)


@admin.register(StoreDelivery)
class StoreDeliveryAdmin(ReadOnly):
    list_display = ("topic", "external_id", "store", "state", "received_at", "repeats")
    list_filter = ("state", "topic")
    search_fields = ("external_id",)
    list_select_related = ("store",)


@admin.register(WriteBack)
class WriteBackAdmin(ReadOnly):
    list_display = ("store_product", "store", "state", "created_at", "applied_at")
    list_filter = ("state",)
    list_select_related = ("store", "store_product__product")
