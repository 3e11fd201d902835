"""The reviewers' back office: who may review in a shop sees its queue here, and nothing else.

Everything that is changed goes through the same services as on the review page.
"""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, F, OuterRef, Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import Tenant, User
from annotations import selectors
from annotations.admin_photos import draw_photo
from annotations.garment_forms import AnswerForm
from annotations.models import Annotation, Garment, Review, ReviewItem, ReviewTask
from annotations.review_admin_filters import (
    AssignedFilter,
    CategoryFilter,
    ShopFilter,
    StateFilter,
    SureFilter,
    list_shops,
)
from annotations.reviewing import claims
from annotations.reviewing.corrections import CorrectionRefused, Corrections
from annotations.reviewing.queue import REVIEWERS
from annotations.reviewing.services import (
    NotReviewable,
    NotUndoable,
    Remark,
    ReviewedMeanwhile,
    Reviewer,
    review_annotation,
    review_many,
    undo_review,
)
from annotations.templatetags.annotations import (
    age,
    category_title,
    change_key_title,
    change_value,
    percent,
    value_title,
)

# Each is a transaction of its own, within one request.
MOST_AT_ONCE = 500


class ByRole(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows with a `tenant`: to whoever reviews in that shop, whatever Django's permissions say."""

    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows if request.user.is_superuser else rows.filter(tenant__in=list_shops(request))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._reviews(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._reviews(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._reviews(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def _reviews(self, request: HttpRequest) -> bool:
        """Asked many times a page; answered once."""
        known: bool | None = getattr(request, "_reviews_somewhere", None)
        if known is None:
            known = bool(request.user.is_active and list_shops(request).exists())
            request._reviews_somewhere = known  # type: ignore[attr-defined]
        return known


class ReassignForm(ActionForm):
    """The action's field: whom the chosen ones are for."""

    reviewer = forms.CharField(
        required=False, label=_("Reviewer"), widget=forms.TextInput({"list": "reviewers"})
    )


@admin.register(ReviewItem)
class ReviewItemAdmin(ByRole):
    list_display = ("preview", "image", "found", "least", "tenant", "assigned", "waits", "state")
    list_display_links = ("image",)
    list_filter = (StateFilter, ShopFilter, SureFilter, CategoryFilter, AssignedFilter)
    search_fields = ("image__name", "product")
    ordering = (F("least_confidence").asc(nulls_first=True), "id")
    actions = ("accept", "reject", "bad_photo", "reassign")
    action_form = ReassignForm
    change_list_template = "admin/annotations/review_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        garments = Garment.objects.defer("embedding").order_by("-primary", "-confidence", "id")
        rows = (
            super()
            .get_queryset(request)
            .select_related("image", "tenant", "task__assigned_to", "task__claimed_by")
        )
        return rows.prefetch_related(Prefetch("garments", garments), "garments__labels")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        people = User.objects.filter(
            memberships__tenant__in=list_shops(request), memberships__role__in=REVIEWERS
        )
        context = {"reviewers": people.distinct().order_by("email")[:500], **(extra_context or {})}
        return super().changelist_view(request, context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The photo with its boxes and every value in a field of its own."""
        annotation = self._get(request, object_id)
        form = AnswerForm(request.POST or None, annotation=annotation)
        if request.method == "POST" and form.is_valid() and self._save(request, annotation, form):
            return redirect("admin:annotations_reviewitem_changelist")
        history = annotation.reviews.select_related("reviewer", "key", "undone_by")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": annotation.image.name,
            "original": annotation,
            "form": form,
            "photo": draw_photo(annotation.image, garments=list(annotation.garments.all())),
            "history": history.defer("before", "after").order_by("-version")[:50],
            "task": getattr(annotation, "task", None),
        }
        return TemplateResponse(request, "admin/annotations/review_item.html", context)

    @admin.display(description=_("photo"))
    def preview(self, annotation: Annotation) -> SafeString:
        garments = list(annotation.garments.all())
        return draw_photo(annotation.image, garments=garments, height=96, name="thumbnail")

    @admin.display(description=_("found"))
    def found(self, annotation: Annotation) -> SafeString | str:
        """The main garment with its labels; of the others the number."""
        garments = list(annotation.garments.all())
        if not garments:
            return annotation.abstained or "—"
        main = garments[0]
        return format_html(
            "<strong>{}</strong> {} {}<div><small>{}</small></div>",
            category_title(main.category),
            percent(main.category_confidence),
            f"+{len(garments) - 1}" if len(garments) > 1 else "",
            ", ".join(value_title(label) for label in main.labels.all()),
        )

    @admin.display(description=_("confidence"), ordering="least_confidence")
    def least(self, annotation: Annotation) -> str:
        return percent(annotation.least_confidence) if annotation.least_confidence else "—"

    @admin.display(description=_("for"))
    def assigned(self, annotation: Annotation) -> SafeString | str:
        task = getattr(annotation, "task", None)
        if task is None:
            return "—"
        is_held = task.claimed_by and task.claimed_until and task.claimed_until > timezone.now()
        if is_held:
            return format_html("{} <small>({})</small>", task.claimed_by, _("at it"))
        return str(task.assigned_to or "—")

    @admin.display(description=_("waits"), ordering="created_at")
    def waits(self, annotation: Annotation) -> str:
        return age(annotation.created_at)

    @admin.action(description=_("Accept as it is"), permissions=["change"])
    def accept(self, request: HttpRequest, queryset: QuerySet[Annotation]) -> None:
        self._review(request, queryset, Corrections())

    @admin.action(description=_("Reject: not a garment"), permissions=["change"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Annotation]) -> None:
        self._review(request, queryset, Corrections(verdict=Review.Verdict.NOT_A_GARMENT))

    @admin.action(description=_("Reject: bad photo"), permissions=["change"])
    def bad_photo(self, request: HttpRequest, queryset: QuerySet[Annotation]) -> None:
        self._review(request, queryset, Corrections(verdict=Review.Verdict.BAD_PHOTO))

    @admin.action(description=_("Assign to the reviewer (empty: nobody)"), permissions=["change"])
    def reassign(self, request: HttpRequest, queryset: QuerySet[Annotation]) -> None:
        email = request.POST.get("reviewer", "").strip()
        reviewer = User.objects.filter(email__iexact=email).first() if email else None
        assigned = 0
        try:
            if email and reviewer is None:
                raise claims.NotAReviewer
            for tenant, ids in _by_shop(queryset):
                assigned += claims.assign(
                    tenant=tenant, annotation_ids=ids, reviewer=reviewer, now=timezone.now()
                )
        except claims.NotAReviewer:
            problem = _("%s is no reviewer of the shop of each of these photos.") % email
            self.message_user(request, problem, messages.ERROR)
        if assigned:
            text = ngettext("%d photo was assigned.", "%d photos were assigned.", assigned)
            self.message_user(request, text % assigned, messages.SUCCESS)

    def _review(
        self, request: HttpRequest, queryset: QuerySet[Annotation], said: Corrections
    ) -> None:
        """Only what still waits and nobody is at: the list may have been shown an hour ago."""
        now, number = timezone.now(), queryset.count()
        at_it = ReviewTask.objects.filter(annotation=OuterRef("id"), claimed_until__gt=now)
        at_it = at_it.exclude(claimed_by=request.user.pk)
        free = queryset.filter(needs_review=True).exclude(Exists(at_it))
        chosen = list(free.values_list("id", "version", "tenant")[:MOST_AT_ONCE])
        done = 0
        for tenant in Tenant.objects.filter(id__in={tenant_id for *_row, tenant_id in chosen}):
            rows = [(row_id, version, said) for row_id, version, of in chosen if of == tenant.id]
            reviews, _stale = review_many(tenant=tenant, said=rows, by=_reviewer(request), now=now)
            done += len(reviews)
        left = number - done
        text = ngettext("%d photo was reviewed.", "%d photos were reviewed.", done)
        self.message_user(request, text % done, messages.SUCCESS)
        if left:
            text = ngettext(
                "%(left)d was left as it is: reviewed meanwhile, in somebody's hands, or beyond "
                "the first %(most)d.",
                "%(left)d were left as they are: reviewed meanwhile, in somebody's hands, or "
                "beyond the first %(most)d.",
                left,
            )
            text %= {"left": left, "most": MOST_AT_ONCE}
            self.message_user(request, text, messages.WARNING)

    def _get(self, request: HttpRequest, object_id: str) -> Annotation:
        """Somebody else's is a missing one. Raises Http404."""
        try:
            shops = list_shops(request)
            rows = Annotation.objects.filter(tenant__in=shops).select_related("tenant", "task")
            return selectors.with_everything(rows).get(id=UUID(object_id))
        except (ValueError, Annotation.DoesNotExist) as error:
            raise Http404 from error

    def _save(self, request: HttpRequest, annotation: Annotation, form: AnswerForm) -> bool:
        try:
            review_annotation(
                tenant=annotation.tenant,
                annotation_id=annotation.id,
                by=_reviewer(request),
                now=timezone.now(),
                corrections=form.as_corrections(),
                remark=Remark(
                    version=form.cleaned_data["version"], comment=form.cleaned_data["comment"]
                ),
            )
        except ReviewedMeanwhile:
            form.add_error(
                None,
                _("Somebody else has reviewed this photo meanwhile. Load the page again."),
            )
        except NotReviewable:
            form.add_error(None, _("This annotation has no result to review."))
        except CorrectionRefused as error:
            form.add_error(None, error.detail)
        else:
            self.message_user(request, _("%s was reviewed.") % annotation.image.name)
            return True
        return False


@admin.register(Review)
class ReviewAdmin(ByRole):
    """The audit: to read, and to undo what can be."""

    list_display = ("created_at", "photo", "tenant", "reviewer", "kind", "source", "said")
    list_filter = (ShopFilter, "kind", "source", "verdict", "created_at")
    list_select_related = ("annotation__image", "tenant", "reviewer", "key")
    search_fields = ("reviewer__email", "annotation__image__name", "comment")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")
    actions = ("undo",)
    fields = (
        "photo",
        "tenant",
        "reviewer",
        "key",
        "kind",
        "source",
        "verdict",
        "said",
        "comment",
        "seconds",
        "version",
        "undoes",
        "created_at",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        return super().get_queryset(request).defer("before", "after")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A record is not changed; without `obj` it is the question for the action."""
        return obj is None and super().has_change_permission(request)

    @admin.display(description=_("photo"))
    def photo(self, review: Review) -> SafeString:
        address = reverse("admin:annotations_reviewitem_change", args=[review.annotation_id])
        return format_html('<a href="{}">{}</a>', address, review.annotation.image.name)

    @admin.display(description=_("changes"))
    def said(self, review: Review) -> SafeString | str:
        if not review.changes:
            return str(_("accepted"))
        return format_html_join(
            "",
            "<div>{}: {} → <strong>{}</strong></div>",
            (
                (change_key_title(c["key"]), change_value(c, "from"), change_value(c, "to"))
                for c in review.changes
            ),
        )

    @admin.action(description=_("Undo"), permissions=["change"])
    def undo(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        undone = kept = 0
        for review in queryset.select_related("tenant").order_by("-created_at", "-version"):
            try:
                undo_review(
                    tenant=review.tenant,
                    review_id=review.id,
                    by=_reviewer(request),
                    now=timezone.now(),
                )
            except NotUndoable:
                kept += 1
            else:
                undone += 1
        text = ngettext("%d review was undone.", "%d reviews were undone.", undone)
        self.message_user(request, text % undone, messages.SUCCESS)
        if kept:
            rest = _("%d could not be undone: they were changed since.") % kept
            self.message_user(request, rest, messages.WARNING)


@admin.register(ReviewTask)
class ReviewTaskAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """For operators: who has claimed what. A claim that hangs can be taken away here."""

    list_display = ("annotation", "tenant", "claimed_by", "claimed_until", "assigned_to", "note")
    list_select_related = ("annotation__image", "tenant", "claimed_by", "assigned_to")
    list_filter = (ShopFilter,)
    search_fields = ("annotation__image__name", "claimed_by__email", "assigned_to__email")
    autocomplete_fields = ("claimed_by", "assigned_to")
    readonly_fields = ("annotation", "tenant", "suggested_by", "second_of", "created_at")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


def _by_shop(queryset: QuerySet[Annotation]) -> list[tuple[Tenant, list[UUID]]]:
    shops: dict[UUID, tuple[Tenant, list[UUID]]] = {}
    for row in queryset:
        shops.setdefault(row.tenant_id, (row.tenant, []))[1].append(row.id)
    return list(shops.values())


def _reviewer(request: HttpRequest) -> Reviewer:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return Reviewer(user=request.user, source=Review.Source.ADMIN)
