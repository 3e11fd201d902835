from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views import i18n
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import emails, forms, invited, selectors, services
from accounts.decorators import role_required, tenant_required, user_required
from accounts.http import TenantRequest, UserRequest
from accounts.models import ApiKey, Invitation, Role, User

P = ParamSpec("P")
managers_only = role_required(Role.OWNER, Role.MANAGER)


def answers_refusals(
    view: Callable[Concatenate[TenantRequest, P], HttpResponseBase],
) -> Callable[Concatenate[TenantRequest, P], HttpResponseBase]:
    """Turns what a service refuses into a 404, the 403 page or a message on the members page."""

    @wraps(view)
    def answer(request: TenantRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except ObjectDoesNotExist as error:
            raise Http404 from error
        except services.NotAllowed as error:
            raise PermissionDenied(_("Only an owner can do that.")) from error
        except services.LastOwner:
            messages.error(
                request, _("A shop keeps at least one owner. Make somebody else an owner first.")
            )
        return redirect("members")

    return answer


@user_required
@require_http_methods(["GET", "POST"])
def create_shop(request: UserRequest) -> HttpResponseBase:
    form = forms.ShopForm(request.POST or None)
    if form.is_valid():
        membership = services.create_shop(
            name=form.cleaned_data["name"], owner=request.user, now=timezone.now()
        )
        services.switch_shop(
            user=request.user, tenant_id=membership.tenant_id, session=request.session
        )
        return redirect("dashboard")
    return render(request, "accounts/create_shop.html", {"form": form})


@user_required
@require_POST
def switch_shop(request: UserRequest) -> HttpResponseBase:
    """The id comes in the body; somebody else's shop is as unknown as a made-up id."""
    try:
        tenant_id = UUID(request.POST.get("tenant", ""))
        tenant = services.switch_shop(
            user=request.user, tenant_id=tenant_id, session=request.session
        )
    except (ValueError, ObjectDoesNotExist) as error:
        raise Http404 from error
    messages.success(request, _("You now work in %(shop)s.") % {"shop": tenant.name})
    return redirect("dashboard")


@tenant_required
@require_GET
def show_members(request: TenantRequest) -> HttpResponseBase:
    return _render_members(request, forms.InviteForm(by=request.membership))


@managers_only
@answers_refusals
@require_POST
def invite_member(request: TenantRequest) -> HttpResponseBase:
    form = forms.InviteForm(request.POST, by=request.membership)
    if not form.is_valid():
        return _render_members(request, form, status=422)
    email = form.cleaned_data["email"]
    try:
        services.invite_member(
            tenant=request.tenant,
            by=request.membership,
            email=email,
            role=form.cleaned_data["role"],
            build_link=lambda token: request.build_absolute_uri(
                reverse("invitation", args=[token])
            ),
            now=timezone.now(),
        )
    except services.AlreadyMember:
        form.add_error("email", _("This person is a member already."))
        return _render_members(request, form, status=422)
    except services.TooManyInvitations:
        form.add_error(None, _("This shop sent many invitations today. Send the others tomorrow."))
        return _render_members(request, form, status=429)
    except emails.NotSent:
        messages.error(
            request,
            _("The e-mail to %(email)s could not be sent. Try “Send again” in a while.")
            % {"email": email},
        )
    else:
        messages.success(request, _("Invitation sent to %(email)s.") % {"email": email})
    return redirect("members")


@managers_only
@answers_refusals
@require_POST
def revoke_invitation(request: TenantRequest, invitation_id: UUID) -> HttpResponseBase:
    invitation = services.revoke_invitation(
        tenant=request.tenant,
        by=request.membership,
        invitation_id=invitation_id,
        now=timezone.now(),
    )
    messages.success(
        request, _("The invitation of %(email)s is withdrawn.") % {"email": invitation.email}
    )
    return redirect("members")


@managers_only
@answers_refusals
@require_POST
def change_role(request: TenantRequest, membership_id: int) -> HttpResponseBase:
    form = forms.RoleForm(request.POST)
    if not form.is_valid():
        raise Http404
    member = services.change_role(
        tenant=request.tenant,
        by=request.membership,
        membership_id=membership_id,
        role=form.cleaned_data["role"],
    )
    messages.success(
        request,
        _("%(name)s: %(role)s from now on.")
        % {"name": member.user.get_full_name(), "role": member.get_role_display()},
    )
    return redirect("members")


@managers_only
@answers_refusals
@require_POST
def remove_member(request: TenantRequest, membership_id: int) -> HttpResponseBase:
    member = services.remove_member(
        tenant=request.tenant, by=request.membership, membership_id=membership_id
    )
    messages.success(
        request, _("%(name)s is no longer a member.") % {"name": member.user.get_full_name()}
    )
    keys = ApiKey.objects.usable(now=timezone.now())
    if keys.filter(tenant=request.tenant, created_by=member.user).exists():
        messages.warning(
            request, _("API keys that they made work on. Replace them on the page Developers.")
        )
    return redirect("members")


@tenant_required
@answers_refusals
@require_POST
def leave_shop(request: TenantRequest) -> HttpResponseBase:
    services.leave_shop(tenant=request.tenant, member=request.membership)
    messages.success(request, _("You left %(shop)s.") % {"shop": request.tenant.name})
    return redirect("dashboard")


@tenant_required
@answers_refusals
@require_http_methods(["GET", "POST"])
def show_settings(request: TenantRequest) -> HttpResponseBase:
    """Everybody sees the settings; owners and managers change them."""
    tenant = request.tenant
    if request.method == "POST":
        form = forms.ShopSettingsForm(request.POST)
        if form.is_valid():
            services.change_settings(
                tenant=tenant,
                by=request.membership,
                name=form.cleaned_data["name"],
                review_threshold=form.review_threshold,
            )
            messages.success(request, _("Saved."))
            return redirect("shop_settings")
        return _render_settings(request, form, status=422)
    percent = round(tenant.review_threshold * 100)
    form = forms.ShopSettingsForm(initial={"name": tenant.name, "review_percent": percent})
    return _render_settings(request, form)


@user_required
@require_http_methods(["GET", "POST"])
def show_profile(request: UserRequest) -> HttpResponseBase:
    initial = {"language": request.user.language or translation.get_language()}
    form = forms.ProfileForm(request.POST or None, instance=request.user, initial=initial)
    if form.is_valid():
        user = form.save(commit=False)
        user.save(update_fields=["name", "language"])
        translation.activate(user.language)
        messages.success(request, _("Saved."))
        return _keep_language(redirect("profile"), user.language)
    return render(request, "accounts/profile.html", {"form": form})


@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """Django's view (it keeps the cookie and checks where `next` leads), and the user's choice."""
    response = i18n.set_language(request)
    language = request.POST.get("language", "")
    if isinstance(request.user, User) and language in dict(settings.LANGUAGES):
        request.user.language = language
        request.user.save(update_fields=["language"])
    return response


@require_http_methods(["GET", "POST"])
def answer_invitation(request: HttpRequest, token: str) -> HttpResponseBase:
    """What a link in an invitation opens; joining takes a POST, so that mail scanners can't."""
    now = timezone.now()
    invitation = selectors.find_invitation(token=token)
    if invitation is None:
        raise Http404
    if not invitation.is_open(now):
        return _render_invitation(request, invitation, "closed", status=410)
    if not isinstance(request.user, User):
        invited.remember(request, invitation)
        return _render_invitation(request, invitation, "stranger")
    if not selectors.owns_email(user=request.user, email=invitation.email):
        return _render_invitation(request, invitation, "wrong_account", status=403)
    if request.method == "POST":
        return _join(cast(UserRequest, request), invitation)
    return _render_invitation(request, invitation, "ready")


@require_POST
def decline_invitation(request: HttpRequest) -> HttpResponseBase:
    """A visitor wants a shop of their own instead; the invitation itself stays open."""
    invited.forget(request)
    return redirect("account_signup")


def _join(request: UserRequest, invitation: Invitation) -> HttpResponseBase:
    try:
        membership = services.accept_invitation(
            invitation_id=invitation.id, user=request.user, now=timezone.now()
        )
    except services.InvitationClosed:
        return _render_invitation(request, invitation, "closed", status=410)
    invited.forget(request)
    tenant = services.switch_shop(
        user=request.user, tenant_id=membership.tenant_id, session=request.session
    )
    messages.success(request, _("Welcome to %(shop)s.") % {"shop": tenant.name})
    return redirect("dashboard")


def _render_invitation(
    request: HttpRequest, invitation: Invitation, situation: str, *, status: int = 200
) -> HttpResponse:
    context = {"invitation": invitation, "situation": situation}
    return render(request, "accounts/invitation.html", context, status=status)


def _render_members(
    request: TenantRequest, form: forms.InviteForm, *, status: int = 200
) -> HttpResponse:
    members = selectors.list_members(tenant=request.tenant)
    context = {
        "members": members,
        "owner_count": sum(member.role == Role.OWNER for member in members),
        "invitations": selectors.list_invitations(tenant=request.tenant),
        "form": form,
        "roles": forms.list_roles(by=request.membership),
        "now": timezone.now(),
    }
    return render(request, "accounts/members.html", context, status=status)


def _render_settings(
    request: TenantRequest, form: forms.ShopSettingsForm, *, status: int = 200
) -> HttpResponse:
    return render(request, "accounts/settings.html", {"form": form}, status=status)


def _keep_language(response: HttpResponse, language: str) -> HttpResponse:
    response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, samesite="Lax")
    return response
