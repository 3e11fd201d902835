from dataclasses import dataclass
from typing import cast

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from accounts import keys
from accounts.http import ShopRequest
from accounts.models import ApiKey, Role, Scope, Tenant, User
from kalas.lib.api.problems import Problem

SCOPES_OF_ROLE: dict[str, frozenset[str]] = {
    Role.OWNER: frozenset(Scope.values),
    Role.MANAGER: frozenset(Scope.values),
    Role.DEVELOPER: frozenset(Scope.values),
    Role.REVIEWER: frozenset({Scope.ANNOTATE, Scope.SEARCH, Scope.CATALOGUE, Scope.REVIEW}),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, for which shop: a key, or a member's session."""

    tenant: Tenant
    scopes: frozenset[str]
    name: str
    key: ApiKey | None = None
    user: User | None = None

    # DRF asks this of what it takes for a user.
    is_authenticated = True

    @property
    def only_searches(self) -> bool:
        """For shoppers, then: what they may not see yet is not there."""
        return self.scopes == {Scope.SEARCH}


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer kal_…`; the key says which shop it is about."""

    def authenticate(self, request: Request) -> tuple[Caller, ApiKey] | None:
        header = request.headers.get("Authorization", "")
        scheme, _space, token = header.partition(" ")
        if not header:
            return None
        if scheme.lower() != "bearer":
            raise _refuse("The Authorization header must be “Bearer kal_…”.")
        try:
            key = keys.authenticate_key(token=token.strip(), now=timezone.now(), may_be_old=True)
        except keys.KeyRefused as error:
            raise _refuse(error.detail) from error
        if key.is_publishable and request.headers.get("Origin") not in key.origins:
            raise Problem("origin-refused")
        caller = Caller(key.tenant, frozenset(key.scopes), f"key:{key.id}", key=key)
        return caller, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="kalas"'


class MemberAuthentication(SessionAuthentication):
    """The pages' session: the shop it works in, with what the member's role may do there."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        if super().authenticate(request) is None:  # which also checks the CSRF token
            return None
        shop_request = cast(ShopRequest, request._request)
        membership = shop_request.membership
        if membership is None:
            raise Problem("forbidden", "This account works in no shop yet.")
        caller = Caller(
            membership.tenant,
            SCOPES_OF_ROLE[membership.role],
            # Not the user, who may work in several shops: what is kept of a caller is the shop's.
            f"member:{membership.id}",
            user=membership.user,
        )
        return caller, None


def _refuse(detail: str) -> Problem:
    headers = {"WWW-Authenticate": 'Bearer realm="kalas", error="invalid_token"'}
    return Problem("invalid-key", detail, headers=headers)
