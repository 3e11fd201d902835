from dataclasses import replace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.tests.factories import make_key, make_tenant
from annotations.models import FashionImage
from annotations.tests.conftest import fake_engine, media  # noqa: F401 - fixtures
from annotations.tests.factories import make_photo_bytes, make_result
from inference.contract import ModelName
from retrieval.tests.factories import add_annotated_photo, make_product

pytestmark = pytest.mark.django_db
PATH = "/api/compat/retrieve"


def ask(token: str, data: bytes = b"", **headers: str):
    client = Client(headers={"Authorization": f"Bearer {token}", **headers})
    upload = SimpleUploadedFile("shirt.png", data or make_photo_bytes())
    return client.post(PATH, {"image": upload})


def make_item(tenant, **fields):
    return add_annotated_photo(make_product(tenant=tenant), make_result(**fields))


def test_finds_similar_items_of_the_own_shop(fake_engine):  # noqa: F811
    tenant = make_tenant()
    near = make_item(tenant, embedding=(0.9, 0.1))
    make_item(tenant, embedding=(0.0, 1.0))
    make_item(make_tenant())
    known = FashionImage.objects.count()

    response = ask(make_key(tenant=tenant).token)

    assert response.status_code == 200, response.content
    assert [path.split("/")[-2] for path in response.json()["paths"]] == [str(near.image_id)]
    assert FashionImage.objects.count() == known


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (make_result(abstained="no-garment"), "no-garment"),
        (make_result(embedding=()), "no-retriever"),
        (make_result(), "nothing-similar"),
    ],
)
def test_says_why_there_is_nothing(result, reason, fake_engine):  # noqa: F811
    fake_engine.answer = (200, result.to_json(), {})

    assert ask(make_key().token).json() == {"paths": [], "reason": reason}


def test_a_publishable_key_searches_from_its_page(fake_engine):  # noqa: F811
    origin = "https://shop.example"
    token = make_key(origins=[origin]).token

    here, elsewhere = ask(token, Origin=origin), ask(token, Origin="https://evil.example")

    assert (here.status_code, elsewhere.status_code) == (200, 403)
    assert here["Access-Control-Allow-Origin"] == origin


def test_a_busy_engine(fake_engine):  # noqa: F811
    fake_engine.answer = (503, {}, {"Retry-After": "3"})

    response = ask(make_key().token)

    assert (response.status_code, response["Retry-After"]) == (503, "3")


def test_an_engine_that_is_away():
    response = ask(make_key().token)

    assert response.status_code == 503
    assert response.json()["type"].endswith("/unavailable/")


def test_an_index_that_is_being_built(fake_engine):  # noqa: F811
    tenant = make_tenant()
    make_item(tenant)
    newer = replace(make_result(), model=ModelName("kalas-mini", "2", "kalas-1"))
    fake_engine.answer = (200, newer.to_json(), {})

    response = ask(make_key(tenant=tenant).token)

    assert response.status_code == 503
    assert response.json()["type"].endswith("/index-being-built/")


def test_what_is_no_photo(fake_engine):  # noqa: F811
    assert ask(make_key().token, b"words").json()["reason"] == "unsupported-format"
