from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey, DailyUsage, Role, Scope
from accounts.services import NotAllowed
from accounts.tests.factories import make_key, make_member
from kalas import settings as production

pytestmark = pytest.mark.django_db


@pytest.fixture
def member():
    return make_member()


@pytest.fixture
def page(client, member):
    client.force_login(member.user)
    return client


def test_a_key_is_shown_once_and_kept_as_a_hash(page, member):
    data = {"name": "shop", "kind": "secret", "scopes": ["annotate"], "days": "0"}

    response = page.post(reverse("create_key"), data)

    token = response.context["new"].token
    key = ApiKey.objects.get()
    assert response.status_code == 201
    assert response["Cache-Control"].startswith("max-age=0")
    assert token.startswith(f"kal_{key.prefix}_")
    assert len(token.split("_", 2)[2]) >= 43  # 256 bits
    assert token.split("_", 2)[2] not in str(vars(key))
    assert token not in page.get(reverse("developers")).content.decode()
    assert (key.tenant, key.created_by) == (member.tenant, member.user)


def test_names_scopes_as_the_api_does(page):
    text = page.get(reverse("developers")).content.decode()

    for scope in Scope:
        assert f"<span>{scope.label} <code>{scope}</code></span>" in text


def test_recognises_its_own_key_only():
    now = timezone.now()
    new = make_key()

    assert keys.authenticate_key(token=new.token, now=now) == new.key
    for wrong in (new.token[:-1], new.token + "x", f"kal_{new.key.prefix}_x", "kal_", "", "x_y_z"):
        with pytest.raises(keys.KeyRefused):
            keys.authenticate_key(token=wrong, now=now)


def test_notes_its_last_use_once_a_minute(django_assert_num_queries):
    now = timezone.now()
    new = make_key()
    keys.authenticate_key(token=new.token, now=now)

    with django_assert_num_queries(1):
        keys.authenticate_key(token=new.token, now=now + timedelta(seconds=59))

    key = keys.authenticate_key(token=new.token, now=now + timedelta(seconds=61))
    assert key.last_used_at == now + timedelta(seconds=61)


def test_a_key_is_not_looked_up_again_within_a_moment(
    member, settings, monkeypatch, django_assert_num_queries
):
    settings.API_KEY_REMEMBER_S, now, clock = 0.5, timezone.now(), [100.0]
    monkeypatch.setattr(keys, "monotonic", lambda: clock[0])
    new = make_key(member=member)
    # The first use is noted, so the second one reads what was noted.
    for _ in range(2):
        keys.authenticate_key(token=new.token, now=now, may_be_old=True)
    keys.revoke_key(tenant=member.tenant, by=member, key_id=new.key.id, now=now)

    with django_assert_num_queries(0):
        known = keys.authenticate_key(token=new.token, now=now, may_be_old=True)
        with pytest.raises(keys.KeyRefused, match="no such"):
            keys.authenticate_key(token=new.token[:-1] + "!", now=now, may_be_old=True)
    with pytest.raises(keys.KeyRefused, match="revoked"):
        keys.authenticate_key(token=new.token, now=now)
    clock[0] += 0.5
    with pytest.raises(keys.KeyRefused, match="revoked"):
        keys.authenticate_key(token=new.token, now=now, may_be_old=True)

    assert known.tenant == member.tenant
    assert production.API_KEY_REMEMBER_S < 1


def test_a_remembered_key_expires_in_time(settings):
    settings.API_KEY_REMEMBER_S, now = 60, timezone.now()
    new = make_key(expires_at=now + timedelta(days=1))
    for _ in range(2):
        keys.authenticate_key(token=new.token, now=now, may_be_old=True)

    with pytest.raises(keys.KeyRefused, match="expired"):
        keys.authenticate_key(token=new.token, now=now + timedelta(days=1), may_be_old=True)


def test_an_expired_key_is_refused():
    now = timezone.now()
    new = make_key(expires_at=now + timedelta(days=1))

    keys.authenticate_key(token=new.token, now=now)

    with pytest.raises(keys.KeyRefused, match="expired"):
        keys.authenticate_key(token=new.token, now=now + timedelta(days=1))


def test_rotating_lets_the_old_key_work_on_for_a_while(member):
    now = timezone.now()
    old = make_key(member=member, scopes=[Scope.REVIEW, Scope.ANNOTATE])

    new = keys.rotate_key(
        tenant=member.tenant, by=member, key_id=old.key.id, overlap=timedelta(hours=1), now=now
    )

    assert (new.key.name, new.key.scopes) == (old.key.name, old.key.scopes)
    keys.authenticate_key(token=new.token, now=now)
    keys.authenticate_key(token=old.token, now=now + timedelta(minutes=59))
    with pytest.raises(keys.KeyRefused):
        keys.authenticate_key(token=old.token, now=now + timedelta(hours=1))


def test_rotating_never_makes_a_key_live_longer(member):
    now = timezone.now()
    old = make_key(member=member, expires_at=now + timedelta(hours=1))

    keys.rotate_key(
        tenant=member.tenant, by=member, key_id=old.key.id, overlap=timedelta(days=7), now=now
    )

    with pytest.raises(keys.KeyRefused):
        keys.authenticate_key(token=old.token, now=now + timedelta(hours=1))


def test_a_revoked_key_is_refused_at_once(page, member):
    new = make_key(member=member)

    page.post(reverse("revoke_key", args=[new.key.id]))

    with pytest.raises(keys.KeyRefused, match="revoked"):
        keys.authenticate_key(token=new.token, now=timezone.now())
    assert page.post(reverse("revoke_key", args=[new.key.id])).status_code == 404
    assert page.post(reverse("rotate_key", args=[new.key.id]), {"overlap": 1}).status_code == 404


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(Role.OWNER, True), (Role.MANAGER, True), (Role.DEVELOPER, True), (Role.REVIEWER, False)],
)
def test_who_manages_keys(client, role, allowed):
    member = make_member(role=role)
    new = make_key(member=make_member(tenant=member.tenant))
    client.force_login(member.user)

    assert client.get(reverse("developers")).status_code == (200 if allowed else 403)
    response = client.post(reverse("revoke_key", args=[new.key.id]))
    assert response.status_code == (302 if allowed else 403)
    assert ApiKey.objects.filter(revoked_at=None).exists() is not allowed


def test_who_lost_the_role_meanwhile_makes_no_key(member):
    role, member.role = Role.REVIEWER, Role.OWNER
    type(member).objects.filter(id=member.id).update(role=role)

    with pytest.raises(NotAllowed):
        make_key(member=member)


def test_a_key_outlives_the_membership_of_who_made_it_and_the_page_says_so(page, member):
    developer = make_member(tenant=member.tenant, role=Role.DEVELOPER)
    token = make_key(member=developer).token
    assert "no developer of this shop any more" not in page.get(reverse("developers")).text

    response = page.post(reverse("remove_member", args=[developer.id]), follow=True)

    assert "Replace them on the page Developers" in response.text
    assert keys.authenticate_key(token=token, now=timezone.now()).tenant == member.tenant
    assert "no developer of this shop any more" in page.get(reverse("developers")).text


def test_a_shop_has_so_many_keys(member, monkeypatch):
    monkeypatch.setattr(keys, "MOST_KEYS", 1)
    first = make_key(member=member)

    with pytest.raises(keys.TooManyKeys):
        make_key(member=member)

    now = timezone.now()
    keys.revoke_key(tenant=member.tenant, by=member, key_id=first.key.id, now=now)
    make_key(member=member)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"kind": "secret"}, "scopes"),
        ({"kind": "secret", "scopes": ["everything"]}, "scopes"),
        ({"kind": "publishable"}, "origins"),
        ({"kind": "publishable", "origins": "shop.example"}, "origins"),
        ({"kind": "publishable", "origins": "https://shop.example/page"}, "origins"),
        ({"kind": "publishable", "origins": "https://a@shop.example"}, "origins"),
        ({"kind": "publishable", "origins": "*"}, "origins"),
        ({"kind": "other"}, "kind"),
        ({"kind": "secret", "scopes": ["annotate"], "days": "5"}, "days"),
    ],
)
def test_refuses_a_wrong_form(page, data, field):
    response = page.post(reverse("create_key"), {"name": "x", "days": "0", **data})

    assert response.status_code == 422
    assert field in response.context["form"].errors
    assert not ApiKey.objects.exists()


def test_a_publishable_key_only_searches(page):
    data = {
        "name": "web",
        "kind": "publishable",
        "scopes": ["manage"],
        "origins": "https://Shop.example:443/\nhttps://www.shop.example:8443",
        "days": "30",
    }

    page.post(reverse("create_key"), data)

    key = ApiKey.objects.get()
    assert key.scopes == ["search"]
    assert key.origins == ["https://shop.example", "https://www.shop.example:8443"]
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.update(scopes=["manage"])


def test_the_page_shows_what_keys_did(page, member):
    used, idle = make_key(member=member, name="night import").key, make_key(member=member).key
    today = datetime.now(UTC).date()
    for days_ago, requests in ((0, 7), (29, 5), (30, 1000)):
        day = today - timedelta(days=days_ago)
        DailyUsage.objects.create(key=used, day=day, requests=requests)
    ApiKey.objects.filter(id=used.id).update(last_used_at=datetime.now(UTC))

    response = page.get(reverse("developers"))

    assert {key.id: key.requests for key in response.context["keys"]} == {used.id: 12, idle.id: 0}
    assert "12 requests in 30 days" in response.text
    assert response.text.count("<rect") == 30


def test_the_page_says_that_no_key_was_used(page, member):
    make_key(member=member)

    response = page.get(reverse("developers"))

    assert "No key has sent a request" in response.text
    assert "<rect" not in response.text
