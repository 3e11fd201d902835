"""Which index a shop gets as its engines change."""

from dataclasses import replace

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import Tenant
from accounts.tests.factories import make_tenant
from annotations.tests.factories import make_result
from inference import client
from inference.contract import EngineHealth, ModelName
from retrieval import jobs, wanting
from retrieval.models import ActiveIndex, IndexVersion, Product
from retrieval.services import building, calibration, indexes
from retrieval.tests.factories import (
    NEWER,
    answer_as,
    begin,
    build,
)
from retrieval.tests.test_similar import at, make_item

pytestmark = pytest.mark.django_db


def search_like(product: Product) -> wanting.Wanted:
    wanted = wanting.want_product(product)
    assert wanted is not None
    return wanted


def follow() -> None:
    building.follow_engines(now=timezone.now())


def count_jobs() -> int:
    return ProcrastinateJob.objects.filter(task_name=jobs.INDEX_TASK, status="todo").count()


def test_a_new_model_of_the_engine_gets_its_index_by_itself(tenant, healthy):
    make_item(tenant, 0)
    make_tenant(name="Without products")

    follow()
    follow()

    built = IndexVersion.objects.exclude(state="ready").get()
    assert (built.tenant, str(built)) == (tenant, "kalas-mini 2")
    assert ActiveIndex.objects.get().index != built
    assert count_jobs() == 1


def test_what_is_new_comes_into_all_indexes_that_an_engine_can_make(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    answer_as(fake_engine, embedding=at(90))
    new = build(begin(tenant))
    make_item(tenant, 20)  # by the old model, which still annotates

    follow()
    build(new)

    assert new.embeddings.count() == 2
    ProcrastinateJob.objects.all().delete()
    follow()
    assert count_jobs() == 0


def test_what_the_model_sees_nothing_on_is_asked_once(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    fake_engine.answer = (
        200, replace(make_result(abstained="no-garment"), model=NEWER).to_json(), {},
    )  # fmt: skip
    build(begin(tenant))
    follow()
    assert count_jobs() == 1  # the first one's

    build(IndexVersion.objects.get(model_version="2"))

    assert len(fake_engine.requests) == 1
    build(begin(tenant))
    assert len(fake_engine.requests) == 2


def test_a_build_that_failed_begins_again_with_its_model(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    answer_as(fake_engine, ModelName("kalas-mini", "3", "kalas-1"))
    failed = build(begin(tenant))
    assert failed.state == "failed"
    answer_as(fake_engine)

    follow()

    assert build(failed).state == "ready"


def test_an_index_that_cannot_follow_gives_way_to_the_complete_one(tenant, fake_engine, healthy):
    """The engine runs the new model only, and there is a product that the old one never saw."""
    make_item(tenant, 0)
    answer_as(fake_engine, embedding=at(0))
    new = build(begin(tenant))
    follow()
    assert ActiveIndex.objects.get().index != new  # which finds as much as the new one

    product = make_item(tenant, 20, result=replace(make_result(embedding=at(20)), model=NEWER))
    assert search_like(product).model.version == "2"
    follow()

    assert ActiveIndex.objects.get().index == new


def test_who_goes_back_stays_there(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    answer_as(fake_engine, embedding=at(0))
    new, old = build(begin(tenant)), ActiveIndex.objects.get().index
    for index in (new, old):
        indexes.switch_to(tenant=tenant, index_id=index.id, now=timezone.now())
    make_item(tenant, 20, result=replace(make_result(embedding=at(20)), model=NEWER))

    follow()

    assert ActiveIndex.objects.get().index == old


@pytest.fixture
def two_engines(monkeypatch, settings) -> dict[str, str | None]:
    """The version of the model that each runs, None of one that is away."""
    settings.INFERENCE_URL, settings.INDEX_INFERENCE_URL = "http://old", "http://new"
    versions: dict[str, str | None] = {"http://old": "1", "http://new": "2"}

    def answer(self: client.Client, timeout: float = 1.0) -> EngineHealth:
        version = versions[self._url]
        if version is None:
            raise client.Unavailable("It restarts.")
        model = ModelName("kalas-mini", version, "kalas-1")
        return EngineHealth("ready", "cpu", model, 0, 8, 0, 1.0)

    monkeypatch.setattr(client.Client, "health", answer)
    return versions


def test_an_engine_that_is_away_for_a_moment_switches_no_shop(tenant, two_engines):
    make_item(tenant, 0)
    new_model = replace(make_result(embedding=at(20)), model=NEWER)
    make_item(tenant, 20, result=new_model)  # which the old index lacks
    Product.objects.exclude(id=Product.objects.latest("created_at").id).delete()
    IndexVersion.objects.filter(model_version="2").update(state="ready")
    two_engines["http://old"] = None

    follow()
    assert str(ActiveIndex.objects.get().index) == "kalas-mini 1"

    two_engines["http://old"] = "2"
    follow()
    assert str(ActiveIndex.objects.get().index) == "kalas-mini 2"


def test_a_build_waits_for_its_engine(tenant, two_engines):
    make_item(tenant, 0)
    index = begin(tenant)
    two_engines["http://new"] = None

    with pytest.raises(client.Unavailable):
        building.build_part(index_id=index.id, now=timezone.now())
    index.refresh_from_db()
    assert index.state == "building"

    two_engines["http://new"] = "3"
    assert build(index).error == "The engine runs kalas-mini 3, not kalas-mini 2."


def test_one_shops_failure_leaves_the_others(tenant, healthy, monkeypatch):
    for each in (tenant, make_tenant()):
        make_item(each, 0)
    first = ActiveIndex.objects.order_by("tenant_id")[0].tenant_id
    complete = building._complete

    def fail_once(shop, model, *, now):
        if shop.id == first:
            raise ValueError
        return complete(shop, model, now=now)

    monkeypatch.setattr(building, "_complete", fail_once)

    follow()

    (begun,) = IndexVersion.objects.filter(model_version="2")
    assert begun.tenant_id != first


def test_a_small_shop_is_not_measured_every_five_minutes(tenant, fake_engine, healthy, monkeypatch):
    make_item(tenant, 0)
    answer_as(fake_engine)
    build(begin(tenant))
    measured: list[IndexVersion] = []
    monkeypatch.setattr(calibration, "calibrate", lambda index, engine: measured.append(index))

    follow()
    follow()

    assert [str(index) for index in measured] == ["kalas-mini 2"]


def test_the_second_engine_builds_while_the_first_annotates(tenant, two_engines):
    make_item(tenant, 0)

    follow()

    states = dict(IndexVersion.objects.values_list("model_version", "state"))
    assert states == {"1": "ready", "2": "building"}


def test_no_engine_to_follow(tenant):
    make_item(tenant, 0)

    with pytest.raises(client.Unavailable):
        follow()


def test_a_family_that_is_gone_is_said_once(tenant, healthy, caplog):
    make_item(tenant, 0)
    Tenant.objects.filter(id=tenant.id).update(model_family="gone+retriever")

    follow()
    follow()

    said = [record for record in caplog.records if "gone+retriever" in record.getMessage()]
    assert [record.levelname for record in said] == ["WARNING"]
    assert said[0].exc_info is None
