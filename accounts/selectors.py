from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from allauth.account.models import EmailAddress

from accounts.models import Invitation, InvitationQuerySet, Membership, Tenant, User

# Where a session keeps the id of the shop its user chose last.
TENANT_KEY = "tenant_id"


def list_memberships(*, user: User) -> list[Membership]:
    """The user's shops, oldest first; one query."""
    memberships = list(
        Membership.objects.filter(user=user).select_related("tenant").order_by("created_at", "id")
    )
    for membership in memberships:
        membership.user = user
    return memberships


def pick_membership(*, memberships: Sequence[Membership], tenant_id: object) -> Membership | None:
    """The membership in the chosen shop, else the first, else None."""
    chosen = (m for m in memberships if str(m.tenant_id) == str(tenant_id))
    return next(chosen, memberships[0] if memberships else None)


def list_members(*, tenant: Tenant) -> list[Membership]:
    """Everybody in the shop with their user; one query."""
    return list(
        Membership.objects.filter(tenant=tenant).select_related("user").order_by("created_at", "id")
    )


def list_invitations(*, tenant: Tenant) -> list[Invitation]:
    """Invitations nobody answered yet, expired ones too (they can be sent again); one query."""
    return list(_invitations_of(tenant).select_related("invited_by").order_by("-created_at"))


def find_invitation(*, token: str) -> Invitation | None:
    invitations = Invitation.objects.with_token(token)
    return invitations.select_related("tenant", "invited_by").first()


def find_open_invitation(*, invitation_id: str | UUID | None, now: datetime) -> Invitation | None:
    """The invitation that a visitor's session remembers, if it can still be accepted."""
    if invitation_id is None:
        return None
    invitation = (
        Invitation.objects.filter(id=invitation_id).select_related("tenant", "invited_by").first()
    )
    return invitation if invitation and invitation.is_open(now) else None


def owns_email(*, user: User, email: str) -> bool:
    """Whether the user has proved that this address is theirs."""
    proved = EmailAddress.objects.filter(user=user, email__iexact=email, verified=True)
    return bool(proved.exists())


def _invitations_of(tenant: Tenant) -> InvitationQuerySet:
    return Invitation.objects.unanswered().filter(tenant=tenant)
