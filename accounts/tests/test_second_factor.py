import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.urls import reverse

from accounts.tests.factories import make_member, make_user
from accounts.tests.test_signup import confirm_password, log_in

pytestmark = pytest.mark.django_db


def code_for(secret):
    return totp.format_hotp_value(
        totp.hotp_value(secret, next(iter(totp.yield_hotp_counters_from_time())))
    )


@pytest.fixture
def secret():
    return totp.generate_totp_secret()


def test_an_app_is_set_up_with_its_code_and_recovery_codes_come_along(client):
    user = make_user()
    log_in(client, email=user.email)
    confirm_password(client)
    page = client.get(reverse("mfa_activate_totp"))
    secret = page.context["form"].secret

    response = client.post(reverse("mfa_activate_totp"), {"code": code_for(secret)})

    assert response.status_code == 302
    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    assert kinds == {Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES}
    assert client.get(reverse("mfa_index")).status_code == 200
    assert client.get(reverse("mfa_view_recovery_codes")).status_code == 200


def test_the_password_alone_is_not_enough_with_an_app(client, secret):
    user = make_member().user
    totp.TOTP.activate(user, secret)

    asked = log_in(client, email=user.email)
    page = client.get(asked.url)
    assert "_auth_user_id" not in client.session
    refused = client.post(asked.url, {"code": "000000"})
    client.post(asked.url, {"code": code_for(secret)})

    assert asked.url == reverse("mfa_authenticate")
    assert page.status_code == 200
    assert refused.context["form"].errors
    assert client.session["_auth_user_id"] == str(user.pk)


def test_a_recovery_code_works_once(client, secret):
    user = make_user()
    totp.TOTP.activate(user, secret)
    code = RecoveryCodes.activate(user).get_unused_codes()[0]

    log_in(client, email=user.email)
    client.post(reverse("mfa_authenticate"), {"code": code})
    assert client.session["_auth_user_id"] == str(user.pk)
    client.post(reverse("account_logout"))
    log_in(client, email=user.email)
    client.post(reverse("mfa_authenticate"), {"code": code})

    assert "_auth_user_id" not in client.session


def test_secrets_are_encrypted_in_the_database(secret):
    user = make_user()
    totp.TOTP.activate(user, secret)

    stored = Authenticator.objects.get(user=user).data["secret"]

    assert secret not in stored


def test_secrets_survive_a_change_of_the_secret_key(secret, settings):
    user = make_user()
    authenticator = totp.TOTP.activate(user, secret).instance

    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"

    assert authenticator.wrap().validate_code(code_for(secret))


@pytest.mark.parametrize("name", ["mfa_activate_totp", "mfa_add_webauthn"])
def test_a_change_to_the_second_factor_wants_a_recent_log_in(client, name):
    client.force_login(make_user())

    response = client.get(reverse(name))

    assert response.status_code == 302
    assert response.url.startswith(reverse("account_reauthenticate"))


@pytest.mark.parametrize("name", ["mfa_add_webauthn", "mfa_activate_totp"])
def test_pages_hold_no_inline_script_or_style(client, name):
    user = make_user()
    log_in(client, email=user.email)
    confirm_password(client)

    page = client.get(reverse(name))
    body = page.content.decode()

    assert page.status_code == 200
    assert "style=" not in body
    for tag in body.split("<script")[1:]:
        opening = tag.partition(">")[0]
        assert "src=" in opening or 'type="application/json"' in opening


def test_the_passkey_log_in_hands_out_a_challenge(client):
    answer = client.get(reverse("mfa_login_webauthn"), headers={"Accept": "application/json"})

    assert answer.json()["request_options"]["publicKey"]["challenge"]


@pytest.mark.parametrize(
    "credential", ["{}", '{"id": 1}', "[]", "7", '"text"', '{"id": "a", "rawId": "a"}']
)
def test_an_answer_that_no_passkey_gives_is_refused(client, credential):
    response = client.post(reverse("mfa_login_webauthn"), {"credential": credential})

    assert response.status_code == 302
    assert response.url == reverse("account_login")
