from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts import services
from accounts.models import Invitation, Membership, Role, Tenant
from accounts.tests.factories import make_member, make_tenant
from accounts.tests.test_invitations import without_tokens

pytestmark = pytest.mark.django_db


def act(client, name, member=None, **data):
    args = [member.id] if member else []
    return client.post(reverse(name, args=args), data)


@pytest.mark.parametrize(
    ("acting", "target", "allowed"),
    [
        (Role.OWNER, Role.OWNER, True),
        (Role.OWNER, Role.MANAGER, True),
        (Role.OWNER, Role.REVIEWER, True),
        (Role.MANAGER, Role.OWNER, False),
        (Role.MANAGER, Role.MANAGER, True),
        (Role.MANAGER, Role.DEVELOPER, True),
        (Role.REVIEWER, Role.OWNER, False),
        (Role.REVIEWER, Role.REVIEWER, False),
        (Role.DEVELOPER, Role.REVIEWER, False),
    ],
)
@pytest.mark.parametrize("name", ["change_role", "remove_member"])
def test_who_may_change_and_remove_whom(client, name, acting, target, allowed):
    tenant = make_member().tenant
    member = make_member(tenant=tenant, role=target)
    client.force_login(make_member(tenant=tenant, role=acting).user)

    response = act(client, name, member, role=Role.DEVELOPER)

    unchanged = Membership.objects.filter(id=member.id, role=target).exists()
    assert response.status_code == (302 if allowed else 403)
    assert unchanged is (not allowed or (name == "change_role" and target == Role.DEVELOPER))


def test_a_manager_cannot_make_an_owner(client):
    manager = make_member(role=Role.MANAGER)
    client.force_login(manager.user)

    response = act(client, "change_role", manager, role=Role.OWNER)

    assert response.status_code == 403
    assert Membership.objects.get().role == Role.MANAGER


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.DEVELOPER])
@pytest.mark.parametrize("name", ["invite_member"])
def test_others_do_not_invite(client, role, name):
    client.force_login(make_member(role=role).user)

    response = act(client, name, email="x@example.com", role=Role.REVIEWER)

    assert response.status_code == 403
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(
    ("name", "data"),
    [("change_role", {"role": Role.MANAGER}), ("remove_member", {}), ("leave_shop", {})],
)
def test_the_last_owner_stays(client, name, data):
    owner = make_member()
    make_member(tenant=owner.tenant, role=Role.MANAGER)
    client.force_login(owner.user)

    act(client, name, None if name == "leave_shop" else owner, **data)

    assert Membership.objects.get(id=owner.id).role == Role.OWNER


def test_one_of_two_owners_may_leave(client):
    owner = make_member()
    make_member(tenant=owner.tenant)
    client.force_login(owner.user)

    act(client, "leave_shop")

    assert not Membership.objects.filter(id=owner.id).exists()
    assert client.get(reverse("members")).url == reverse("create_shop")


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_once_one_stays():
    for _round in range(5):
        tenant = make_tenant()
        owners = [make_member(tenant=tenant), make_member(tenant=tenant)]
        start = Barrier(2)

        def leave(member, tenant=tenant, start=start):
            start.wait()
            try:
                services.leave_shop(tenant=tenant, member=member)
            except services.LastOwner:
                return False
            else:
                return True
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            left = list(pool.map(leave, owners))

        assert sorted(left) == [False, True]
        assert Membership.objects.filter(tenant=tenant, role=Role.OWNER).count() == 1


def test_somebody_who_was_demoted_meanwhile_cannot_act():
    owner = make_member()
    stale = make_member(tenant=owner.tenant)
    Membership.objects.filter(id=stale.id).update(role=Role.REVIEWER)

    with pytest.raises(services.NotAllowed):
        services.remove_member(tenant=owner.tenant, by=stale, membership_id=owner.id)


@pytest.mark.parametrize("name", ["change_role", "remove_member"])
def test_another_shops_member_is_as_unknown_as_a_made_up_one(client, name):
    foreign = make_member(role=Role.REVIEWER)
    client.force_login(make_member().user)
    made_up = Membership(id=foreign.id + 1_000_000)

    answers = [act(client, name, member, role=Role.MANAGER) for member in (foreign, made_up)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert without_tokens(answers[0]) == without_tokens(answers[1])
    assert Membership.objects.get(id=foreign.id).role == Role.REVIEWER


def test_the_members_page_shows_only_this_shop(client):
    stranger = make_member()
    owner = make_member()
    client.force_login(owner.user)

    page = client.get(reverse("members")).content.decode()

    assert owner.user.email in page
    assert stranger.user.email not in page


def test_the_members_page_asks_as_much_for_many_members_as_for_one(
    client, django_assert_num_queries
):
    owner = make_member()
    client.force_login(owner.user)
    client.get(reverse("members"))  # the session's activity is noted once a minute
    with django_assert_num_queries(5):  # session, user, shops, members, invitations
        client.get(reverse("members"))

    for number in range(20):
        make_member(tenant=owner.tenant, role=Role.REVIEWER)
        services.invite_member(
            tenant=owner.tenant,
            by=owner,
            email=f"guest{number}@example.com",
            role=Role.REVIEWER,
            build_link=str,
            now=timezone.now(),
        )
    with django_assert_num_queries(5):
        client.get(reverse("members"))


def test_the_shop_row_is_locked_without_blocking_new_photos():
    """A photo's foreign key takes FOR KEY SHARE, which FOR NO KEY UPDATE lets pass."""
    owner = make_member()

    with connection.execute_wrapper(_refuse_plain_update):
        services.change_settings(
            tenant=owner.tenant, by=owner, name="New name", review_threshold=0.5
        )

    assert Tenant.objects.get().name == "New name"


def _refuse_plain_update(execute, query, params, many, context):
    assert "FOR UPDATE" not in query or "accounts_tenant" not in query
    return execute(query, params, many, context)
