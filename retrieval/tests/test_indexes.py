from dataclasses import replace

import numpy as np
import pytest
from django.core.cache import caches
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import Tenant
from accounts.tests.factories import make_tenant
from annotations import recording
from annotations import services as annotation_services
from annotations.models import Annotation, FashionImage
from annotations.tests.factories import make_garment, make_result
from inference import client
from inference.contract import EngineHealth, ModelName
from retrieval import jobs, similar
from retrieval.models import ActiveIndex, Embedding, IndexVersion, NearDuplicate, Product
from retrieval.services import building, calibration, duplicates, indexes, photos
from retrieval.tests.factories import add_annotated_photo, add_waiting_photo, make_product
from retrieval.tests.test_similar import at, make_item

pytestmark = pytest.mark.django_db
NEWER = ModelName("kalas-mini", "2", "kalas-1")


def answer_as(engine, model: ModelName = NEWER, **fields) -> None:
    engine.answer = (200, replace(make_result(**fields), model=model).to_json(), {})


@pytest.fixture
def healthy(monkeypatch):
    """The engine says that it runs the newer model."""
    health = EngineHealth("ready", "cpu", NEWER, 0, 8, 0, 1.0)
    monkeypatch.setattr(client.Client, "health", lambda self, timeout=1.0: health)


def build(index: IndexVersion) -> IndexVersion:
    while building.build_part(index_id=index.id, now=timezone.now()):
        pass
    index.refresh_from_db()
    return index


def begin(tenant) -> IndexVersion:
    return building.begin_build(tenant=tenant, now=timezone.now())


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

    photos.judge_product(Product.objects.get(id=product.id), now=timezone.now())

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


def search_like(product: Product) -> similar.Wanted:
    wanted = similar.want_product(product)
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


def test_few_products_have_the_usual_cut_off(tenant):
    make_item(tenant, 0)
    index = IndexVersion.objects.get()

    calibration.calibrate(index=index)

    index.refresh_from_db()
    assert (index.cut_off, index.words_cut_off) == (calibration.USUAL_CUT_OFF, None)


def test_the_cut_off_is_what_few_products_of_other_categories_reach(tenant, monkeypatch):
    monkeypatch.setattr(calibration, "_LEAST_PAIRS", 40)
    random = np.random.default_rng(1)
    for number in range(20):
        middle = 0 if number % 2 else 40
        category = "t-shirt" if number % 2 else "jeans"
        make_item(
            tenant,
            0,
            result=make_result(make_garment(
                category=category, embedding=at(middle + random.uniform(-5, 5))
            )),
        )  # fmt: skip
    index = IndexVersion.objects.get()

    calibration.calibrate(index=index)

    index.refresh_from_db()
    cut_off = index.cut_off
    assert at(42)[0] < cut_off < at(28)[0]
    IndexVersion.objects.update(cut_off=0.1)
    building.recalibrate_all()
    index.refresh_from_db()
    assert index.cut_off == cut_off


def test_a_photo_that_still_waits_has_no_vector(tenant):
    add_waiting_photo(make_product(tenant=tenant))

    assert not Embedding.objects.exists()
    assert not IndexVersion.objects.exists()


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


def test_an_index_that_is_deleted_while_it_is_calibrated_stays_so(tenant):
    make_item(tenant, 0)
    index = IndexVersion.objects.get()
    tenant.delete()

    calibration.calibrate(index=index)

    assert not IndexVersion.objects.exists()


def test_the_second_engine_builds_while_the_first_annotates(tenant, two_engines):
    make_item(tenant, 0)

    follow()

    states = dict(IndexVersion.objects.values_list("model_version", "state"))
    assert states == {"1": "ready", "2": "building"}


def test_no_engine_to_follow(tenant):
    make_item(tenant, 0)

    with pytest.raises(client.Unavailable):
        follow()


def test_a_photo_that_is_annotated_again_is_found_meanwhile_and_by_the_old_model_later(tenant):
    product = make_item(tenant, 0)
    image = FashionImage.objects.get(product_images__product=product)

    again = annotation_services.request_annotation(
        image=image, requested_by=None, now=timezone.now()
    )
    photos.judge_product(Product.objects.get(id=product.id), now=timezone.now())
    assert Embedding.objects.count() == 1
    recording.record_result(
        annotation=again, result=replace(make_result(), model=NEWER), now=timezone.now()
    )

    versions = Embedding.objects.values_list("index__model_version", flat=True)
    assert sorted(versions) == ["1", "2"]


def test_an_index_is_searched_while_it_is_built(tenant, fake_engine, healthy, monkeypatch):
    monkeypatch.setattr(building, "PART", 1)
    for degrees in (0, 5, 10, 15):
        make_item(tenant, degrees)
    answer_as(fake_engine, embedding=at(0))
    index = begin(tenant)
    building.build_part(index_id=index.id, now=timezone.now())

    wanted = similar.want_found(replace(make_result(embedding=at(0)), model=NEWER))

    assert wanted
    assert len(similar.find_similar(tenant=tenant, wanted=wanted)) == 1
    assert cover(tenant, wanted.model) == similar.Coverage(0.25, "building")
    build(index)
    assert cover(tenant, wanted.model) == similar.Coverage(1, "ready")


def cover(tenant, model: indexes.Model | None = None) -> similar.Coverage:
    caches["local"].clear()
    return similar.find_coverage(tenant=tenant, model=model)


def test_what_an_index_in_use_lacks_is_told(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    old = indexes.Model("kalas-mini", "1")
    assert (cover(tenant), cover(tenant, old).is_whole) == (similar.Coverage(1, "ready"), True)

    make_item(tenant, 20, result=replace(make_result(embedding=at(20)), model=NEWER))

    assert cover(tenant) == cover(tenant, old) == similar.Coverage(0.5, "ready")
    index = IndexVersion.objects.get(model_version="1")
    building.begin_build(tenant=tenant, now=timezone.now())
    build(index)  # the engine runs the newer model only
    assert cover(tenant, old) == similar.Coverage(
        0.5, "failed", "The engine runs kalas-mini 2, not kalas-mini 1."
    )


def test_a_build_that_failed_finds_less_than_all(tenant, fake_engine, healthy):
    make_item(tenant, 0)
    answer_as(fake_engine, ModelName("kalas-mini", "3", "kalas-1"))
    failed = build(begin(tenant))

    found = cover(tenant, indexes.Model("kalas-mini", "2"))

    assert found == similar.Coverage(0, "failed", failed.error)
    assert cover(make_tenant()) == similar.NO_INDEX


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


def test_the_cut_off_of_words_is_what_few_names_reach_elsewhere(tenant, monkeypatch):
    monkeypatch.setattr(calibration, "_LEAST_PAIRS", 10)
    # The names are read as these directions.
    directions = {"Jeans": 0.0, "T-shirt": 90.0}
    monkeypatch.setattr(
        client.Client,
        "embed_texts",
        lambda _self, texts, timeout: [at(directions[t]) for t in texts],
    )
    for category, middle in (("jeans", 10), ("t-shirt", 60)):
        for number in range(6):
            garment = make_garment(category=category, embedding=at(middle + number))
            make_item(tenant, 0, result=make_result(garment))
    index = IndexVersion.objects.get()

    calibration.calibrate(index=index, engine=client.Client("http://nobody"))

    index.refresh_from_db()
    # Jeans are 75 to 80 degrees from "T-shirt", shirts 60 to 65 from "Jeans".
    assert index.words_cut_off == pytest.approx(at(60)[0], abs=0.02)


def test_a_shop_with_an_index_can_be_deleted(tenant):
    make_item(tenant, 0)

    tenant.delete()

    assert not IndexVersion.objects.exists()


def test_a_family_that_is_gone_is_said_once(tenant, healthy, caplog):
    make_item(tenant, 0)
    Tenant.objects.filter(id=tenant.id).update(model_family="gone+retriever")

    follow()
    follow()

    said = [record for record in caplog.records if "gone+retriever" in record.getMessage()]
    assert [record.levelname for record in said] == ["WARNING"]
    assert said[0].exc_info is None
