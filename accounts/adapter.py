import base64
import hashlib

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.http import HttpRequest
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.translation import gettext_lazy as _

from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _("The e-mail address or the password is not right."),
        "too_many_login_attempts": _("Too many wrong passwords. Try again in a few minutes."),
        "enter_current_password": _("Enter your current password."),
        "incorrect_password": _("The password is not right."),
    }

    def new_user(self, request: HttpRequest) -> User:
        """A new user keeps the language they signed up in."""
        user: User = super().new_user(request)
        user.language = translation.get_language() or ""
        return user


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Encrypts the secrets of authenticator apps and recovery codes in the database."""

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Raises cryptography's InvalidToken after a change of SECRET_KEY without a fallback."""
        return _fernet().decrypt(encrypted_text.encode()).decode()

    def _get_site_name(self) -> str:
        """What a device shows beside a passkey."""
        return "Kalas"


def _fernet() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derive_key(force_bytes(key))) for key in keys])


def _derive_key(secret: bytes) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(b"kalas.mfa:" + secret).digest())
