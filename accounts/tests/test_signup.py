import re

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.urls import reverse

from accounts.forms import SignupShopForm
from accounts.models import Membership, Role, Tenant, User
from accounts.tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db

FORM = {
    "shop_name": "Blue Door",
    "email": "ada@example.com",
    "password1": PASSWORD,
    "password2": PASSWORD,
}


def sign_up(client, **changes):
    return client.post(reverse("account_signup"), FORM | changes)


def log_in(client, *, email="ada@example.com", password=PASSWORD, **fields):
    data = {"login": email, "password": password} | fields
    return client.post(reverse("account_login"), data)


def confirm_password(client):
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})


def mailed_link():
    return re.findall(r"https?://\S+", str(mail.outbox[-1].body))[0]


def test_signing_up_makes_the_shop_and_its_owner(client):
    response = sign_up(client)

    assert response.status_code == 302
    assert response.url == reverse("account_email_verification_sent")
    membership = Membership.objects.select_related("tenant", "user").get()
    assert membership.tenant.name == "Blue Door"
    assert membership.user.email == "ada@example.com"
    assert membership.role == Role.OWNER


def test_the_link_in_the_email_confirms_the_address_and_then_one_can_log_in(client):
    sign_up(client)
    link = mailed_link()

    opened = client.get(link)
    assert not EmailAddress.objects.get().verified, "a mail scanner's GET must not confirm"
    client.post(link)
    client.logout()
    response = log_in(client)

    assert opened.status_code == 200
    assert EmailAddress.objects.get().verified
    assert response.url == reverse("dashboard")
    assert client.get(reverse("members")).context["tenant"].name == "Blue Door"


def test_an_address_that_is_too_long_is_not_cut(client):
    response = sign_up(client, email="ada@" + ".".join(["long"] * 60) + ".example")

    assert "email" in response.context["form"].errors
    assert not User.objects.exists()


def test_an_unconfirmed_address_cannot_log_in(client):
    sign_up(client)
    client.logout()

    response = log_in(client)

    assert response.url == reverse("account_email_verification_sent")
    assert "_auth_user_id" not in client.session


def test_a_known_address_gets_the_same_answer_and_an_email_instead_of_a_second_account(client):
    fresh = sign_up(client)
    client.logout()
    cache.clear()  # within minutes there would be no second e-mail to one address
    known = sign_up(client, shop_name="Another")

    assert (known.status_code, known.url) == (fresh.status_code, fresh.url)
    assert User.objects.count() == 1
    assert Tenant.objects.count() == 1
    assert "already" in mail.outbox[-1].subject


def test_two_sign_ups_at_the_same_moment_make_one_account(client, monkeypatch):
    """Both pass the check for a known address before either has saved."""
    make_user(email="ada@example.com")
    monkeypatch.setattr(SignupShopForm, "validate_unique_email", lambda self, email: email)

    response = sign_up(client)

    assert response.url == reverse("account_email_verification_sent")
    assert User.objects.count() == 1
    assert Tenant.objects.count() == 0


def test_no_account_is_left_when_the_shop_cannot_be_made(client, monkeypatch):
    def fail(**kwargs):
        raise RuntimeError

    monkeypatch.setattr("accounts.services.create_shop", fail)

    with pytest.raises(RuntimeError):
        sign_up(client)

    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"shop_name": ""}, "shop_name"),
        ({"shop_name": "x" * 121}, "shop_name"),
        ({"email": "ada"}, "email"),
        ({"password1": "12345678", "password2": "12345678"}, "password1"),
        ({"password2": "different"}, "password2"),
    ],
)
def test_refuses_bad_input_at_its_field(client, changes, field):
    response = sign_up(client, **changes)

    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
    assert not User.objects.exists()


def test_the_language_of_the_sign_up_is_kept(client):
    client.post(reverse("account_signup"), FORM, headers={"Accept-Language": "tr"})

    assert User.objects.get().language == "tr"
