"""What once was a 500, and other requests that nobody sends by accident."""

import json
import threading
from io import BytesIO

import pytest
from botocore.exceptions import EndpointConnectionError
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from accounts.tests.factories import make_key
from annotations import services, tasks, waiting
from annotations.models import Annotation, Batch, BatchItem, FashionImage
from annotations.tests.factories import (
    encode,
    make_annotation,
    make_done_annotation,
    make_photo_bytes,
    make_result,
)

pytestmark = pytest.mark.django_db
PATH = "/api/v1/annotations/"


@pytest.fixture
def api(member):
    return Client(headers={"Authorization": f"Bearer {make_key(member=member).token}"})


def send(api, path, body):
    return api.post(path, body, content_type="application/json")


def upload(api, *files, path=PATH, **fields):
    return api.post(
        path, {"image": [SimpleUploadedFile("a.png", each) for each in files], **fields}
    )


def problem_of(response) -> str:
    assert response["Content-Type"] == "application/problem+json", response.content
    return str(response.json()["type"]).rstrip("/").rsplit("/", 1)[-1]


@pytest.mark.parametrize("path", [PATH, "/api/v1/batches/", "/api/v1/webhooks/"])
def test_nested_without_end(api, path):
    response = send(api, path, "[" * 100_000)

    assert (response.status_code, problem_of(response)) == (400, "malformed-body")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "Give either image or image_url."),
        ([], "This must be a JSON object."),
        ({"image": "shirt.jpg"}, "image: This is not base64. In a form it is a file: curl -F"),
        ({"image_url": "x", "hint": "hat"}, "hint: “hat” is none of upper-body, lower-body,"),
        ({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}, "a: There is no such field. b: There is"),
        ({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}, "`errors` has 2 more."),
    ],
)
def test_says_what_is_wrong_to_who_shows_the_detail_alone(api, body, detail):
    response = send(api, PATH, json.dumps(body))

    assert problem_of(response) == "invalid-request"
    assert detail in response.json()["detail"]


def test_json_with_a_byte_order_mark(api):
    response = send(api, PATH, b"\xef\xbb\xbf" + json.dumps({"image": "@"}).encode())

    assert problem_of(response) == "invalid-request"


def test_a_compressed_body_is_refused_as_such(api):
    response = api.post(
        PATH, b"\x1f\x8b", content_type="application/json", headers={"Content-Encoding": "gzip"}
    )

    assert (response.status_code, problem_of(response)) == (400, "malformed-body")
    assert "Content-Encoding" in response.json()["detail"]


def test_says_how_to_ask_instead(api):
    anonymous = Client().get(PATH)
    text = api.post(PATH, "hello", content_type="text/plain")
    time = api.get(f"{PATH}?since=2026-11-27T20:00:00+01:00")
    wrong_crop = upload(api, make_photo_bytes(), crop="1;2;3;4")

    assert "Bearer kal_" in anonymous.json()["detail"]
    assert "application/json" in text.json()["detail"]
    assert "a + is %2B" in time.json()["detail"]
    assert "left,top,right,bottom" in wrong_crop.json()["detail"]


def test_half_a_character_in_a_name(api, tenant):
    annotation = make_done_annotation(tenant=tenant)
    garment = {"id": str(annotation.garments.get().id), "attributes": {"\ud800": "x"}}

    unknown = send(api, PATH, json.dumps({"\ud800": 1}))
    attribute = send(api, f"{PATH}{annotation.id}/review/", json.dumps({"garments": [garment]}))

    assert (unknown.status_code, problem_of(unknown)) == (422, "invalid-request")
    assert unknown.json()["errors"][0]["field"] == "?"
    assert (attribute.status_code, problem_of(attribute)) == (422, "invalid-request")


@pytest.mark.parametrize("path", ["/api/v1/batches/", "/api/v1/webhooks/"])
def test_much_json(api, path):
    response = send(api, path, b" " * (2 * 1024**2 + 1))

    assert (response.status_code, problem_of(response)) == (413, "too-large")


def test_a_photo_that_is_deleted_while_somebody_waits_for_it(api, tenant, monkeypatch):
    def delete(**_names):
        services.delete_image(tenant=tenant, image_id=FashionImage.objects.get().id)

    monkeypatch.setattr(waiting, "wait_for", delete)

    response = upload(api, make_photo_bytes(), path=f"{PATH}?wait=10")

    assert (response.status_code, problem_of(response)) == (404, "not-found")


@pytest.mark.parametrize("kind", ["annotations", "images"])
def test_two_delete_the_same_photo(api, tenant, kind, monkeypatch):
    annotation = make_annotation(tenant=tenant)
    delete = services.delete_image

    def delete_twice(**names):
        delete(**names)
        delete(**names)

    monkeypatch.setattr(services, "delete_image", delete_twice)
    object_id = annotation.id if kind == "annotations" else annotation.image_id

    response = api.delete(f"/api/v1/{kind}/{object_id}/")

    assert (response.status_code, problem_of(response)) == (404, "not-found")


def test_a_storage_that_is_away(api, tenant, monkeypatch):
    annotation = make_done_annotation(tenant=tenant)

    def fail(*args, **options):
        raise EndpointConnectionError(endpoint_url="https://s3.example")

    monkeypatch.setattr(FileSystemStorage, "_open", fail)
    monkeypatch.setattr(FileSystemStorage, "_save", fail)
    answers = [
        api.get(f"{PATH}{annotation.id}/overlay.png"),
        api.get(f"/api/v1/images/{annotation.image_id}/file"),
        upload(api, make_photo_bytes()),
    ]

    for answer in answers:
        assert (answer.status_code, problem_of(answer)) == (503, "unavailable")
        assert answer["Retry-After"]
    assert Annotation.objects.count() == 1


def test_one_bad_file_of_several_is_told_of_and_the_others_are_annotated(api):
    response = upload(api, make_photo_bytes(), b"no photo", make_photo_bytes())

    batch = api.get(response["Location"]).json()
    assert response.status_code == 202
    assert batch["progress"] == {"pending": 2, "done": 0, "abstained": 0, "failed": 1}
    assert batch["items"][1]["problem"] == "photo-refused"
    assert batch["items"][1]["detail"]
    assert Annotation.objects.count() == 2


def test_a_quota_that_ends_among_several_files(api, tenant):
    tenant.monthly_quota = 1
    tenant.save()

    response = upload(api, make_photo_bytes(), make_photo_bytes())

    assert response.status_code == 202
    assert [*BatchItem.objects.values_list("problem", flat=True)] == ["", "quota-used-up"]


def test_a_program_of_kalas_iris_sends_one_file(api, fake_engine):
    response = upload(api, make_photo_bytes(), make_photo_bytes(), path="/api/compat/annotate")

    assert (response.status_code, problem_of(response)) == (422, "invalid-request")
    assert not Batch.objects.exists()


def test_a_program_of_kalas_iris_is_told_of_a_failure(api, fake_engine):
    fake_engine.answer = (422, {"code": "damaged", "title": "x", "detail": "It broke off."}, {})

    response = upload(api, make_photo_bytes(), path="/api/compat/annotate")

    assert (response.status_code, problem_of(response)) == (422, "photo-refused")
    assert response.json()["reason"] == "failed"


def test_a_program_of_kalas_iris_hears_where_its_photo_waits(api, monkeypatch):
    monkeypatch.setattr(waiting, "wait_for", lambda **_names: False)

    response = upload(api, make_photo_bytes(), path="/api/compat/annotate")

    assert (response.status_code, problem_of(response)) == (503, "engine-busy")
    assert api.get(response.json()["annotation"]).json()["state"] == "pending"


def test_nobody_keeps_a_connection_while_the_engine_works(api, fake_engine, monkeypatch):
    lent = threading.Event()
    monkeypatch.setattr(tasks, "lend_connection", lent.set)

    def answer(_photo):
        status = 200 if lent.wait(20) else 500
        return status, make_result().to_json(), {}

    fake_engine.answer = answer

    assert upload(api, make_photo_bytes(), path=f"{PATH}?wait=30").status_code == 201
    assert lent.is_set()


def test_an_overlay_is_drawn_once_for_who_has_it(api, tenant):
    large = encode(Image.new("RGB", (4000, 3000), "white"), "JPEG")
    annotation = make_done_annotation(tenant=tenant, data=large)

    drawn = api.get(f"{PATH}{annotation.id}/overlay.png")
    same = api.get(f"{PATH}{annotation.id}/overlay.png", headers={"If-None-Match": drawn["ETag"]})

    assert Image.open(BytesIO(drawn.content)).size == (1600, 1200)
    assert (same.status_code, same.content) == (304, b"")


def test_the_description_costs_nothing_and_repeats_nothing(client):
    drawn = client.get("/api/schema/?version=%0a")

    assert drawn.status_code == 200
    assert b"openapi: 3.1.0" in drawn.content
    same = client.get("/api/schema/?version=x", headers={"If-None-Match": drawn["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert client.options("/api/schema/").status_code == 405
