from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import signals
from accounts.models import Invitation, Membership, Tenant, User

# The admin's own log-in form would let an operator past the second factor and the rate limits.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    raw_id_fields = ["user", "tenant"]
    readonly_fields = ["created_at"]


class UserCreationForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ["email"]


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]
    add_form = UserCreationForm
    list_display = ["email", "name", "is_active", "is_staff", "last_login", "date_joined"]
    list_filter = ["is_active", "is_staff", "is_superuser", "language", "date_joined"]
    search_fields = ["email", "name", "memberships__tenant__name"]
    ordering = ["email"]
    readonly_fields = ["last_login", "date_joined"]
    inlines = [MembershipInline]
    fieldsets = [
        (None, {"fields": ["email", "name", "language", "password"]}),
        (
            _("Operator"),
            {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]},
        ),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "usable_password", "password1", "password2"]})]


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "count_members", "review_threshold", "created_at"]
    list_filter = ["created_at"]
    search_fields = ["id", "name", "memberships__user__email"]
    readonly_fields = ["id", "created_at"]
    inlines = [MembershipInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        tenants: QuerySet[Tenant] = super().get_queryset(request)
        return tenants.annotate(member_count=Count("memberships", distinct=True))

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "review_threshold" in form.changed_data:
            signals.review_threshold_changed.send(
                Tenant, tenant_id=obj.id, threshold=obj.review_threshold
            )

    @admin.display(description=_("members"), ordering="member_count")
    def count_members(self, tenant: Any) -> int:
        count: int = tenant.member_count
        return count


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["user", "tenant", "role", "created_at"]
    list_filter = ["role", "created_at"]
    search_fields = ["user__email", "user__name", "tenant__name"]
    list_select_related = ["user", "tenant"]
    raw_id_fields = ["user", "tenant"]
    readonly_fields = ["created_at"]


@admin.register(Invitation)
class InvitationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """To look at and to revoke; only a shop's members can send one."""

    list_display = ["email", "tenant", "role", "state", "created_at", "expires_at"]
    list_filter = ["role", "accepted_at", "revoked_at", "created_at"]
    search_fields = ["email", "tenant__name", "invited_by__email"]
    list_select_related = ["tenant"]
    actions = ["revoke"]
    fields = [
        "email",
        "tenant",
        "role",
        "state",
        "invited_by",
        "created_at",
        "expires_at",
        "accepted_at",
        "revoked_at",
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False

    @admin.display(description=_("state"))
    def state(self, invitation: Invitation) -> str:
        if invitation.accepted_at:
            return str(_("accepted"))
        if invitation.revoked_at:
            return str(_("withdrawn"))
        return str(_("open") if invitation.is_open(timezone.now()) else _("expired"))

    @admin.action(description=_("Withdraw the selected invitations"), permissions=["delete"])
    def revoke(self, request: HttpRequest, invitations: QuerySet[Invitation]) -> None:
        unanswered = invitations.filter(accepted_at=None, revoked_at=None)
        count = unanswered.update(revoked_at=timezone.now())
        self.message_user(request, _("%d invitations withdrawn.") % count)


class UserSessionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """allauth's searches a user name, which our users do not have."""

    list_display = ["user", "created_at", "last_seen_at", "ip", "user_agent"]
    search_fields = ["user__email", "ip"]
    list_select_related = ["user"]
    fields = ["user", "created_at", "last_seen_at", "ip", "user_agent"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AuthenticatorAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Lets an operator remove a lost second factor; its secrets are nobody's to read."""

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_filter = ["type"]
    search_fields = ["user__email"]
    list_select_related = ["user"]
    fields = ["user", "type", "created_at", "last_used_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


for model, model_admin in [(UserSession, UserSessionAdmin), (Authenticator, AuthenticatorAdmin)]:
    admin.site.unregister(model)
    admin.site.register(model, model_admin)
