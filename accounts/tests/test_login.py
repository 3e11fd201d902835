import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core import mail
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import PASSWORD, make_member, make_user
from accounts.tests.test_signup import confirm_password, log_in, mailed_link

pytestmark = pytest.mark.django_db


def test_without_remember_me_the_session_ends_with_the_browser(client):
    user = make_user()

    log_in(client, email=user.email)

    assert client.session.get_expire_at_browser_close()
    assert client.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == ""


def test_remember_me_keeps_the_session_for_weeks(client):
    user = make_user()

    log_in(client, email=user.email, remember="on")

    assert not client.session.get_expire_at_browser_close()
    assert client.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == settings.SESSION_COOKIE_AGE


def test_an_address_is_the_same_in_any_case(client):
    user = make_user()

    log_in(client, email=user.email.upper())

    assert client.session["_auth_user_id"] == str(user.pk)


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client):
    user = make_user()

    wrong = log_in(client, email=user.email, password="wrong")
    unknown = log_in(client, email="nobody@example.com", password="wrong")

    assert wrong.context["form"].errors == unknown.context["form"].errors
    assert wrong.status_code == unknown.status_code


def test_guessing_passwords_is_stopped(client):
    user = make_user()
    for _attempt in range(5):
        log_in(client, email=user.email, password="wrong")

    log_in(client, email=user.email)

    assert "_auth_user_id" not in client.session


def test_an_account_that_is_switched_off_cannot_log_in(client):
    user = make_user(is_active=False)

    log_in(client, email=user.email)

    assert "_auth_user_id" not in client.session


def test_logging_out_takes_a_post(client):
    client.force_login(make_user())

    asked = client.get(reverse("account_logout"))
    assert "_auth_user_id" in client.session
    client.post(reverse("account_logout"))

    assert asked.status_code == 200
    assert "_auth_user_id" not in client.session


def test_a_forgotten_password_is_set_anew_by_the_mailed_link_once(client):
    user = make_user()
    client.post(reverse("account_reset_password"), {"email": user.email})
    link = mailed_link()

    form = client.get(link, follow=True)
    client.post(
        form.request["PATH_INFO"],
        {"password1": "another-Harbour-9", "password2": "another-Harbour-9"},
    )
    again = client.get(link, follow=True)

    assert User.objects.get().check_password("another-Harbour-9")
    assert again.context["token_fail"]


def test_asking_for_an_unknown_address_shows_nothing(client):
    user = make_user()

    known = client.post(reverse("account_reset_password"), {"email": user.email})
    unknown = client.post(reverse("account_reset_password"), {"email": "nobody@example.com"})

    assert (known.status_code, known.url) == (unknown.status_code, unknown.url)
    assert [message.to for message in mail.outbox] == [[user.email], ["nobody@example.com"]]


def test_changing_the_password_wants_the_old_one_and_says_so_by_email(client):
    user = make_user()
    log_in(client, email=user.email)
    new = {"password1": "another-Harbour-9", "password2": "another-Harbour-9"}
    url = reverse("account_change_password")

    client.post(url, {"oldpassword": "wrong"} | new)
    assert User.objects.get().check_password(PASSWORD)
    client.post(url, {"oldpassword": PASSWORD} | new)

    assert User.objects.get().check_password("another-Harbour-9")
    assert mail.outbox[-1].to == [user.email]


def test_an_address_is_added_confirmed_and_made_the_main_one(client):
    user = make_user()
    log_in(client, email=user.email)
    confirm_password(client)

    client.post(reverse("account_email"), {"action_add": "", "email": "new@example.com"})
    client.post(mailed_link())
    client.post(reverse("account_email"), {"action_primary": "", "email": "new@example.com"})

    assert User.objects.get().email == "new@example.com"
    assert EmailAddress.objects.get(email="new@example.com").verified


def test_the_admin_asks_for_the_same_log_in(client):
    response = client.get("/admin/", follow=True)

    assert response.redirect_chain[-1][0].startswith(reverse("account_login"))


def test_the_admin_is_for_operators_only(client):
    client.force_login(make_member().user)

    response = client.get("/admin/accounts/user/")

    assert response.status_code in {302, 403}


@pytest.mark.parametrize(
    "name",
    ["account_login", "account_signup", "account_reset_password", "account_reset_password_done"],
)
def test_pages_for_strangers_render(client, name):
    assert client.get(reverse(name)).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "account_email",
        "account_change_password",
        "mfa_index",
        "mfa_list_webauthn",
        "usersessions_list",
        "profile",
        "create_shop",
        "members",
        "shop_settings",
    ],
)
@pytest.mark.parametrize("language", ["en", "tr"])
def test_pages_for_users_render(client, name, language):
    user = make_member().user
    log_in(client, email=user.email)

    response = client.get(reverse(name), headers={"Accept-Language": language})

    assert response.status_code == 200
    assert f'<html lang="{language}">' in response.content.decode()
