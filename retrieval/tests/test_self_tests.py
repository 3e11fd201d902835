from dataclasses import replace

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import make_tenant
from annotations.tests.factories import make_garment, make_result
from inference import client
from inference.contract import Box, EngineHealth, ModelName
from retrieval.models import IndexVersion, SearchTest
from retrieval.services import testing
from retrieval.tests.factories import add_annotated_photo, make_index
from retrieval.tests.test_similar import at, make_item

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def healthy(monkeypatch):
    model = ModelName("kalas-mini", "1", "kalas-1")
    health = EngineHealth("ready", "cpu", model, 0, 8, 0, 1.0)
    monkeypatch.setattr(client.Client, "health", lambda self, timeout=1.0: health)


def run(tenant) -> SearchTest | None:
    index = IndexVersion.objects.get(tenant=tenant, model_version="1")
    return testing.test_search(index=index, now=timezone.now())


def test_products_are_asked_for_by_their_other_photos(tenant, fake_engine):
    for degrees in (0, 90):
        product = make_item(tenant, degrees)
        add_annotated_photo(product, make_result(embedding=at(degrees + 10)))
    make_item(make_tenant(), 0)

    result = run(tenant)

    assert result
    assert (result.asked, result.recall_1, result.recall_20) == (4, 1.0, 1.0)
    assert fake_engine.requests == []


def test_a_search_that_confuses_products_shows_it(tenant):
    for degrees in (0, 45):
        product = make_item(tenant, degrees)
        add_annotated_photo(product, make_result(embedding=at(degrees + 50)))

    result = run(tenant)

    assert result
    assert result.recall_1 < 1
    assert result.recall_5 == 1.0


def test_a_product_with_one_photo_is_asked_for_by_a_part_of_it(tenant, fake_engine):
    make_item(tenant, 10)
    make_item(tenant, 80)

    result = run(tenant)

    assert result
    assert (result.asked, result.recall_1, result.recall_5) == (2, 0.5, 1.0)
    assert "crop=14%2C17%2C46%2C63" in fake_engine.requests[0]


def test_no_part_is_smaller_than_the_engine_answers(tenant, fake_engine):
    small = replace(make_garment(), box=Box(10, 10, 42, 70))
    make_item(tenant, 0, result=make_result(small))
    make_item(tenant, 80, result=make_result(replace(small, box=Box(10, 10, 43, 42))))

    run(tenant)

    assert len(fake_engine.requests) == 1
    assert "crop=10%2C17%2C42%2C63" in fake_engine.requests[0]


def test_an_engine_that_is_away_spoils_no_other_shop(tenant):
    make_item(make_tenant(), 10)
    product = make_item(tenant, 0)
    add_annotated_photo(product, make_result(embedding=at(10)))

    testing.test_all(now=timezone.now())

    assert [each.tenant for each in SearchTest.objects.all()] == [tenant]


def test_nothing_to_ask_for(tenant):
    index = make_index(tenant=tenant)

    assert testing.test_search(index=index, now=timezone.now()) is None


def test_the_page_shows_the_last_nights(page, tenant):
    product = make_item(tenant, 0)
    add_annotated_photo(product, make_result(embedding=at(10)))
    run(tenant)

    html = page.get(reverse("search_indexes")).content.decode()

    assert "Self-test" in html
    assert "100 %" in html
    assert "<polyline" not in html
    run(tenant)
    html = page.get(reverse("search_indexes")).content.decode()
    assert html.count("<polyline") == 2


@pytest.mark.django_db(transaction=True)
def test_it_is_run_when_somebody_wants_it(page, tenant, run_jobs):
    product = make_item(tenant, 0)
    add_annotated_photo(product, make_result(embedding=at(10)))

    page.post(reverse("test_search"))
    run_jobs()

    assert SearchTest.objects.get().recall_1 == 1


def test_the_owner_sees_on_the_models_page_how_well_the_search_finds(page, tenant, fake_engine):
    index = make_index(tenant=tenant)
    foreign = make_index(tenant=make_tenant())
    assert "tests itself each night" in page.get("/shops/model/").content.decode()

    for of, share in ((index, 0.5), (index, 0.75), (foreign, 0.11)):
        SearchTest.objects.create(
            tenant=of.tenant, index=of, asked=4, recall_1=share, recall_5=share, recall_20=share
        )

    html = page.get("/shops/model/").content.decode()
    assert "75%" in html.replace("\xa0", "").replace(" %", "%")
    assert "11%" not in html.replace(" %", "%")
    assert 'class="card test-chart"' in html
    assert reverse("search_indexes") in html
