"""Products whose photos are answered together."""

from collections.abc import Sequence

from django.utils import timezone

from annotations import recording
from annotations.models import Annotation
from annotations.recording import Answer
from annotations.tests.factories import make_garment, make_result
from retrieval.models import Embedding, Product
from retrieval.tests.factories import add_waiting_photo, make_product

DRESS = make_result(make_garment(category="dress", object_type="full-body"))


def record(*answers: Answer) -> Sequence[Annotation]:
    return recording.record_results(answers=answers, now=timezone.now())


def wait_for(product: Product) -> Annotation:
    photo = add_waiting_photo(product)
    return Annotation.objects.select_related("image", "tenant").get(image=photo.image_id)


def test_each_product_is_judged_by_its_own_photos(tenant):
    shirt, dress, nothing = (make_product(tenant=tenant) for _ in range(3))

    record(
        Answer(wait_for(shirt), make_result()),
        Answer(wait_for(dress), DRESS),
        Answer(wait_for(nothing), make_result(abstained="no-garment")),
    )

    found = {p.id: (p.category, p.state) for p in Product.objects.all()}
    assert found == {
        shirt.id: ("t-shirt", "annotated"),
        dress.id: ("dress", "annotated"),
        nothing.id: ("", "in-review"),
    }
    assert Embedding.objects.count() == 2


def test_two_photos_of_one_product_are_judged_together(tenant):
    product = make_product(tenant=tenant)
    first, other = wait_for(product), wait_for(product)

    record(Answer(first, make_result()), Answer(other, DRESS))

    product.refresh_from_db()
    assert (product.category, product.photos_disagree) == ("t-shirt", True)
    verdicts = product.photos.in_order().values_list("verdict", flat=True)
    assert list(verdicts) == ["best", "other-garment"]


def test_a_photo_that_still_waits_keeps_its_product_new(tenant):
    product = make_product(tenant=tenant)
    first, other = wait_for(product), wait_for(product)

    record(Answer(first, make_result()))
    product.refresh_from_db()
    before = product.state
    record(Answer(other, make_result()))

    product.refresh_from_db()
    assert (before, product.state) == ("new", "annotated")


def test_their_number_costs_no_queries(tenant, django_assert_num_queries):
    record(Answer(wait_for(make_product(tenant=tenant)), make_result()))  # begins the index
    for number in (1, 8):
        answers = [
            Answer(wait_for(make_product(tenant=tenant)), make_result()) for _ in range(number)
        ]
        with django_assert_num_queries(17):
            record(*answers)


def test_what_a_person_has_published_stays_so(tenant):
    product = make_product(tenant=tenant)
    waiting = wait_for(product)
    Product.objects.filter(id=product.id).update(state="published")

    record(Answer(waiting, DRESS))

    product.refresh_from_db()
    assert (product.state, product.category) == ("published", "dress")
