import re
from datetime import timedelta
from smtplib import SMTPException
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from accounts import services
from accounts.models import Invitation, Membership, Role, Tenant, User, hash_token
from accounts.tests.factories import PASSWORD, make_member, make_user
from accounts.tests.test_signup import log_in, mailed_link
from kalas.lib import log_masks

pytestmark = pytest.mark.django_db
GUEST = "guest@example.com"


@pytest.fixture
def owner():
    return make_member()


@pytest.fixture
def invite(owner, django_capture_on_commit_callbacks):
    """Send an invitation and give the path of its link."""

    def send(*, email=GUEST, role=Role.REVIEWER, by=None, now=None):
        by = by or owner
        with django_capture_on_commit_callbacks(execute=True):
            services.invite_member(
                tenant=by.tenant,
                by=by,
                email=email,
                role=role,
                build_link=lambda token: f"http://testserver{reverse('invitation', args=[token])}",
                now=now or timezone.now(),
            )
        return mailed_link().removeprefix("http://testserver")

    return send


def sign_up_as_guest(client, **changes):
    data = {"email": GUEST, "password1": PASSWORD, "password2": PASSWORD} | changes
    return client.post(reverse("account_signup"), data)


def test_an_owner_invites_from_the_members_page(client, owner, django_capture_on_commit_callbacks):
    client.force_login(owner.user)

    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(
            reverse("invite_member"), {"email": "Guest@Example.com", "role": Role.REVIEWER}
        )

    invitation = Invitation.objects.get()
    [token] = re.findall(r"/join/([^/\s]+)/", str(mail.outbox[0].body))
    assert response.url == reverse("members")
    assert mail.outbox[0].to == [GUEST]
    assert owner.tenant.name in mail.outbox[0].subject
    assert invitation.token_sha256 == hash_token(token)
    assert len(token) == 43, "256 bits in base64"
    assert token not in str(Invitation.objects.values().get())
    assert invitation.expires_at - invitation.created_at == timedelta(days=7)


def test_refuses_an_address_that_is_too_long_to_keep(client, owner):
    client.force_login(owner.user)
    email = "guest@" + ".".join(["long"] * 60) + ".example"

    response = client.post(reverse("invite_member"), {"email": email, "role": Role.REVIEWER})

    assert response.status_code == 422
    assert "email" in response.context["form"].errors


def test_a_link_that_still_works_does_not_stand_in_the_log(client, invite, caplog):
    client.force_login(make_user())
    path = invite()
    caplog.handler.addFilter(log_masks.MaskTokens())

    assert client.get(path).status_code == 403
    assert "/shops/join/…/" in caplog.text
    assert path not in caplog.text


def test_an_existing_user_joins_after_logging_in(client, owner, invite):
    guest = make_user(email=GUEST)
    path = invite()

    asked = client.get(path)
    logged_in = log_in(client, email=GUEST, next=path)
    ready = client.get(logged_in.url)
    assert not Membership.objects.filter(user=guest).exists(), "following the link is not joining"
    joined = client.post(path)

    assert asked.context["situation"] == "stranger"
    assert ready.context["situation"] == "ready"
    assert joined.url == reverse("dashboard")
    assert Membership.objects.get(user=guest).role == Role.REVIEWER
    assert client.get(reverse("members")).context["tenant"] == owner.tenant


def test_a_new_user_signs_up_into_the_shop_without_a_second_email(client, owner, invite):
    client.get(invite())

    page = client.get(reverse("account_signup"))
    response = sign_up_as_guest(client)

    assert "shop_name" not in page.context["form"].fields
    assert page.context["form"]["email"].value() == GUEST
    assert response.url == reverse("dashboard")
    membership = Membership.objects.get(user__email=GUEST)
    assert (membership.tenant, membership.role) == (owner.tenant, Role.REVIEWER)
    assert Tenant.objects.count() == 1
    assert EmailAddress.objects.get(email=GUEST).verified
    assert len(mail.outbox) == 1, "the invitation itself"


def test_the_link_does_not_vouch_for_another_address(client, invite):
    client.get(invite())

    response = sign_up_as_guest(client, email="other@example.com")

    assert "email" in response.context["form"].errors
    assert not User.objects.filter(email="other@example.com").exists()


def test_a_visitor_can_open_a_shop_of_their_own_instead(client, invite):
    client.get(invite())

    client.post(reverse("decline_invitation"))
    page = client.get(reverse("account_signup"))

    assert "shop_name" in page.context["form"].fields
    assert Invitation.objects.get().is_open(timezone.now())


def test_the_wrong_account_is_told_so_and_does_not_join(client, invite):
    stranger = make_user()
    path = invite()
    client.force_login(stranger)

    seen = client.get(path)
    posted = client.post(path)
    logged_out = client.post(reverse("account_logout"), {"next": path})

    assert (seen.status_code, posted.status_code) == (403, 403)
    assert GUEST in seen.content.decode()
    assert logged_out.url == path
    assert not Membership.objects.filter(user=stranger).exists()


def test_an_unconfirmed_address_is_not_enough(client, invite):
    stranger = make_user()
    EmailAddress.objects.create(user=stranger, email=GUEST, verified=False)
    path = invite()
    client.force_login(stranger)

    assert client.post(path).status_code == 403
    assert not Membership.objects.filter(user=stranger).exists()


def test_a_second_confirmed_address_is_enough(client, invite):
    guest = make_user()
    EmailAddress.objects.create(user=guest, email=GUEST, verified=True)
    path = invite()
    client.force_login(guest)

    client.post(path)

    assert Membership.objects.filter(user=guest).exists()


def test_an_expired_link_says_so(client, invite):
    guest = make_user(email=GUEST)
    path = invite(now=timezone.now() - timedelta(days=7, seconds=1))
    client.force_login(guest)

    assert client.post(path).status_code == 410
    assert not Membership.objects.filter(user=guest).exists()


def test_a_link_works_once(client, invite):
    guest = make_user(email=GUEST)
    path = invite()
    client.force_login(guest)

    client.post(path)
    Membership.objects.filter(user=guest).delete()
    again = client.post(path)

    assert again.status_code == 410
    assert not Membership.objects.filter(user=guest).exists()


def test_a_withdrawn_link_no_longer_works(client, owner, invite):
    guest = make_user(email=GUEST)
    path = invite()
    client.force_login(owner.user)
    client.post(reverse("revoke_invitation", args=[Invitation.objects.get().id]))
    client.force_login(guest)

    assert client.post(path).status_code == 410
    assert not Membership.objects.filter(user=guest).exists()


def test_a_link_that_expires_during_the_sign_up_does_not_let_in(client, invite):
    client.get(invite())
    Invitation.objects.update(expires_at=timezone.now())

    response = sign_up_as_guest(client)

    assert "shop_name" in response.context["form"].errors
    assert not User.objects.filter(email=GUEST).exists()


def test_sending_again_replaces_the_older_link(client, owner, invite):
    guest = make_user(email=GUEST)
    older, newer = invite(), invite()
    client.force_login(guest)

    assert client.post(older).status_code == 410
    assert client.post(newer).status_code == 302
    assert Membership.objects.filter(user=guest, tenant=owner.tenant).exists()


def test_a_made_up_token_is_unknown(client):
    assert client.get(reverse("invitation", args=["x" * 43])).status_code == 404


def test_a_member_is_not_invited_again(client, owner):
    member = make_member(tenant=owner.tenant, role=Role.REVIEWER)
    client.force_login(owner.user)

    response = client.post(
        reverse("invite_member"), {"email": member.user.email.upper(), "role": Role.OWNER}
    )

    assert response.status_code == 422
    assert "email" in response.context["form"].errors
    assert not Invitation.objects.exists()


def test_a_shop_cannot_flood_strangers_with_invitations(client, owner, invite, monkeypatch):
    monkeypatch.setattr(services, "INVITATIONS_A_DAY", 2)
    invite(email="yesterday@example.com", now=timezone.now() - timedelta(days=1))
    invite(email="a@example.com")
    invite(email="b@example.com")
    client.force_login(owner.user)

    response = client.post(reverse("invite_member"), {"email": GUEST, "role": Role.REVIEWER})

    assert response.status_code == 429
    assert not Invitation.objects.filter(email=GUEST).exists()


def test_somebody_who_is_in_already_keeps_their_role(invite, owner):
    guest = make_user(email=GUEST)
    invite(role=Role.DEVELOPER)
    make_member(tenant=owner.tenant, user=guest, role=Role.MANAGER)

    membership = services.accept_invitation(
        invitation_id=Invitation.objects.get().id, user=guest, now=timezone.now()
    )

    assert membership.role == Role.MANAGER


def test_a_manager_cannot_invite_an_owner_or_replace_an_owners_invitation(client, owner, invite):
    invite(role=Role.OWNER)
    client.force_login(make_member(tenant=owner.tenant, role=Role.MANAGER).user)

    as_owner = client.post(reverse("invite_member"), {"email": "x@example.com", "role": Role.OWNER})
    replacing = client.post(reverse("invite_member"), {"email": GUEST, "role": Role.REVIEWER})

    assert (as_owner.status_code, replacing.status_code) == (422, 403)
    assert Invitation.objects.get().role == Role.OWNER


def test_another_shops_invitation_is_as_unknown_as_a_made_up_one(client, invite):
    invite()
    invitation = Invitation.objects.get()
    client.force_login(make_member().user)

    foreign = client.post(reverse("revoke_invitation", args=[invitation.id]))
    made_up = client.post(reverse("revoke_invitation", args=[uuid4()]))

    assert (foreign.status_code, made_up.status_code) == (404, 404)
    assert without_tokens(foreign) == without_tokens(made_up)
    assert Invitation.objects.get().revoked_at is None


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_refuses_leaves_the_invitation_to_send_again(client, monkeypatch):
    def refuse(self):
        raise SMTPException

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    client.force_login(make_member().user)

    response = client.post(
        reverse("invite_member"), {"email": GUEST, "role": Role.REVIEWER}, follow=True
    )

    assert [message.level_tag for message in response.context["messages"]] == ["error"]
    assert Invitation.objects.get().is_open(timezone.now())
    assert GUEST in response.content.decode()


def test_the_email_speaks_the_receivers_language(owner, invite):
    make_user(email=GUEST, language="tr")

    invite()

    assert "davet" in mail.outbox[0].subject.lower()


def without_tokens(response):
    return re.sub(r"[A-Za-z0-9]{64}|/shops/[^\"]*", "", response.content.decode())
