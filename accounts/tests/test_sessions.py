import pytest
from allauth.usersessions.models import UserSession
from django.core.cache import caches
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import make_member
from accounts.tests.test_signup import log_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forget_activity():
    caches["local"].clear()


def test_lists_the_sessions_and_ends_the_others():
    user = make_member().user
    here, there = Client(headers={"User-Agent": "Here"}), Client(headers={"User-Agent": "There"})
    log_in(here, email=user.email)
    log_in(there, email=user.email)

    page = here.get(reverse("usersessions_list"))
    here.post(reverse("usersessions_list"))

    assert {session.user_agent for session in page.context["sessions"]} == {"Here", "There"}
    assert here.get(reverse("members")).status_code == 200
    assert there.get(reverse("members")).headers["Location"].startswith("/accounts/login/")


def test_other_users_sessions_are_not_listed(client):
    stranger = Client(headers={"User-Agent": "Stranger"})
    log_in(stranger, email=make_member().user.email)
    log_in(client, email=make_member().user.email)

    page = client.get(reverse("usersessions_list"))

    assert page.context["session_count"] == 1
    assert "Stranger" not in page.content.decode()


def test_activity_is_written_once_a_minute(client):
    user = make_member().user
    log_in(client, email=user.email)
    client.get(reverse("members"))
    first = UserSession.objects.get().last_seen_at

    client.get(reverse("members"))
    second = UserSession.objects.get().last_seen_at
    caches["local"].clear()
    client.get(reverse("members"))

    assert second == first
    assert UserSession.objects.get().last_seen_at > first


@pytest.mark.parametrize("key", [r'"abcdefgh\000"', "x", "a" * 5000, "\u00fc" * 32])
def test_a_cookie_that_holds_no_key_is_a_strangers(client, key):
    response = client.get(reverse("members"), headers={"Cookie": f"sessionid={key}"})

    assert response.headers["Location"].startswith("/accounts/login/")
