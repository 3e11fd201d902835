from collections.abc import Callable
from typing import cast

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from accounts import selectors
from accounts.http import ShopRequest
from accounts.models import User

GetResponse = Callable[[HttpRequest], HttpResponse]


class TenantMiddleware:
    """Says which shop a request works in: the session's choice, else the user's first.

    One query for a logged-in user, none for strangers. A choice that is no longer the user's
    (they left, they were removed) falls back, so that it can never open somebody else's shop.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        shop_request = cast(ShopRequest, request)
        shop_request.memberships = []
        if isinstance(shop_request.user, User):
            shop_request.memberships = selectors.list_memberships(user=shop_request.user)
        membership = selectors.pick_membership(
            memberships=shop_request.memberships,
            tenant_id=request.session.get(selectors.TENANT_KEY),
        )
        shop_request.membership = membership
        shop_request.tenant = membership.tenant if membership else None
        return self.get_response(request)


class UserLanguageMiddleware:
    """Lets the language a user saved win over the browser's, on every device."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = getattr(request.user, "language", "")
        if language and language != translation.get_language():
            translation.activate(language)
            request.LANGUAGE_CODE = language
        return self.get_response(request)


class SessionActivityMiddleware:
    """Notes when and from where a session was last used, at most once a minute.

    allauth's own middleware writes on every request, each thumbnail included.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = request.session.session_key
        if key and request.user.is_authenticated and self._is_due(key):
            UserSession.objects.create_from_request(request)
        return self.get_response(request)

    def _is_due(self, session_key: str) -> bool:
        return caches["local"].add(
            f"seen:{session_key}", True, settings.SESSION_ACTIVITY_INTERVAL_S
        )
