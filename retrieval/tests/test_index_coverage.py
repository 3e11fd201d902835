"""What an index lacks, and what is said of it."""

from dataclasses import replace

import pytest
from django.core.cache import caches
from django.utils import timezone

from accounts.tests.factories import make_tenant
from annotations import recording
from annotations import services as annotation_services
from annotations.models import FashionImage
from annotations.tests.factories import make_result
from inference.contract import ModelName
from retrieval import coverage, similar, wanting
from retrieval.models import IndexVersion, Product
from retrieval.services import building, indexes
from retrieval.tests.factories import (
    NEWER,
    answer_as,
    begin,
    build,
)
from retrieval.tests.test_similar import at, make_item

pytestmark = pytest.mark.django_db


def cover(tenant, model: indexes.Model | None = None) -> coverage.Coverage:
    caches["local"].clear()
    return coverage.find_coverage(tenant=tenant, model=model)


def test_what_an_index_in_use_lacks_is_told(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    old = indexes.Model("kalas-mini", "1")
    assert (cover(tenant), cover(tenant, old).is_whole) == (coverage.Coverage(1, "ready"), True)

    make_item(tenant, 20, result=replace(make_result(embedding=at(20)), model=NEWER))

    assert cover(tenant) == cover(tenant, old) == coverage.Coverage(0.5, "ready")
    index = IndexVersion.objects.get(model_version="1")
    building.begin_build(tenant=tenant, now=timezone.now())
    build(index)  # the engine runs the newer model only
    assert cover(tenant, old) == coverage.Coverage(
        0.5, "failed", "The engine runs kalas-mini 2, not kalas-mini 1."
    )


def test_a_build_that_failed_finds_less_than_all(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    answer_as(fake_engine, ModelName("kalas-mini", "3", "kalas-1"))
    failed = build(begin(tenant))

    found = cover(tenant, indexes.Model("kalas-mini", "2"))

    assert found == coverage.Coverage(0, "failed", failed.error)
    assert cover(make_tenant()) == coverage.NO_INDEX


def test_what_the_model_sees_nothing_on_was_looked_at(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    fake_engine.answer = (
        200, replace(make_result(abstained="no-garment"), model=NEWER).to_json(), {},
    )  # fmt: skip
    index = build(begin(tenant))

    assert cover(tenant, indexes.Model("kalas-mini", "2")).is_whole
    assert index.unseen.count() == 1
    Product.objects.all().delete()
    assert index.unseen.count() == 0


def test_a_photo_that_shows_another_garment_now_is_asked_about_again(tenant, fake_engine, healthy):
    product = make_item(tenant, 0)
    fake_engine.answer = (
        200, replace(make_result(abstained="no-garment"), model=NEWER).to_json(), {},
    )  # fmt: skip
    index = build(begin(tenant))
    image = FashionImage.objects.get(product_images__product=product)
    again = annotation_services.request_annotation(
        image=image, requested_by=None, now=timezone.now()
    )

    recording.record_result(
        annotation=again, result=make_result(embedding=at(5)), now=timezone.now()
    )

    assert building.count_missing(index) == 1


def test_an_index_is_searched_while_it_is_built(tenant, fake_engine, healthy, monkeypatch):
    monkeypatch.setattr(building, "PART", 1)
    for degrees in (0, 5, 10, 15):
        make_item(tenant, degrees)
    answer_as(fake_engine, embedding=at(0))
    index = begin(tenant)
    building.build_part(index_id=index.id, now=timezone.now())

    wanted = wanting.want_found(replace(make_result(embedding=at(0)), model=NEWER))

    assert wanted
    assert len(similar.find_similar(tenant=tenant, wanted=wanted)) == 1
    assert cover(tenant, wanted.model) == coverage.Coverage(0.25, "building")
    build(index)
    assert cover(tenant, wanted.model) == coverage.Coverage(1, "ready")
