from typing import Any

from django.contrib import admin, messages
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import User
from annotations import (  # noqa: F401 - some register their pages
    heads_admin,
    jobs,
    review_admin,
    services,
)
from annotations.admin_photos import draw_photo, draw_thumbnail
from annotations.models import Annotation, Colour, DemoShop, FashionImage, Garment, Label
from annotations.templatetags.annotations import category_title, percent


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class GarmentInline(ReadOnlyInline):
    model = Garment
    fields = (
        "object_type",
        "category",
        "category_confidence",
        "primary",
        "left",
        "top",
        "right",
        "bottom",
    )


class AnnotationInline(ReadOnlyInline):
    model = Annotation
    fields = ("state", "needs_review", "crop", "model_name", "model_version", "created_at")
    readonly_fields = ("created_at",)


class LabelInline(ReadOnlyInline):
    """To look at: who changes a label goes through the review queue, which keeps who and when."""

    model = Label
    fields = ("key", "name", "confidence", "origin")


class ColourInline(ReadOnlyInline):
    model = Colour
    fields = ("position", "name", "hex", "share")


class NothingAdded(admin.ModelAdmin):  # type: ignore[type-arg]
    """Photos and annotations come through uploads, which check and store them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(FashionImage)
class FashionImageAdmin(NothingAdded):
    list_display = ("preview", "name", "tenant", "source", "size", "created_at")
    list_display_links = ("name",)
    list_filter = ("source", ("tenant", admin.RelatedOnlyFieldListFilter), "created_at")
    list_select_related = ("tenant",)
    search_fields = ("name", "sha256", "tenant__name", "uploaded_by__email")
    date_hierarchy = "created_at"
    list_per_page = 50
    fields = (
        "large_preview",
        "name",
        "tenant",
        "source",
        "size",
        "bytes",
        "sha256",
        "upload_sha256",
        "uploaded_by",
        "created_at",
    )
    readonly_fields = tuple(name for name in fields if name != "name")
    inlines = (AnnotationInline,)

    @admin.display(description=_("photo"))
    def preview(self, image: FashionImage) -> SafeString:
        return draw_thumbnail(image)

    @admin.display(description=_("photo"))
    def large_preview(self, image: FashionImage) -> SafeString:
        return draw_photo(image, garments=[])

    @admin.display(description=_("size"))
    def size(self, image: FashionImage) -> str:
        return f"{image.width} × {image.height}"

    def delete_model(self, request: HttpRequest, obj: FashionImage) -> None:
        services.delete_image(tenant=obj.tenant, image_id=obj.id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[FashionImage]) -> None:
        for image in queryset.select_related("tenant"):
            services.delete_image(tenant=image.tenant, image_id=image.id)


@admin.register(Annotation)
class AnnotationAdmin(NothingAdded):
    list_display = ("preview", "image", "tenant", "state", "needs_review", "found", "created_at")
    list_display_links = ("image",)
    list_filter = (
        "state",
        "needs_review",
        ("tenant", admin.RelatedOnlyFieldListFilter),
        "garments__object_type",
        "garments__category",
        "model_version",
        "created_at",
    )
    search_fields = ("image__name", "tenant__name", "garments__category", "error")
    date_hierarchy = "created_at"
    list_per_page = 50
    actions = ("annotate_again",)
    fields = (
        "large_preview",
        "image",
        "tenant",
        "state",
        "needs_review",
        "abstained",
        "alternatives",
        "error",
        "faults",
        "priority",
        "crop",
        "model_name",
        "model_version",
        "taxonomy",
        "timings_ms",
        "requested_by",
        "created_at",
        "finished_at",
    )
    # What the engine and the jobs have written is a record; decisions are made in the queue.
    readonly_fields = fields
    inlines = (GarmentInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Annotation]:
        garments = Garment.objects.defer("embedding").order_by("-primary", "-confidence", "id")
        annotations = super().get_queryset(request).select_related("image", "tenant")
        return annotations.prefetch_related(Prefetch("garments", garments))

    @admin.display(description=_("photo"))
    def preview(self, annotation: Annotation) -> SafeString:
        return draw_thumbnail(annotation.image)

    @admin.display(description=_("photo"))
    def large_preview(self, annotation: Annotation) -> SafeString:
        return draw_photo(annotation.image, garments=list(annotation.garments.all()))

    @admin.display(description=_("found"))
    def found(self, annotation: Annotation) -> SafeString:
        return format_html_join(
            ", ",
            "{} {}",
            (
                (category_title(garment.category), percent(garment.category_confidence))
                for garment in annotation.garments.all()
            ),
        )

    @admin.action(description=_("Annotate again"), permissions=["change"])
    def annotate_again(self, request: HttpRequest, queryset: QuerySet[Annotation]) -> None:
        assert isinstance(request.user, User)  # noqa: S101 - the admin lets nobody else in
        asked = 0
        shops = set()
        for annotation in queryset.exclude(state=Annotation.State.PENDING):
            shops.add(annotation.tenant_id)
            services.annotate_again(
                tenant=annotation.tenant,
                annotation_id=annotation.id,
                requested_by=request.user,
                now=timezone.now(),
                priority=Annotation.Priority.BULK,
            )
            asked += 1
        for tenant_id in sorted(shops):
            jobs.wake_shop(tenant_id, at=timezone.now())
        text = ngettext("%d photo waits again.", "%d photos wait again.", asked)
        self.message_user(request, text % asked, messages.SUCCESS)


@admin.register(Garment)
class GarmentAdmin(NothingAdded):
    list_display = ("preview", "category", "category_confidence", "object_type", "shop")
    list_display_links = ("category",)
    list_filter = (
        "object_type",
        "category",
        ("annotation__tenant", admin.RelatedOnlyFieldListFilter),
    )
    list_select_related = ("annotation__image", "annotation__tenant")
    search_fields = ("category", "annotation__image__name", "annotation__tenant__name")
    list_per_page = 50
    fields = (
        "large_preview",
        "annotation",
        "object_type",
        "category",
        "category_confidence",
        "alternatives",
        "confidence",
        "primary",
        "left",
        "top",
        "right",
        "bottom",
    )
    readonly_fields = fields
    inlines = (LabelInline, ColourInline)

    @admin.display(description=_("photo"))
    def preview(self, garment: Garment) -> SafeString:
        return draw_thumbnail(garment.annotation.image)

    @admin.display(description=_("photo"))
    def large_preview(self, garment: Garment) -> SafeString:
        return draw_photo(garment.annotation.image, garments=[garment])

    @admin.display(description=_("shop"), ordering="annotation__tenant__name")
    def shop(self, garment: Garment) -> str:
        return str(garment.annotation.tenant)


@admin.register(Label)
class LabelAdmin(NothingAdded):
    list_display = ("key", "name", "confidence", "origin", "garment")
    list_filter = ("origin", "key", "name")
    list_select_related = ("garment",)
    search_fields = ("key", "name")
    readonly_fields = ("garment", "key", "name", "confidence", "origin")


@admin.register(Colour)
class ColourAdmin(NothingAdded):
    list_display = ("name", "hex", "share", "garment")
    list_filter = ("name",)
    list_select_related = ("garment",)
    search_fields = ("name", "hex")
    readonly_fields = ("garment", "position", "name", "hex", "share")


@admin.register(DemoShop)
class DemoShopAdmin(NothingAdded):
    list_display = ("tenant", "loaded_at", "removed_at")
    list_select_related = ("tenant",)
    readonly_fields = ("tenant", "loaded_at", "removed_at")
