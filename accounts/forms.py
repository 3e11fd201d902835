from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import (
    AddEmailForm,
    ChangePasswordForm,
    LoginForm,
    ReauthenticateForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    SetPasswordForm,
    SignupForm,
)
from allauth.core import context
from django import forms
from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import invited, services
from accounts.models import Invitation, Membership, Role, Tenant, User

LONGEST_EMAIL = 254


class PlainLabels:
    """allauth's forms with the words of the other pages, and no label repeated in the field."""

    fields: dict[str, forms.Field]
    labels = {
        "login": _("E-mail address"),
        "email": _("E-mail address"),
        "password": _("Password"),
        "oldpassword": _("Current password"),
        "password1": _("New password"),
        "password2": _("New password again"),
        "remember": _("Remember me on this device"),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = self.labels.get(name, field.label)
        if "email" in self.fields:
            # allauth would cut a longer one, which is somebody else's.
            self.fields["email"].validators.append(MaxLengthValidator(LONGEST_EMAIL))


class LoginWithLabels(PlainLabels, LoginForm):  # type: ignore[misc]
    pass


class AddEmailWithLabels(PlainLabels, AddEmailForm):  # type: ignore[misc]
    pass


class ChangePasswordWithLabels(PlainLabels, ChangePasswordForm):  # type: ignore[misc]
    pass


class SetPasswordWithLabels(PlainLabels, SetPasswordForm):  # type: ignore[misc]
    pass


class ResetPasswordWithLabels(PlainLabels, ResetPasswordForm):  # type: ignore[misc]
    pass


class ResetPasswordKeyWithLabels(PlainLabels, ResetPasswordKeyForm):  # type: ignore[misc]
    pass


class ReauthenticateWithLabels(PlainLabels, ReauthenticateForm):  # type: ignore[misc]
    pass


class SignupShopForm(PlainLabels, SignupForm):  # type: ignore[misc]
    """Signs up a user with their shop, or into the shop that invited them.

    Who comes through an invitation's link is not asked for a shop name, and must sign up with the
    invited address: the link, which only went there, already proves that it is theirs.
    """

    labels = PlainLabels.labels | {
        "password1": _("Password"),
        "password2": _("Password again"),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invitation: Invitation | None = invited.recall(context.request, now=timezone.now())
        if self.invitation:
            self.fields["email"].initial = self.invitation.email
            self.fields["email"].widget.attrs["readonly"] = True
        else:
            organization = forms.TextInput(attrs={"autocomplete": "organization"})
            shop_name = forms.CharField(label=_("Shop name"), max_length=120, widget=organization)
            self.fields = {"shop_name": shop_name, **self.fields}

    def clean_email(self) -> str:
        email: str = super().clean_email()
        if self.invitation and email != self.invitation.email:
            raise forms.ValidationError(
                _("This invitation is for %(email)s."), params={"email": self.invitation.email}
            )
        return email

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """Of two sign-ups with one address at the same moment, the second gets the usual answer."""
        answer: tuple[User | None, HttpResponse | None]
        try:
            answer = super().try_save(request)
        except IntegrityError:
            self.account_already_exists = True
            answer = super().try_save(request)
        return answer

    @transaction.atomic
    def save(self, request: HttpRequest) -> User:
        if self.invitation:
            get_adapter().stash_verified_email(request, self.invitation.email)
        user: User = super().save(request)
        now = timezone.now()
        if self.invitation:
            services.accept_invitation(invitation_id=self.invitation.id, user=user, now=now)
            invited.forget(request)
        else:
            services.create_shop(name=self.cleaned_data["shop_name"], owner=user, now=now)
        return user


class ShopForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Tenant
        fields = ["name"]


class ShopSettingsForm(forms.Form):
    name = forms.CharField(label=_("Shop name"), max_length=120)
    review_percent = forms.IntegerField(
        label=_("Review below (percent)"),
        min_value=0,
        max_value=100,
        help_text=_(
            "The model says how sure it is of a category. Photos it is less sure of than this "
            "wait for a person; the others count as annotated. Higher means more to review and "
            "fewer mistakes: with 100 you see every photo, with 0 none."
        ),
    )

    @property
    def review_threshold(self) -> float:
        percent: int = self.cleaned_data["review_percent"]
        return percent / 100


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)

    class Meta:
        model = User
        fields = ["name", "language"]
        help_texts = {"name": _("How the members of your shops see you.")}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"), max_length=LONGEST_EMAIL)
    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, *args: Any, by: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"] = forms.ChoiceField(
            label=_("Role"), choices=list_roles(by=by), initial=Role.REVIEWER
        )


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)


def list_roles(*, by: Membership) -> list[tuple[str, str]]:
    """The roles that this member may give."""
    return [(role.value, str(role.label)) for role in Role if by.may_touch(role)]
