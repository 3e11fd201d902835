import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from accounts import services
from accounts.models import Invitation, Role, User
from accounts.tests.factories import PASSWORD, make_member, make_user
from accounts.tests.test_signup import log_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client):
    user = make_user(is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def invitation():
    owner = make_member()
    return services.invite_member(
        tenant=owner.tenant,
        by=owner,
        email="guest@example.com",
        role=Role.REVIEWER,
        build_link=str,
        now=timezone.now(),
    )


def test_an_operator_made_by_command_logs_in_at_once(client, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", email="Op@Example.com", interactive=False, verbosity=0)

    log_in(client, email="op@example.com")

    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("model", ["user", "tenant", "membership", "invitation"])
def test_lists_searches_and_shows(client, operator, invitation, model):
    changelist = client.get(reverse(f"admin:accounts_{model}_changelist"), {"q": "example.com"})
    shown = changelist.context["cl"].result_list[0]
    page = client.get(reverse(f"admin:accounts_{model}_change", args=[shown.pk]))

    assert (changelist.status_code, page.status_code) == (200, 200)
    assert invitation.token_sha256 not in page.content.decode()


@pytest.mark.parametrize(
    "name", ["usersessions_usersession", "mfa_authenticator", "account_emailaddress"]
)
def test_the_lists_of_allauth_can_be_searched(client, operator, name):
    assert client.get(reverse(f"admin:{name}_changelist"), {"q": "x"}).status_code == 200


def test_adds_a_user_by_email(client, operator):
    data = {
        "email": "new@example.com",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }

    client.post(reverse("admin:accounts_user_add"), data)

    assert User.objects.get(email="new@example.com").check_password(PASSWORD)


def test_withdraws_invitations(client, operator, invitation):
    client.post(
        reverse("admin:accounts_invitation_changelist"),
        {"action": "revoke", "_selected_action": [str(invitation.id)]},
    )

    assert not Invitation.objects.get().is_open(timezone.now())


def test_nobody_writes_an_invitation_by_hand(client, operator):
    assert client.get(reverse("admin:accounts_invitation_add")).status_code == 403
