from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts import usage
from accounts.tests.factories import make_tenant
from annotations import jobs as annotation_jobs
from annotations import recording
from annotations import services as annotation_services
from annotations.models import Annotation, FashionImage
from annotations.tests.factories import (
    make_annotation,
    make_garment,
    make_image,
    make_photo_bytes,
    make_result,
)
from inference.contract import Alternative, Category
from kalas.lib.tenant_rows import only_rows_of
from retrieval.models import PhotoHash, Product, ProductImage
from retrieval.services import photos, products
from retrieval.tests.factories import add_annotated_photo, add_waiting_photo, make_product


def test_makes_up_an_id_where_none_is_given(tenant):
    product = products.create_product(tenant=tenant, values={}, now=timezone.now())

    assert product.external_id.startswith("K-")


def test_refuses_an_id_twice_in_a_shop(tenant):
    make_product(tenant=tenant, external_id="A1")

    with pytest.raises(products.IdTaken):
        make_product(tenant=tenant, external_id="A1")
    assert make_product(tenant=make_tenant(), external_id="A1")


def test_changes_only_what_differs(tenant):
    product = make_product(tenant=tenant, title="Shirt", currency="TRY")

    _product, changed = products.change_product(
        tenant=tenant,
        product_id=product.id,
        values={"title": "Shirt", "currency": "EUR"},
        now=timezone.now(),
    )

    assert changed == ["currency"]


@pytest.mark.parametrize(
    "values", [{"price": -1}, {"currency": "eur"}, {"state": "gone"}, {"external_id": ""}]
)
def test_the_database_refuses_what_makes_no_sense(tenant, values):
    product = make_product(tenant=tenant)

    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.filter(id=product.id).update(**values)


def test_is_new_until_every_photo_is_answered(tenant):
    product = make_product(tenant=tenant)
    add_annotated_photo(product)
    add_waiting_photo(product)
    product.refresh_from_db()
    assert product.state == Product.State.NEW

    waiting = Annotation.objects.pending().get()
    recording.record_result(annotation=waiting, result=make_result(), now=timezone.now())

    product.refresh_from_db()
    assert product.state == Product.State.ANNOTATED
    assert (product.category, product.colours) == ("t-shirt", ["navy-blue", "white"])


def test_waits_for_review_when_photos_disagree(tenant):
    product = make_product(tenant=tenant)
    add_annotated_photo(product)
    other = add_annotated_photo(
        product, make_result(make_garment(category="dress", object_type="full-body"))
    )

    product.refresh_from_db()
    other.refresh_from_db()

    assert product.state == Product.State.IN_REVIEW
    assert product.photos_disagree
    assert other.verdict == ProductImage.Verdict.OTHER_GARMENT


def test_waits_for_review_when_the_model_is_unsure(tenant):
    product = make_product(tenant=tenant)
    add_annotated_photo(product, make_result(confidence=0.3))

    product.refresh_from_db()

    assert product.state == Product.State.IN_REVIEW


def test_what_was_published_stays_so(tenant):
    product = make_product(tenant=tenant)
    assert (
        products.publish_products(tenant=tenant, product_ids=[product.id], now=timezone.now()) == 1
    )
    add_annotated_photo(product)

    product.refresh_from_db()

    assert product.state == Product.State.PUBLISHED
    assert product.category == "t-shirt"


def test_is_judged_anew_when_a_photo_is_deleted(tenant):
    product = make_product(tenant=tenant)
    photo = add_annotated_photo(product)
    assert photo.image_id

    annotation_services.delete_image(tenant=tenant, image_id=photo.image_id)

    product.refresh_from_db()
    assert (product.category, product.state) == ("", Product.State.NEW)


def test_is_judged_anew_when_a_photo_is_taken_away(tenant):
    product = make_product(tenant=tenant)
    photo = add_annotated_photo(product)
    assert photo.image_id

    photos.remove_photo(tenant=tenant, product_image_id=photo.id, now=timezone.now())

    product.refresh_from_db()
    assert product.category == ""
    assert FashionImage.objects.filter(id=photo.image_id).exists()


def test_has_a_photo_once(tenant):
    product = make_product(tenant=tenant)
    image = make_image(tenant=tenant)
    arguments = {"tenant": tenant, "product_id": product.id, "image_id": image.id}

    assert photos.link_image(**arguments, now=timezone.now())
    assert photos.link_image(**arguments, now=timezone.now()) is None
    assert product.photos.count() == 1


def test_takes_no_photo_and_no_product_of_another_shop(tenant):
    product, image = make_product(tenant=tenant), make_image(tenant=make_tenant())

    with pytest.raises(FashionImage.DoesNotExist):
        photos.link_image(
            tenant=tenant, product_id=product.id, image_id=image.id, now=timezone.now()
        )
    with pytest.raises(Product.DoesNotExist):
        photos.link_image(
            tenant=image.tenant, product_id=product.id, image_id=image.id, now=timezone.now()
        )


def test_takes_no_more_photos_than_it_can_show(tenant, monkeypatch):
    monkeypatch.setattr(photos, "MOST_PHOTOS", 1)
    product = make_product(tenant=tenant)
    add_waiting_photo(product)

    with pytest.raises(photos.TooManyPhotos):
        add_waiting_photo(product)
    assert FashionImage.objects.count() == 1


def test_photos_count_against_the_quota_once(tenant):
    tenant.monthly_quota = 1
    tenant.save()
    product, data = make_product(tenant=tenant), make_photo_bytes()
    add_waiting_photo(product, data)
    add_waiting_photo(make_product(tenant=tenant), data)

    with pytest.raises(usage.QuotaUsedUp):
        add_waiting_photo(product)
    assert FashionImage.objects.count() == 1


def test_deleting_takes_the_photos_that_no_other_product_has(tenant):
    first, second = make_product(tenant=tenant), make_product(tenant=tenant)
    mine = add_annotated_photo(first)
    shared = add_annotated_photo(first)
    assert mine.image_id
    assert shared.image_id
    photos.link_image(
        tenant=tenant, product_id=second.id, image_id=shared.image_id, now=timezone.now()
    )

    deleted = products.delete_products(tenant=tenant, product_ids=[first.id])

    assert deleted == 1
    assert not FashionImage.objects.filter(id=mine.image_id).exists()
    assert list(second.photos.values_list("image", flat=True)) == [shared.image_id]


def test_deletes_and_publishes_nothing_of_another_shop(tenant):
    foreign = make_product(tenant=make_tenant())
    arguments = {"tenant": tenant, "product_ids": [foreign.id]}

    assert products.delete_products(**arguments) == 0
    assert products.publish_products(**arguments, now=timezone.now()) == 0
    foreign.refresh_from_db()
    assert foreign.state == Product.State.NEW


def test_asks_again_for_all_photos_but_waiting_ones(tenant, member):
    product = make_product(tenant=tenant)
    add_annotated_photo(product)
    add_waiting_photo(product)

    asked = products.annotate_products_again(
        tenant=tenant, product_ids=[product.id], requested_by=member.user, now=timezone.now()
    )

    assert asked == 1
    product.refresh_from_db()
    assert product.state == Product.State.NEW
    assert Annotation.objects.pending().count() == 2


def test_photos_in_bulk_share_a_job_and_one_for_a_page_goes_before_them(tenant):
    product = make_product(tenant=tenant)
    for _ in range(2):
        add_waiting_photo(product)
    add_waiting_photo(product, priority=Annotation.Priority.UPLOAD)

    asking = ProcrastinateJob.objects.filter(task_name__startswith="annotations.annotate")
    assert sorted(asking.values_list("task_name", "queue_name")) == [
        (annotation_jobs.ANNOTATE_TASK, "default"),
        (annotation_jobs.SHOP_TASK, annotation_jobs.BULK_QUEUE),
    ]


def test_the_second_wall_hides_products_of_other_shops(tenant):
    mine, other = make_product(tenant=tenant), make_product(tenant=make_tenant())
    add_annotated_photo(other)

    with only_rows_of(tenant.id):
        assert list(Product.objects.all()) == [mine]
        assert not ProductImage.objects.exists()
        assert not PhotoHash.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_results_that_arrive_together_are_judged_together():
    tenant = make_tenant()
    product = make_product(tenant=tenant)
    waiting = [make_annotation(tenant=tenant) for _ in range(4)]
    for annotation in waiting:
        photos.link_image(
            tenant=tenant,
            product_id=product.id,
            image_id=annotation.image_id,
            now=timezone.now(),
        )

    def record(annotation: Annotation) -> None:
        try:
            recording.record_result(annotation=annotation, result=make_result(), now=timezone.now())
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(record, waiting))

    product.refresh_from_db()
    assert product.state == Product.State.ANNOTATED
    assert product.photos.exclude(verdict="").count() == 4


@pytest.mark.parametrize(("confidence", "verdict"), [(0.2, "agrees"), (0.0001, "other-garment")])
def test_only_what_is_likely_excuses_another_category(tenant, confidence, verdict):
    product = make_product(tenant=tenant)
    may_be = Category("coat-jacket", 0.7, (Alternative("shirt", confidence),))
    coat = replace(make_garment(), category=may_be)
    add_annotated_photo(product, make_result(make_garment(category="shirt", confidence=0.99)))

    photo = add_annotated_photo(product, make_result(coat))

    photo.refresh_from_db()
    product.refresh_from_db()
    assert (photo.verdict, product.photos_disagree) == (verdict, verdict == "other-garment")
