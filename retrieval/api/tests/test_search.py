import base64
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Scope
from accounts.tests.factories import make_key, make_tenant
from annotations.models import Annotation, FashionImage
from annotations.tests.conftest import fake_engine, media  # noqa: F401 - fixtures
from annotations.tests.factories import make_annotation, make_photo_bytes, make_result
from retrieval.models import Embedding, IndexVersion
from retrieval.tests.factories import make_product
from retrieval.tests.test_similar import at, make_item
from retrieval.tests.test_words import make_seen

pytestmark = pytest.mark.django_db
SIMILAR = "/api/v1/search/similar"
TEXT = "/api/v1/search/text"


@pytest.fixture
def tenant(db):
    return make_tenant()


@pytest.fixture
def api(tenant):
    token = make_key(tenant=tenant, scopes=[Scope.SEARCH]).token
    return Client(headers={"Authorization": f"Bearer {token}"})


def post(api, **asked):
    return api.post(SIMILAR, asked, content_type="application/json")


def find(response) -> list[str]:
    assert response.status_code == 200, response.content
    return [each["product"]["title"] for each in response.json()["results"]]


def test_by_photo(api, tenant, fake_engine):  # noqa: F811
    near = make_item(tenant, 10, title="Near", price=Decimal("10.50"), currency="TRY")
    make_item(tenant, 20, title="Less near")
    make_item(make_tenant(), 0, title="Foreign")
    known = FashionImage.objects.count()

    response = post(api, image=base64.b64encode(make_photo_bytes()).decode())

    assert find(response) == ["Near", "Less near"]
    answer = response.json()
    first = answer["results"][0]
    assert first["product"]["id"] == str(near.id)
    assert first["product"]["price"] == "10.50"
    assert first["score"] == round(at(10)[0], 4)
    assert first["box"] == {"left": 10, "top": 10, "right": 50, "bottom": 70}
    assert first["image"]["url"].endswith(f"/api/v1/images/{near.photos.get().image_id}/file")
    assert first["why"] == {
        "same_object": True,
        "same_category": True,
        "attributes": [{"key": "pattern", "name": "striped"}],
        "colours": ["navy-blue", "white"],
        "colour_distance": 0.0,
    }
    assert answer["asked"]["category"] == "t-shirt"
    assert FashionImage.objects.count() == known


def test_by_file_with_filters_and_crop(api, tenant, fake_engine):  # noqa: F811
    make_item(tenant, 10, title="Cheap", price=5)
    make_item(tenant, 20, title="Dear", price=50)
    upload = SimpleUploadedFile("shirt.png", make_photo_bytes())

    response = api.post(
        SIMILAR, {"image": upload, "price_from": "10", "crop": "1,2,30,40", "metric": "l2"}
    )

    assert find(response) == ["Dear"]
    assert 0 < response.json()["results"][0]["score"] < 0.4
    assert "crop=1%2C2%2C30%2C40" in fake_engine.requests[0]


def test_by_product_and_by_annotation(api, tenant):
    query = make_item(tenant, 0, title="Query", external_id="Q-1")
    make_item(tenant, 10, title="Near")
    annotation = Annotation.objects.get(image__product_images__product=query)

    assert find(post(api, product=str(query.id))) == ["Near"]
    assert find(post(api, external_id="Q-1")) == ["Near"]
    assert find(post(api, annotation=str(annotation.id))) == ["Near"]
    assert find(post(api, product=str(query.id), limit=1, least=0.999)) == []


def test_nothing_to_look_for_is_an_answer(api, tenant):
    product = make_product(tenant=tenant)

    response = post(api, product=str(product.id))

    assert (find(response), response.json()["asked"]) == ([], None)


def test_says_why_nothing_is_looked_for(api, tenant, fake_engine):  # noqa: F811
    image = base64.b64encode(make_photo_bytes()).decode()
    unseen = make_result(abstained="no-garment")
    answers: list[dict[str, Any]] = []
    for result in (make_result(), unseen, make_result(embedding=())):
        fake_engine.answer = (200, result.to_json(), {})
        answers.append(post(api, image=image).json())
    names_only = make_item(tenant, 0, result=make_result(embedding=()), external_id="NAMES")
    annotation = Annotation.objects.get(image__product_images__product=names_only)
    answers += [post(api, external_id="NAMES").json(), post(api, annotation=annotation.id).json()]
    make_product(tenant=tenant, external_id="NEW")
    answers.append(post(api, external_id="NEW").json())

    assert [each["reason"] for each in answers] == [
        None,
        "no-garment",
        "no-retriever",
        "no-retriever",
        "no-retriever",
        "not-indexed",
    ]
    assert [each["asked"] is None for each in answers] == [False, *[True] * 5]
    assert [each["results"] for each in answers] == [[]] * 6


def test_an_index_that_lacks_something_says_so(api, tenant):
    query = make_item(tenant, 0, external_id="Q-1")
    make_item(tenant, 10)
    whole = post(api, external_id="Q-1").json()
    assert (whole["complete"], whole["index"]) == (1, "ready")

    caches["local"].clear()
    Embedding.objects.exclude(photo__product=query).delete()
    IndexVersion.objects.update(state="failed", error="The engine runs another model.")

    answer = post(api, annotation=str(Annotation.objects.earliest("created_at").id)).json()
    assert (answer["complete"], answer["index"]) == (0.5, "failed")


def test_foreign_things_are_missing_ones(api):
    foreign = make_item(make_tenant(), 0, external_id="F-1")
    annotation = Annotation.objects.get(image__product_images__product=foreign)

    for asked in (
        {"product": str(foreign.id)},
        {"external_id": "F-1"},
        {"annotation": str(annotation.id)},
        {"annotation": str(uuid4())},
    ):
        assert post(api, **asked).status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"image": "AAAA", "product": str(uuid4())},
        {"image": "not base64"},
        {"product": "nonsense"},
        {"product": str(uuid4()), "crop": {"left": 0, "top": 0, "right": 9, "bottom": 9}},
        {"product": str(uuid4()), "limit": 1000},
        {"product": str(uuid4()), "category": "hat-stand"},
        {"product": str(uuid4()), "colour": "red", "unknown": 1},
    ],
)
def test_wrong_requests(api, asked):
    assert post(api, **asked).status_code == 422


def test_a_crop_outside_of_the_photo(api, fake_engine):  # noqa: F811
    data = base64.b64encode(make_photo_bytes()).decode()
    crop = {"left": 0, "top": 0, "right": 900, "bottom": 900}

    response = post(api, image=data, crop=crop)

    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "crop"


def test_an_engine_that_is_away(api):
    response = post(api, image=base64.b64encode(make_photo_bytes()).decode())

    assert response.status_code == 503


def test_no_garment(api, fake_engine):  # noqa: F811
    fake_engine.answer = (200, make_result(abstained="no-garment").to_json(), {})

    response = post(api, image=base64.b64encode(make_photo_bytes()).decode())

    assert (find(response), response.json()["asked"]) == ([], None)


def test_a_publishable_key_searches_from_its_page_only(tenant, fake_engine):  # noqa: F811
    make_item(tenant, 10, title="Near")
    origin = "https://shop.example"
    token = make_key(tenant=tenant, origins=[origin]).token

    for path, send in ((TEXT, Client().get), ("/api/v1/search/suggest", Client().get)):
        for page, status in ((origin, 200), ("https://evil.example", 403)):
            headers = {"Authorization": f"Bearer {token}", "Origin": page}
            assert send(path, {"q": "near"}, headers=headers).status_code == status
    headers = {"Authorization": f"Bearer {token}", "Origin": origin}
    client = Client(headers=headers)
    assert find(post(client, image=base64.b64encode(make_photo_bytes()).decode())) == ["Near"]
    assert client.get("/api/v1/products/").status_code == 403


def test_by_words_with_facets(api, tenant):
    shirt = make_seen(tenant, "Model 1", "t-shirt", "red", "pattern:striped")
    make_seen(tenant, "Model 2", "t-shirt", "red", "pattern:plain")
    make_seen(tenant, "Model 3", "dress", "red", "pattern:striped")

    response = api.get(TEXT, {"q": "kırmızı çizgili tişört", "language": "tr"})

    answer = response.json()
    assert (answer["kind"], answer["total"]) == ("all", 1)
    assert answer["results"][0]["id"] == str(shirt.id)
    assert answer["results"][0]["image"] == str(shirt.photos.get().image_id)
    assert {"text": "tisort", "meanings": ["category:t-shirt"]} in answer["terms"]
    many = api.get(TEXT, {"q": "red", "limit": 1}).json()
    assert (many["total"], len(many["results"])) == (3, 1)
    assert many["facets"]["categories"] == [
        {"name": "t-shirt", "number": 2},
        {"name": "dress", "number": 1},
    ]
    assert api.get(TEXT, {"q": "red", "category": "dress"}).json()["total"] == 1


@pytest.mark.parametrize("asked", [{}, {"q": "a", "limit": 0}, {"q": "a", "language": "de"}])
def test_wrong_words(api, asked):
    assert api.get(TEXT, asked).status_code == 422


def test_suggests(api, tenant):
    make_seen(tenant, "Model 1", "t-shirt", "red")

    answer = api.get("/api/v1/search/suggest", {"q": "ti", "language": "tr"}).json()

    assert answer["suggestions"] == [
        {"text": "Tişört", "kind": "category", "number": 1, "product": None}
    ]


@pytest.mark.parametrize("publishable", [True, False])
def test_who_may_only_search_sees_the_catalogues_photos_only(tenant, publishable):
    """A publishable key stands in pages for everybody to read."""
    shown = make_item(tenant, 10).photos.get().image_id
    hidden = make_annotation(tenant=tenant)
    origin = "https://shop.example"
    key = make_key(
        tenant=tenant, scopes=[Scope.SEARCH], origins=[origin] if publishable else []
    ).token
    api = Client(headers={"Authorization": f"Bearer {key}", "Origin": origin})

    statuses = [
        api.get(f"/api/v1/images/{image_id}{part}").status_code
        for image_id in (shown, hidden.image_id)
        for part in ("/", "/file")
    ]
    like_hidden = post(api, annotation=str(hidden.id))

    assert statuses == [200, 200, 404, 404]
    assert like_hidden.status_code == 404
