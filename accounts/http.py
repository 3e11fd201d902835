"""What the middleware and the decorators add to a request, for typed views."""

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from accounts.models import Membership, Tenant, User


class ShopRequest(HttpRequest):
    """After TenantMiddleware: no shop for strangers and for users without one."""

    user: User | AnonymousUser
    memberships: list[Membership]
    membership: Membership | None
    tenant: Tenant | None


class UserRequest(ShopRequest):
    """Behind `login_required`."""

    user: User


class TenantRequest(UserRequest):
    """Behind `tenant_required` or `role_required`."""

    membership: Membership
    tenant: Tenant
