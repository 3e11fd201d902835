"""allauth's forms for passkeys, refusing what no browser sends instead of breaking."""

from typing import cast

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)


class CheckedCredential(AuthenticateWebAuthnForm):  # type: ignore[misc]
    def clean_credential(self) -> Authenticator:
        try:
            return cast(Authenticator, super().clean_credential())
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # The parser takes the answer apart without looking whether its parts are there.
            raise get_adapter().validation_error("incorrect_code") from error


class CheckedLogin(CheckedCredential, LoginWebAuthnForm):  # type: ignore[misc]
    pass


class CheckedReauthentication(CheckedCredential, ReauthenticateWebAuthnForm):  # type: ignore[misc]
    pass
