"""Similar products put in the order of the details that they share."""

import base64

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.models import Scope
from accounts.tests.factories import make_key, make_tenant
from annotations.tests.factories import make_photo_bytes
from inference import client
from inference.contract import DETAIL_SIZE, GarmentDetails
from kalas.lib.tenant_rows import only_rows_of
from retrieval import details, similar, tasks
from retrieval.details import Asked
from retrieval.models import PhotoDetails, Product
from retrieval.services import details as services
from retrieval.tests.test_search_pages import read, send
from retrieval.tests.test_similar import make_item, want

pytestmark = pytest.mark.django_db
MODEL = "kalas-details@1"


def make_print(seed: int, count: int = 20) -> bytes:
    rows = np.random.Generator(np.random.PCG64(seed)).integers(-127, 128, (count, DETAIL_SIZE))
    return rows.astype(np.int8).tobytes()


def keep(product: Product, vectors: bytes, model: str = MODEL) -> PhotoDetails:
    photo = product.photos.get()
    assert photo.garment
    return PhotoDetails.objects.create(
        tenant=product.tenant, photo=photo, garment=photo.garment, model=model, vectors=vectors
    )


@pytest.fixture
def looks(monkeypatch):
    """What the engine answers, and what it was asked."""
    asked: list[object] = []

    def find(self, data, crop=None, timeout=0.0):
        asked.append(crop)
        vectors = answer[0]
        if isinstance(vectors, Exception):
            raise vectors
        places = ((1, 2),) * (len(vectors) // DETAIL_SIZE)
        return GarmentDetails(MODEL, "foreground", places, vectors)

    answer: list[bytes | Exception] = [make_print(1)]
    monkeypatch.setattr(client.Client, "find_details", find)
    return answer, asked


def test_the_same_details_come_first(tenant):
    near, same = make_item(tenant, 5), make_item(tenant, 20)
    unknown = make_item(tenant, 30)
    keep(near, make_print(2))
    keep(same, make_print(1))

    found = similar.find_similar(tenant=tenant, wanted=want(), asked=Asked(MODEL, make_print(1)))

    assert [match.product for match in found] == [same, near, unknown]
    assert [match.details for match in found] == [pytest.approx(1), 0, None]


def test_nothing_is_found_by_details_that_is_not_similar(tenant):
    keep(make_item(tenant, 88), make_print(1))

    assert similar.find_similar(tenant=tenant, wanted=want(), asked=Asked(MODEL, b"")) == []


def test_details_of_another_model_are_not_compared(tenant):
    keep(make_item(tenant, 20), make_print(1), model="other@1")

    (match,) = similar.find_similar(tenant=tenant, wanted=want(), asked=Asked(MODEL, make_print(1)))

    assert match.details is None


def test_other_shops_details_are_not_seen(tenant):
    foreign = keep(make_item(make_tenant(), 0), make_print(1))
    asked = Asked(MODEL, make_print(1))

    assert details.share(tenant_id=tenant.id, asked=asked, photos=[foreign.photo_id]) == {}
    with only_rows_of(tenant.id):
        assert not PhotoDetails.objects.exists()


def test_they_go_with_the_photo(tenant):
    product = make_item(tenant, 0)
    keep(product, make_print(1))

    image = product.photos.get().image
    assert image
    image.delete()
    product.photos.all().delete()

    assert not PhotoDetails.objects.exists()


def test_they_are_few(tenant):
    with pytest.raises(IntegrityError), transaction.atomic():
        keep(make_item(tenant, 0), make_print(1, count=129))


def test_jobs_make_those_that_are_missing(tenant, looks, media, monkeypatch):
    monkeypatch.setattr(services, "PART", 2)
    _, asked = looks
    products = [make_item(tenant, degrees) for degrees in (0, 10, 20)]
    make_item(make_tenant(), 0)

    assert services.find_share(tenant=tenant, model=MODEL) == 0
    tasks.build_details(tenant_id=str(tenant.id), model=MODEL)
    assert PhotoDetails.objects.count() == 2
    tasks.build_details(tenant_id=str(tenant.id), model=MODEL)

    assert services.find_share(tenant=tenant, model=MODEL) == 1
    assert len(asked) == 3
    assert {kept.photo.product for kept in PhotoDetails.objects.all()} == set(products)
    assert not services.build_part(tenant_id=tenant.id, model=MODEL)


def test_a_photo_that_cannot_be_looked_at_is_not_tried_for_ever(tenant, looks):
    answer, _ = looks
    answer[0] = ValueError("no")
    make_item(tenant, 0)

    services.build_part(tenant_id=tenant.id, model=MODEL)

    assert not services.list_missing(tenant.id, MODEL).exists()
    assert PhotoDetails.objects.get().vectors == b""


def test_an_engine_with_other_weights_ends_the_job(tenant, looks):
    make_item(tenant, 0)

    assert not services.build_part(tenant_id=tenant.id, model="other@1")
    assert not PhotoDetails.objects.exists()


@pytest.fixture
def api(tenant):
    token = make_key(tenant=tenant, scopes=[Scope.SEARCH]).token
    return Client(headers={"Authorization": f"Bearer {token}"})


def post(api, **asked):
    return api.post("/api/v1/search/similar", asked, content_type="application/json")


def test_the_api_matches_details_when_asked(api, tenant, fake_engine, looks):
    keep(make_item(tenant, 5, title="Near"), make_print(2))
    keep(make_item(tenant, 20, title="Same"), make_print(1))
    make_item(tenant, 30, title="Unknown")
    image = base64.b64encode(make_photo_bytes()).decode()

    plain = post(api, image=image).json()
    matched = post(api, image=image, match_details=True).json()

    assert [each["product"]["title"] for each in plain["results"]] == ["Near", "Same", "Unknown"]
    assert plain["details_complete"] is None
    assert [each["product"]["title"] for each in matched["results"]] == ["Same", "Near", "Unknown"]
    assert [each["details"] for each in matched["results"]] == [1.0, 0.0, None]
    assert matched["details_complete"] == 0.6666


def test_the_api_asks_by_product_and_annotation(api, tenant, looks, media):
    _, asked = looks
    query = make_item(tenant, 0, title="Query")
    keep(make_item(tenant, 20, title="Same"), make_print(1))
    garment = query.photos.get().garment
    assert garment
    annotation = garment.annotation

    for how in ({"product": str(query.id)}, {"annotation": str(annotation.id)}):
        [result] = post(api, **how, match_details=True).json()["results"]
        assert result["details"] == 1.0
    keep(query, make_print(2))
    [result] = post(api, product=str(query.id), match_details=True).json()["results"]
    assert result["details"] == 0.0
    assert len(asked) == 2


def test_the_api_says_that_there_are_no_weights(api, tenant, fake_engine, looks):
    looks[0][0] = client.NoDetails("Train them.")
    image = base64.b64encode(make_photo_bytes()).decode()

    response = post(api, image=image, match_details=True)

    assert response.status_code == 503
    assert response.json()["type"].endswith("/no-details/")
    assert response.json()["detail"] == "Train them."


def test_the_page_matches_details_when_asked(page, tenant, fake_engine, looks):
    keep(make_item(tenant, 5, title="Near shirt"), make_print(2))
    keep(make_item(tenant, 20, title="Same shirt"), make_print(1))
    make_item(tenant, 30)

    plain, matched = read(send(page)), read(send(page, match_details="on"))

    assert plain.index("Near shirt") < plain.index("Same shirt")
    assert matched.index("Same shirt") < matched.index("Near shirt")
    assert "100 % of the details" in matched
    assert "The details of 67 % of the photos are known" in matched
    assert "of the details" not in plain


def test_the_page_matches_a_products_details(page, tenant, looks, media):
    query = make_item(tenant, 0)
    keep(make_item(tenant, 20, title="Same shirt"), make_print(1))

    html = read(page.get(reverse("search"), {"product": str(query.id), "match_details": "on"}))

    assert "100 % of the details" in html
    assert "checked" in html


def test_the_page_says_that_there_are_no_weights(page, tenant, fake_engine, looks):
    looks[0][0] = client.NoDetails("Train them.")

    assert "no weights that find details" in read(send(page, match_details="on"))
