"""Every change to shops, memberships and invitations.

Changes to a shop's members take a lock on the shop's row, so that of two owners who leave at the
same moment one stays. `no_key=True` keeps the lock from blocking photos that arrive meanwhile:
their foreign key only needs the shop's id.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction

from accounts import emails, selectors
from accounts.models import Invitation, Membership, Role, Tenant, User, hash_token
from accounts.signals import review_threshold_changed

INVITATION_LIFETIME = timedelta(days=7)
# A shop's name stands in an e-mail to a stranger: nobody shall send that to thousands.
INVITATIONS_A_DAY = 50


class NotAllowed(Exception):
    """The member's role does not include this."""


class LastOwner(Exception):
    """A shop keeps at least one owner."""


class AlreadyMember(Exception):
    """The invited address belongs to somebody who is in the shop already."""


class TooManyInvitations(Exception):
    """The shop sent as many as one day allows."""


class InvitationClosed(Exception):
    """Expired, revoked or used."""


class WrongAccount(Exception):
    """The invitation was sent to another address than this user's."""


@transaction.atomic
def create_shop(*, name: str, owner: User, now: datetime) -> Membership:
    tenant = Tenant.objects.create(name=name, created_at=now)
    return Membership.objects.create(tenant=tenant, user=owner, role=Role.OWNER, created_at=now)


@transaction.atomic
def change_settings(*, tenant: Tenant, by: Membership, name: str, review_threshold: float) -> None:
    """Raises NotAllowed."""
    acting = _lock_members(tenant=tenant, by=by)
    if not acting.manages:
        raise NotAllowed
    tenant.name = name
    tenant.review_threshold = review_threshold
    tenant.save(update_fields=["name", "review_threshold"])
    review_threshold_changed.send(Tenant, tenant_id=tenant.id, threshold=review_threshold)


@transaction.atomic
def invite_member(
    *,
    tenant: Tenant,
    by: Membership,
    email: str,
    role: str,
    build_link: Callable[[str], str],
    now: datetime,
) -> Invitation:
    """Send an invitation after commit; an unanswered one to the same address stops working.

    Raises NotAllowed, AlreadyMember, TooManyInvitations, and emails.NotSent after the invitation
    was stored.
    """
    acting = _lock_members(tenant=tenant, by=by)
    if not acting.may_touch(role):
        raise NotAllowed
    if Membership.objects.filter(tenant=tenant, user__email__iexact=email).exists():
        raise AlreadyMember
    today = Invitation.objects.filter(tenant=tenant, created_at__gt=now - timedelta(days=1))
    if today.count() >= INVITATIONS_A_DAY:
        raise TooManyInvitations
    older = Invitation.objects.unanswered().filter(tenant=tenant, email__iexact=email)
    if any(not acting.may_touch(invitation.role) for invitation in older):
        raise NotAllowed
    older.update(revoked_at=now)
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        tenant=tenant,
        email=email.lower(),
        role=role,
        token_sha256=hash_token(token),
        invited_by=acting.user,
        created_at=now,
        expires_at=now + INVITATION_LIFETIME,
    )
    transaction.on_commit(partial(emails.send_invitation, invitation, build_link(token)))
    return invitation


@transaction.atomic
def revoke_invitation(
    *, tenant: Tenant, by: Membership, invitation_id: UUID, now: datetime
) -> Invitation:
    """Raises Invitation.DoesNotExist for another shop's or an answered one, and NotAllowed."""
    acting = _lock_members(tenant=tenant, by=by)
    invitation = (
        Invitation.objects.unanswered()
        .filter(tenant=tenant)
        .select_for_update(of=("self",))
        .get(id=invitation_id)
    )
    if not acting.may_touch(invitation.role):
        raise NotAllowed
    invitation.revoked_at = now
    invitation.save(update_fields=["revoked_at"])
    return invitation


@transaction.atomic
def accept_invitation(*, invitation_id: UUID, user: User, now: datetime) -> Membership:
    """Join the shop; somebody who is in it already keeps their role.

    Raises WrongAccount unless the invited address is a verified one of this user, and
    InvitationClosed (also for the second of two who follow the link at once).
    """
    invitation = Invitation.objects.select_for_update(of=("self",)).get(id=invitation_id)
    if not invitation.is_open(now):
        raise InvitationClosed
    if not selectors.owns_email(user=user, email=invitation.email):
        raise WrongAccount
    membership, _created = Membership.objects.get_or_create(
        tenant_id=invitation.tenant_id,
        user=user,
        defaults={"role": invitation.role, "created_at": now},
    )
    invitation.accepted_at = now
    invitation.save(update_fields=["accepted_at"])
    return membership


@transaction.atomic
def change_role(*, tenant: Tenant, by: Membership, membership_id: int, role: str) -> Membership:
    """Raises Membership.DoesNotExist for another shop's member, NotAllowed and LastOwner."""
    acting = _lock_members(tenant=tenant, by=by)
    member = Membership.objects.select_related("user").get(tenant=tenant, id=membership_id)
    if not (acting.may_touch(member.role) and acting.may_touch(role)):
        raise NotAllowed
    if role != Role.OWNER:
        _keep_an_owner(tenant=tenant, without=member)
    member.role = role
    member.save(update_fields=["role"])
    return member


@transaction.atomic
def remove_member(*, tenant: Tenant, by: Membership, membership_id: int) -> Membership:
    """Raises Membership.DoesNotExist for another shop's member, NotAllowed and LastOwner."""
    acting = _lock_members(tenant=tenant, by=by)
    member = Membership.objects.select_related("user").get(tenant=tenant, id=membership_id)
    if not acting.may_touch(member.role):
        raise NotAllowed
    _keep_an_owner(tenant=tenant, without=member)
    Membership.objects.filter(id=member.id).delete()
    return member


@transaction.atomic
def leave_shop(*, tenant: Tenant, member: Membership) -> None:
    """Raises LastOwner."""
    leaving = _lock_members(tenant=tenant, by=member)
    _keep_an_owner(tenant=tenant, without=leaving)
    leaving.delete()


def switch_shop(*, user: User, tenant_id: UUID, session: SessionBase) -> Tenant:
    """Make this shop the one the session works in; raises Membership.DoesNotExist for others'."""
    membership = Membership.objects.select_related("tenant").get(user=user, tenant_id=tenant_id)
    session[selectors.TENANT_KEY] = str(membership.tenant_id)
    return membership.tenant


def _lock_members(*, tenant: Tenant, by: Membership) -> Membership:
    """Hold the shop's member list still and read the acting member's role anew.

    Raises NotAllowed for somebody who was removed meanwhile.
    """
    Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
    acting = Membership.objects.select_related("user").filter(tenant=tenant, id=by.id).first()
    if acting is None:
        raise NotAllowed
    return acting


def _keep_an_owner(*, tenant: Tenant, without: Membership) -> None:
    owners = Membership.objects.filter(tenant=tenant, role=Role.OWNER).exclude(id=without.id)
    if without.role == Role.OWNER and not owners.exists():
        raise LastOwner
