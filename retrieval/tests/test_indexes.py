from dataclasses import replace

import pytest
from django.utils import timezone

from accounts.tests.factories import make_tenant
from annotations import recording
from annotations import services as annotation_services
from annotations.models import Annotation, FashionImage
from annotations.tests.factories import make_result
from inference import client
from inference.contract import ModelName
from retrieval import jobs, similar, wanting
from retrieval.models import ActiveIndex, Embedding, IndexVersion, NearDuplicate, Product
from retrieval.services import building, duplicates, indexes, judgements, photos
from retrieval.tests.factories import (
    NEWER,
    add_annotated_photo,
    add_waiting_photo,
    answer_as,
    begin,
    build,
    make_product,
)
from retrieval.tests.test_similar import at, make_item

pytestmark = pytest.mark.django_db


def test_the_first_index_is_searched_at_once(tenant):
    make_item(tenant, 0)

    index = IndexVersion.objects.get()
    assert (index.state, str(index)) == ("ready", "kalas-mini 1")
    assert ActiveIndex.objects.get().index == index
    assert index.embeddings.count() == 1


def test_vectors_follow_what_photos_show(tenant):
    product = make_product(tenant=tenant)
    photo = add_annotated_photo(product, make_result(embedding=(3.0, 4.0)))
    embedding = Embedding.objects.get()
    assert list(embedding.vector) == pytest.approx([0.6, 0.8])

    again = annotation_services.request_annotation(
        image=FashionImage.objects.get(), requested_by=None, now=timezone.now()
    )
    recording.record_result(
        annotation=again, result=make_result(embedding=at(0)), now=timezone.now()
    )
    (embedding,) = Embedding.objects.all()
    assert embedding.garment == again.garments.get()

    photos.remove_photo(tenant=tenant, product_image_id=photo.id, now=timezone.now())
    assert not Embedding.objects.exists()


def test_judging_again_writes_nothing_new(tenant):
    product = make_item(tenant, 0)
    before = Embedding.objects.get().pk

    judgements.judge_product(Product.objects.get(id=product.id), now=timezone.now())

    assert Embedding.objects.get().pk == before


def test_a_merged_products_photos_lead_to_the_kept_one(tenant):
    kept, gone = make_item(tenant, 0), make_item(tenant, 10)
    first, second = sorted((kept, gone), key=lambda product: product.id)
    pair = NearDuplicate.objects.create(tenant=tenant, product=first, other=second, distance=2)

    duplicates.merge_duplicate(
        tenant=tenant, duplicate_id=pair.id, keep_id=kept.id, now=timezone.now()
    )

    found = set(Embedding.objects.values_list("photo__product", flat=True))
    assert (found, Embedding.objects.count()) == ({kept.id}, 2)


def test_a_new_models_index_is_built_beside_the_old_one(tenant, fake_engine, healthy):
    for degrees in (0, 20):
        make_item(tenant, degrees)
    old = IndexVersion.objects.get()
    answer_as(fake_engine, embedding=at(90))

    new = build(begin(tenant))

    assert (new.state, new.model_version) == ("ready", "2")
    assert new.embeddings.count() == old.embeddings.count() == 2
    assert ActiveIndex.objects.get().index == old
    assert "crop=10%2C10%2C50%2C70" in fake_engine.requests[0]
    assert "hint=upper-body" in fake_engine.requests[0]
    assert Annotation.objects.count() == 2


def test_a_build_goes_on_where_it_stopped(tenant, fake_engine, healthy, monkeypatch):
    monkeypatch.setattr(building, "PART", 2)
    for degrees in range(3):
        make_item(tenant, degrees)
    index = begin(tenant)
    answer_as(fake_engine)

    assert building.build_part(index_id=index.id, now=timezone.now())
    fake_engine.answer = (503, {}, {"Retry-After": "1"})
    with pytest.raises(client.Overloaded):
        building.build_part(index_id=index.id, now=timezone.now())
    answer_as(fake_engine)
    build(index)

    assert index.embeddings.count() == 3
    assert len(fake_engine.requests) == 4


def test_jobs_build_it_to_the_end(tenant, fake_engine, healthy, monkeypatch):
    monkeypatch.setattr(building, "PART", 1)
    deferred: list[IndexVersion] = []
    monkeypatch.setattr(jobs, "defer_index_part", deferred.append)
    make_item(tenant, 0)

    begin(tenant)

    assert [str(index) for index in deferred] == ["kalas-mini 2"]


def test_a_photo_that_the_new_model_does_not_see_has_no_vector(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    fake_engine.answer = (
        200, replace(make_result(abstained="no-garment"), model=NEWER).to_json(), {},
    )  # fmt: skip

    index = build(begin(tenant))

    assert (index.state, index.embeddings.count()) == ("ready", 0)


def test_an_engine_with_another_model_ends_the_build(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    answer_as(fake_engine, ModelName("kalas-mini", "3", "kalas-1"))

    index = build(begin(tenant))

    assert (index.state, index.error) == (
        "failed",
        "The engine runs kalas-mini 3, not kalas-mini 2.",
    )


def test_photos_that_the_new_model_annotated_are_not_asked_again(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    make_item(tenant, 0, result=replace(make_result(), model=NEWER))
    answer_as(fake_engine)
    index = IndexVersion.objects.get(model_version="2")
    assert index.state == "building"

    build(index)

    assert index.embeddings.count() == 2
    assert len(fake_engine.requests) == 1


def search_like(product: Product) -> wanting.Wanted:
    wanted = wanting.want_product(product)
    assert wanted is not None
    return wanted


def test_switching_is_one_update_and_so_is_going_back(
    tenant, fake_engine, healthy, django_assert_max_num_queries
):
    query, other = make_item(tenant, 0), make_item(tenant, 20)
    old = IndexVersion.objects.get()
    answer_as(fake_engine, embedding=at(0))
    new = build(begin(tenant))

    with django_assert_max_num_queries(8):
        indexes.switch_to(tenant=tenant, index_id=new.id, now=timezone.now())
    assert search_like(query).model.version == "2"
    indexes.switch_to(tenant=tenant, index_id=old.id, now=timezone.now())

    wanted = search_like(query)
    assert wanted.model.version == "1"
    (match,) = similar.find_similar(tenant=tenant, wanted=wanted)
    assert match.product == other
    assert match.similarity == pytest.approx(at(20)[0])


def test_what_is_not_built_is_not_searched(tenant):
    make_item(tenant, 0)
    index = IndexVersion.objects.create(tenant=tenant, model_name="kalas-mini", model_version="2")

    with pytest.raises(indexes.NotReady):
        indexes.switch_to(tenant=tenant, index_id=index.id, now=timezone.now())
    with pytest.raises(IndexVersion.DoesNotExist):
        indexes.switch_to(tenant=make_tenant(), index_id=index.id, now=timezone.now())


def test_the_index_in_use_stays(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    answer_as(fake_engine)
    new = build(begin(tenant))
    old = ActiveIndex.objects.get().index

    with pytest.raises(indexes.InUse):
        indexes.delete_index(tenant=tenant, index_id=old.id)
    indexes.delete_index(tenant=tenant, index_id=new.id)

    assert list(IndexVersion.objects.all()) == [old]
    assert Embedding.objects.count() == 1


def test_a_photo_that_still_waits_has_no_vector(tenant):
    add_waiting_photo(make_product(tenant=tenant))

    assert not Embedding.objects.exists()
    assert not IndexVersion.objects.exists()


def test_a_photo_that_is_annotated_again_is_found_meanwhile_and_by_the_old_model_later(tenant):
    product = make_item(tenant, 0)
    image = FashionImage.objects.get(product_images__product=product)

    again = annotation_services.request_annotation(
        image=image, requested_by=None, now=timezone.now()
    )
    judgements.judge_product(Product.objects.get(id=product.id), now=timezone.now())
    assert Embedding.objects.count() == 1
    recording.record_result(
        annotation=again, result=replace(make_result(), model=NEWER), now=timezone.now()
    )

    versions = Embedding.objects.values_list("index__model_version", flat=True)
    assert sorted(versions) == ["1", "2"]


def test_a_shop_with_an_index_can_be_deleted(tenant):
    make_item(tenant, 0)

    tenant.delete()

    assert not IndexVersion.objects.exists()
