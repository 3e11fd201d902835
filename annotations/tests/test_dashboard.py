import csv
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.tests.factories import make_member, make_tenant
from annotations import demo, engine, recording
from annotations.models import DemoShop, FashionImage
from annotations.tests.factories import make_annotation, make_done_annotation, make_result
from inference import specs
from inference.contract import EngineHealth, ModelName

HEALTH = EngineHealth(
    state="ready",
    device="cpu",
    model=ModelName("kalas-mini", "1", "kalas-1"),
    waiting=3,
    capacity=64,
    done=17,
    uptime_s=5.0,
)


@pytest.fixture
def dashboard(page):
    return lambda: page.get("/dashboard/")


def test_counts_the_day_and_what_waits_for_people(dashboard, tenant):
    now = timezone.now()
    make_annotation(tenant=tenant)
    make_done_annotation(tenant=tenant)
    make_done_annotation(tenant=tenant, result=make_result(confidence=0.2))
    make_done_annotation(tenant=tenant, result=make_result(abstained="no-garment"))
    make_done_annotation(tenant=tenant, now=now - timedelta(days=2))
    failed = make_annotation(tenant=tenant, now=now - timedelta(days=2))
    recording.record_failure(annotation=failed, reason="It broke.", now=now)
    make_done_annotation(tenant=make_tenant())

    numbers = dashboard().context["numbers"]

    assert (numbers.requested, numbers.done, numbers.abstained) == (4, 2, 1)
    assert (numbers.pending, numbers.needs_review, numbers.failed) == (1, 1, 1)


def test_every_number_leads_to_its_photos(page, dashboard, tenant):
    make_done_annotation(tenant=tenant, result=make_result(confidence=0.2))

    html = dashboard().content.decode()

    for query in ("review=on&amp;sort=unsure", "state=pending", "state=failed", "since="):
        assert f"{reverse('history')}?{query}" in html


def test_shows_the_last_results_only_of_the_own_shop(dashboard, tenant):
    mine = make_done_annotation(tenant=tenant)
    make_annotation(tenant=tenant)
    make_done_annotation(tenant=make_tenant())

    assert [card.annotation for card in dashboard().context["feed"]] == [mine]


def test_the_feed_is_a_fragment(page):
    html = page.get("/dashboard/feed/").content.decode()

    assert "<html" not in html
    assert "data-live-feed" in html


def test_shows_the_engines_health(dashboard, monkeypatch):
    monkeypatch.setattr(engine, "_ask_health", lambda: HEALTH)

    html = dashboard().content.decode()

    assert "kalas-mini 1" in html
    assert "3 of 64 places" in html


def test_asks_the_engine_once_in_a_while(dashboard, monkeypatch):
    asked = []
    monkeypatch.setattr(engine, "_ask_health", lambda: asked.append(1))

    dashboard()
    dashboard()
    caches["local"].clear()
    dashboard()

    assert len(asked) == 2


@pytest.mark.parametrize(
    ("health", "jobs", "state"),
    [
        (HEALTH, True, "ready"),
        (None, True, "away"),
        (HEALTH, False, "no-jobs"),
        (None, False, "no-jobs"),
    ],
)
def test_says_what_stands_in_the_way(health, jobs, state):
    status = engine.EngineStatus(health=health, jobs_running=jobs)

    assert status.state == state
    assert status.words.endswith(".")
    assert status.is_working == (state == "ready")


def test_leads_through_the_first_steps(page, dashboard, tenant):
    assert "First steps" in dashboard().content.decode()

    make_annotation(tenant=tenant)
    make_member(tenant=tenant)

    assert "First steps" not in dashboard().content.decode()


def test_demo_photos_are_no_first_photos(dashboard, tenant):
    make_annotation(tenant=tenant, source=FashionImage.Source.DEMO)

    assert not dashboard().context["steps"].has_own_photo


def test_makes_the_same_queries_for_one_and_for_many(page, tenant, django_assert_max_num_queries):
    for _ in range(8):
        make_done_annotation(tenant=tenant)

    with django_assert_max_num_queries(12):
        page.get("/dashboard/")


class TestDemo:
    @pytest.fixture
    def few_photos(self, monkeypatch):
        photos = list(demo.list_photos())[:3]
        monkeypatch.setattr(demo, "list_photos", lambda: iter(photos))

    @pytest.fixture
    def shop(self, few_photos, db):
        demo.load_demo(now=timezone.now())
        return DemoShop.objects.get().tenant

    def test_has_a_licence_for_every_photo(self):
        with (demo.FOLDER / "manifest.csv").open() as file:
            licences = {row["file"]: row["licence"] for row in csv.DictReader(file)}

        assert sorted(licences) == sorted(path.name for path in demo.FOLDER.glob("*.jpg"))
        assert set(licences.values()) == {"CC0-1.0", "Apache-2.0"}

    @pytest.mark.parametrize(("finder", "count"), [("", 84), ("kalas-finder@1", 106)])
    def test_shows_outfits_where_the_model_takes_them_apart(self, monkeypatch, finder, count):
        spec = replace(specs.find("kalas-mini@6"), finder=finder)
        monkeypatch.setattr(specs, "find", lambda choice: spec)

        names = [path.name for path in demo.list_photos()]

        assert len(names) == count
        assert any(name.startswith("outfit-") for name in names) == bool(finder)

    def test_loads_once(self, shop):
        again = demo.load_demo(now=timezone.now())

        assert again == 0
        assert FashionImage.objects.for_tenant(shop).demo().count() == 3
        assert DemoShop.objects.count() == 1

    def test_goes_on_after_an_interruption(self, shop):
        FashionImage.objects.for_tenant(shop).order_by("id")[0].delete()
        DemoShop.objects.update(loaded_at=None)

        assert demo.load_demo(now=timezone.now()) == 1

    def test_its_log_in_works(self, client, shop):
        response = client.post(
            reverse("account_login"), {"login": demo.EMAIL, "password": demo.read_password()}
        )

        assert response.url == reverse("dashboard")
        assert "Remove the demo photos" in client.get("/dashboard/").content.decode()

    def test_is_removed_by_one_button_and_stays_away(
        self, client, shop, stored_files, django_capture_on_commit_callbacks
    ):
        own = make_annotation(tenant=shop)
        client.force_login(shop.memberships.get().user)

        with django_capture_on_commit_callbacks(execute=True):
            response = client.post(reverse("remove_demo"))
        again = demo.load_demo(now=timezone.now())

        assert response.url == reverse("dashboard")
        assert list(FashionImage.objects.all()) == [own.image]
        assert len(stored_files()) == 2
        assert again == 0
        html = client.get("/dashboard/").content.decode()
        assert "Remove the demo photos" not in html

    def test_is_removed_by_those_who_manage_the_shop(self, client, shop):
        client.force_login(make_member(tenant=shop, role=Role.REVIEWER).user)

        response = client.post(reverse("remove_demo"))

        assert response.status_code == 403
        assert FashionImage.objects.count() == 3
