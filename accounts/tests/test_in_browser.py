"""Log-in, second factor and passkeys in Chromium, under the strict policy of the real pages."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.tests.factories import PASSWORD, make_member
from tests.chromium import run_chromium

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def user() -> User:
    cache.clear()  # the rate limits of other tests; the tables alone are emptied between them
    return make_member().user


@pytest.fixture
def page(user: User, live_server: Any) -> Iterator[Page]:
    """A page on `localhost`, because passkeys are not for addresses that are numbers.

    The user is made before: the database is out of reach while Chromium runs.
    """
    with run_chromium() as browser:
        page = browser.new_page(base_url=f"http://localhost:{live_server.thread.port}")
        page.set_default_timeout(10_000)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text))
        yield page
    assert [text for text in complaints if "Policy" in text or "rror" in text] == []


def open_login(page: Page) -> None:
    """The way back leads to a page without the WebSocket that this server does not speak."""
    page.goto(f"{reverse('account_login')}?next={reverse('profile')}")


def log_in(page: Page, user: User, *, leads_to: str = "profile") -> None:
    open_login(page)
    page.locator("[name=login]").fill(user.email)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url(f"**{reverse(leads_to)}**")


def confirm_password(page: Page) -> None:
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def add_authenticator(page: Page) -> None:
    """A device with fingerprint and memory for passkeys, as Chromium plays one."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_a_passkey_is_added_and_logs_in(page: Page, user: User) -> None:
    add_authenticator(page)
    log_in(page, user)
    page.goto(reverse("mfa_add_webauthn"))
    confirm_password(page)
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.goto(reverse("mfa_list_webauthn"))
    expect(page.get_by_text("Logs in without the password.")).to_be_visible()

    page.context.clear_cookies()
    open_login(page)
    page.get_by_role("button", name="Log in with a passkey").click()

    page.wait_for_url("**" + reverse("profile"))


def test_a_passkey_is_the_second_factor_after_the_password(page: Page, user: User) -> None:
    add_authenticator(page)
    log_in(page, user)
    page.goto(reverse("mfa_add_webauthn"))
    confirm_password(page)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()

    page.context.clear_cookies()
    log_in(page, user, leads_to="mfa_authenticate")
    page.get_by_role("button", name="Use a passkey").click()

    page.wait_for_url("**" + reverse("profile"))


def test_a_numeric_address_is_told_what_passkeys_need(page: Page, live_server: Any) -> None:
    page.goto(f"http://127.0.0.1:{live_server.thread.port}{reverse('account_login')}")

    page.get_by_role("button", name="Log in with a passkey").click()

    expect(page.get_by_role("alert")).to_contain_text("localhost")


def test_the_picture_of_an_app_code_shows(page: Page, user: User) -> None:
    log_in(page, user)
    page.goto(reverse("mfa_activate_totp"))
    confirm_password(page)

    picture = page.get_by_role("img", name="QR code")

    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 0


@pytest.mark.parametrize(("width", "language"), [(360, "en"), (360, "tr"), (1280, "en")])
def test_no_page_is_wider_than_the_screen(
    page: Page, user: User, width: int, language: str
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.set_extra_http_headers({"Accept-Language": language})
    names = ["account_login", "account_signup", "account_reset_password"]
    after_log_in = ["members", "shop_settings", "profile", "mfa_index", "usersessions_list"]
    for name in [*names, None, *after_log_in, "account_email", "account_change_password"]:
        if name is None:
            log_in(page, user)
            continue
        page.goto(reverse(name))

        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
