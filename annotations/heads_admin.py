"""What reviews have taught, of all shops together and of each: trained, promoted and taken back."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotations.models import TrainedHead
from annotations.reviewing import training
from annotations.templatetags.annotations import change_key_title, said_title

SHOWN = 50


@admin.register(TrainedHead)
class TrainedHeadAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    change_list_template = "admin/annotations/trained_heads.html"
    list_display = ("__str__", "shop", "state", "is_in_use", "better_at", "created_at")
    list_filter = ("state", "is_in_use", ("tenant", admin.EmptyFieldListFilter))
    list_select_related = ("tenant",)
    ordering = ("-created_at",)
    actions = ("promote", "roll_back")
    fields = (
        "shop", "number", "model_name", "model_version", "state", "is_in_use", "created_at",
        "finished_at", "promoted_at", "better_at", "lineage", "would_change",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[TrainedHead]:
        return super().get_queryset(request).defer("weights", "labels")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        train = path(
            "train/", self.admin_site.admin_view(self.train), name="annotations_trainedhead_train"
        )
        return [train, *super().get_urls()]

    def train(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_change_permission(request):
            return HttpResponse(status=403)
        by: Any = request.user
        try:
            training.request_training(tenant=None, by=by, now=timezone.now())
        except training.NoConsent:
            self.message_user(request, _("No shop has consented."), messages.WARNING)
        except training.TooFewReviews as error:
            text = _("There are %(number)d reviewed garments; it takes %(fewest)d to learn from.")
            numbers = {"number": error.number, "fewest": training.FEWEST}
            self.message_user(request, text % numbers, messages.WARNING)
        except training.AlreadyTraining:
            self.message_user(request, _("It is being trained already."), messages.WARNING)
        return redirect(reverse("admin:annotations_trainedhead_changelist"))

    @admin.action(description=gettext_lazy("Use it"), permissions=["change"])
    def promote(self, request: HttpRequest, rows: QuerySet[TrainedHead]) -> None:
        for head in rows.select_related("tenant"):
            try:
                training.promote_head(tenant=head.tenant, head_id=head.id, now=timezone.now())
            except training.NotPromotable:
                text = _("Only what is better than what is in use can be used.")
                self.message_user(request, text, messages.WARNING)

    @admin.action(description=gettext_lazy("Roll back"), permissions=["change"])
    def roll_back(self, request: HttpRequest, rows: QuerySet[TrainedHead]) -> None:
        for tenant in {head.tenant for head in rows.select_related("tenant") if head.is_in_use}:
            training.roll_back(tenant=tenant)

    @admin.display(description=gettext_lazy("shop"), ordering="tenant")
    def shop(self, head: TrainedHead) -> str:
        return str(head.tenant) if head.tenant else _("All shops")

    @admin.display(description=gettext_lazy("better at"))
    def better_at(self, head: TrainedHead) -> SafeString:
        parts = [part for part in head.report.get("keys", ()) if part["used"]]
        rows = [(change_key_title(x["key"]), x["before"], x["after"], x["held_out"]) for x in parts]
        return format_html_join(" · ", "{} {} → {} / {}", rows)

    @admin.display(description=gettext_lazy("learned from"))
    def lineage(self, head: TrainedHead) -> str:
        text = _("%(number)d reviews, of which %(erased)d were erased since")
        return text % {"number": len(head.reviews), "erased": training.count_erased(head)}

    @admin.display(description=gettext_lazy("what would change"))
    def would_change(self, head: TrainedHead) -> SafeString:
        if head.state != TrainedHead.State.READY:
            return SafeString("—")
        lines = [
            (
                each.garment.annotation.product or each.garment.annotation.image.name,
                change_key_title(key),
                said_title(key, before),
                said_title(key, after),
            )
            for each in training.list_would_change(head, most=SHOWN)
            for key, before, after, _confidence in each.changes
        ]
        return format_html_join("", "<div>{}: {} {} → {}</div>", lines) or SafeString("—")
