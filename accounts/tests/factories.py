"""Minimal objects for tests."""

from itertools import count

from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts import keys
from accounts.models import Membership, Role, Scope, Tenant, User

PASSWORD = "a-Quiet-Harbour-42"
_numbers = count(1)


def make_user(*, email: str = "", verified: bool = True, **fields) -> User:
    user = User.objects.create_user(
        email or f"user{next(_numbers)}@example.com", PASSWORD, **fields
    )
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=verified)
    return user


def make_tenant(*, name: str = "") -> Tenant:
    return Tenant.objects.create(name=name or f"Shop {next(_numbers)}")


def make_member(
    *, tenant: Tenant | None = None, role: Role = Role.OWNER, user: User | None = None, **fields
) -> Membership:
    return Membership.objects.create(
        tenant=tenant or make_tenant(), user=user or make_user(**fields), role=role
    )


def make_key(
    *, member: Membership | None = None, tenant: Tenant | None = None, **fields
) -> keys.NewKey:
    by = member or make_member(tenant=tenant)
    options = {"name": "shop", "scopes": list(Scope), "now": timezone.now(), **fields}
    return keys.create_key(tenant=by.tenant, by=by, **options)
