from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Membership, Role, Tenant, User
from accounts.tests.factories import make_member, make_user
from accounts.tests.test_invitations import without_tokens

pytestmark = pytest.mark.django_db


def current_shop(client):
    return client.get(reverse("members")).context["tenant"]


def test_strangers_log_in_first(client):
    response = client.get(reverse("members"))

    assert response.url == f"{reverse('account_login')}?next={reverse('members')}"


def test_after_the_log_in_a_form_is_not_asked_for_as_a_page(client):
    response = client.post(reverse("leave_shop"))

    assert response.url == reverse("account_login")


def test_a_script_that_uploads_learns_that_the_session_ended(client):
    response = client.post(reverse("leave_shop"), headers={"X-Requested-With": "XMLHttpRequest"})

    assert response.status_code == 401
    assert response.json()["title"] == "You are logged out."


def test_a_fragment_sends_the_whole_page_to_the_log_in(client):
    response = client.get(
        reverse("members"),
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/dashboard/"},
    )

    assert response.status_code == 200
    assert response.headers["HX-Redirect"].startswith(reverse("account_login"))


def test_a_user_without_a_shop_is_asked_to_open_one(client):
    client.force_login(make_user())

    response = client.get(reverse("members"))
    client.post(response.url, {"name": "Corner Shop"})

    assert response.url == reverse("create_shop")
    assert current_shop(client).name == "Corner Shop"
    assert Membership.objects.get().role == Role.OWNER


def test_the_first_shop_is_open_until_another_is_chosen(client):
    user = make_user()
    first, second = make_member(user=user), make_member(user=user, role=Role.REVIEWER)
    client.force_login(user)

    before = current_shop(client)
    client.post(reverse("switch_shop"), {"tenant": str(second.tenant_id)})

    assert before == first.tenant
    assert current_shop(client) == second.tenant


def test_switching_to_somebody_elses_shop_is_like_switching_to_none(client):
    own, foreign = make_member(), make_member()
    client.force_login(own.user)

    answers = [
        client.post(reverse("switch_shop"), {"tenant": str(tenant)})
        for tenant in (foreign.tenant_id, uuid4(), "not-an-id")
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert len({without_tokens(answer) for answer in answers}) == 1
    assert current_shop(client) == own.tenant


def test_a_forged_choice_in_the_session_opens_nothing(client):
    own, foreign = make_member(), make_member()
    client.force_login(own.user)
    session = client.session
    session["tenant_id"] = str(foreign.tenant_id)
    session.save()

    assert current_shop(client) == own.tenant


def test_who_is_removed_loses_the_shop_at_once(client):
    user = make_user()
    first, second = make_member(user=user), make_member(user=user)
    client.force_login(user)
    client.post(reverse("switch_shop"), {"tenant": str(second.tenant_id)})

    second.delete()

    assert current_shop(client) == first.tenant


def test_the_shop_costs_one_query(client):
    client.force_login(make_member().user)
    client.get(reverse("profile"))

    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get(reverse("profile"))

    assert len(queries) == 3, "session, user, shops"


@pytest.mark.parametrize("role", [Role.OWNER, Role.MANAGER])
def test_owners_and_managers_change_the_settings(client, role):
    client.force_login(make_member(role=role).user)

    client.post(reverse("shop_settings"), {"name": "Renamed", "review_percent": 65})

    tenant = Tenant.objects.get()
    assert (tenant.name, tenant.review_threshold) == ("Renamed", 0.65)


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.DEVELOPER])
def test_others_see_the_settings_and_do_not_change_them(client, role):
    tenant = make_member(role=role).tenant
    client.force_login(Membership.objects.get().user)

    seen = client.get(reverse("shop_settings"))
    refused = client.post(reverse("shop_settings"), {"name": "Renamed", "review_percent": 65})

    assert tenant.name in seen.content.decode()
    assert refused.status_code == 403
    assert Tenant.objects.get().name == tenant.name


@pytest.mark.parametrize("percent", ["-1", "101", "many", ""])
def test_refuses_a_threshold_that_is_no_percentage(client, percent):
    client.force_login(make_member().user)

    response = client.post(reverse("shop_settings"), {"name": "Shop", "review_percent": percent})

    assert response.status_code == 422
    assert "review_percent" in response.context["form"].errors


def test_the_chosen_language_follows_the_user(client):
    user = make_member().user
    client.force_login(user)

    client.post(reverse("set_language"), {"language": "tr", "next": "/shops/members/"})
    page = client.get(reverse("members"), headers={"Accept-Language": "en"})

    assert User.objects.get().language == "tr"
    assert '<html lang="tr">' in page.content.decode()


def test_a_user_keeps_their_language_on_a_new_device(client):
    client.force_login(make_member(language="tr").user)

    page = client.get(reverse("members"), headers={"Accept-Language": "en"})

    assert '<html lang="tr">' in page.content.decode()
    assert page.headers["Content-Language"] == "tr"


def test_a_stranger_keeps_a_language_by_cookie(client):
    client.post(reverse("set_language"), {"language": "tr", "next": reverse("account_login")})

    page = client.get(reverse("account_login"))

    assert '<html lang="tr">' in page.content.decode()


def test_choosing_a_language_leads_to_no_other_site(client):
    response = client.post(
        reverse("set_language"), {"language": "tr", "next": "https://elsewhere.example/"}
    )

    assert response.url == "/"


def test_an_unknown_language_changes_nothing(client):
    client.force_login(make_user(language="en"))

    client.post(reverse("set_language"), {"language": "xx"})

    assert User.objects.get().language == "en"


def test_the_profile_keeps_name_and_language(client):
    client.force_login(make_user())

    client.post(reverse("profile"), {"name": "Ada L.", "language": "tr"})

    user = User.objects.get()
    assert (user.name, user.language) == ("Ada L.", "tr")


@pytest.mark.parametrize(
    "name", ["create_shop", "switch_shop", "members", "shop_settings", "profile", "leave_shop"]
)
def test_every_page_of_a_shop_wants_a_log_in(client, name):
    for response in (client.get(reverse(name)), client.post(reverse(name))):
        assert response.status_code in {302, 405}
        if response.status_code == 302:
            assert response.url.startswith(reverse("account_login"))
