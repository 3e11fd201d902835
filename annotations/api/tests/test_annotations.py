import base64

import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import DailyUsage
from annotations.api.tests.requests import PATH, fields_of, post_file, post_json, problem_of
from annotations.models import Annotation, FashionImage
from annotations.tests.factories import (
    make_photo_bytes,
)
from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed

pytestmark = pytest.mark.django_db


def test_a_file_waits_in_line(api, tenant):
    response = post_file(api, b"", product="SKU 4711")

    annotation = Annotation.objects.get()
    assert response.status_code == 202
    assert response["Location"].endswith(f"{PATH}{annotation.id}/")
    assert response.json()["state"] == "pending"
    assert response.json()["product"] == "SKU 4711"
    assert annotation.tenant == tenant
    assert ProcrastinateJob.objects.filter(args__annotation_id=str(annotation.id)).exists()
    assert api.get(response["Location"]).json() == response.json()


def test_waiting_gives_the_result(api, key, fake_engine):
    response = post_file(api, b"", path=f"{PATH}?wait=10", crop="5,5,50,60", hint="upper-body")

    result = response.json()
    assert response.status_code == 201
    assert result["state"] == "done"
    assert result["garments"][0]["category"]["name"] == "t-shirt"
    assert result["crop"] == {"left": 5, "top": 5, "right": 50, "bottom": 60}
    assert fake_engine.requests == ["/v1/annotate?crop=5%2C5%2C50%2C60&hint=upper-body"]
    assert DailyUsage.objects.get(key=key.key).annotations == 1
    assert api.get(result["image"]["url"].partition("8000")[2]).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_who_waited_leaves_the_job_nothing_to_do(api, fake_engine, run_jobs):
    post_file(api, b"", path=f"{PATH}?wait=10")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = NULL")

    run_jobs()

    assert len(fake_engine.requests) == 1


@pytest.mark.django_db(transaction=True)
def test_a_busy_engine_loses_nothing(api, key, fake_engine, run_jobs):
    answer, fake_engine.answer = fake_engine.answer, (503, {}, {"Retry-After": "7"})
    data = make_photo_bytes()

    refused = post_file(api, data, path=f"{PATH}?wait=10", headers={"Idempotency-Key": "one"})

    annotation = Annotation.objects.get()
    assert refused.status_code == 503
    assert problem_of(refused) == "engine-busy"
    assert refused["Retry-After"] == "7"
    assert refused["Location"] == refused.json()["annotation"]
    assert annotation.is_pending
    fake_engine.answer = answer
    again = post_file(api, data, path=f"{PATH}?wait=10", headers={"Idempotency-Key": "one"})
    assert again.status_code == 201
    assert again.json()["id"] == str(annotation.id)
    assert DailyUsage.objects.get(key=key.key).annotations == 1


@pytest.mark.django_db(transaction=True)
def test_what_was_too_busy_is_annotated_by_its_job(api, fake_engine, run_jobs):
    answer, fake_engine.answer = fake_engine.answer, (503, {}, {"Retry-After": "7"})
    post_file(api, b"", path=f"{PATH}?wait=10")
    fake_engine.answer = answer

    run_jobs()

    assert Annotation.objects.get().state == "done"


def test_base64(api):
    text = base64.b64encode(make_photo_bytes()).decode()

    plain = post_json(api, image=text, name="a.png")
    url = post_json(api, image=f"data:image/png;base64,{text}")

    assert (plain.status_code, url.status_code) == (202, 202)
    assert plain.json()["image"]["name"] == "a.png"
    assert plain.json()["id"] == url.json()["id"]


def test_an_address(api, monkeypatch):
    monkeypatch.setattr(remote_images, "fetch_image", lambda url: make_photo_bytes())

    response = post_json(api, image_url="https://shop.example/images/red%20shirt.png?v=1")

    assert response.status_code == 202
    assert response.json()["image"]["name"] == "red shirt.png"


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/", "file:///etc/passwd", "http://2130706433/", "x"]
)
def test_an_address_that_is_not_public(api, url):
    response = post_json(api, image_url=url)

    assert response.status_code == 422
    assert problem_of(response) == "image-url-failed"
    assert response.json()["reason"]
    assert not FashionImage.objects.exists()


def test_an_address_without_a_photo(api, monkeypatch):
    def fail(url):
        raise RequestFailed("not-an-image")

    monkeypatch.setattr(remote_images, "fetch_image", fail)

    assert post_json(api, image_url="https://a.example/").json()["reason"] == "not-an-image"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"image": "aaaa", "image_url": "https://a.example"}, ""),
        ({"image": "!!"}, "image"),
        ({"image": 5}, "image"),
        ({"image_url": ["https://a.example"]}, "image_url"),
        ({"image_url": "https://a.example", "colour": "red"}, "colour"),
        ({"image_url": "https://a.example", "hint": "hat"}, "hint"),
        ({"image_url": "https://a.example", "product": "x" * 201}, "product"),
        ({"image_url": "https://a.example", "crop": [1, 2, 3, 4]}, "crop"),
        ({"image_url": "https://a.example", "crop": {"left": 1}}, "crop.top"),
        (
            {"image_url": "a", "crop": {"left": 1, "top": 1, "right": 2, "bottom": 2, "x": 1}},
            "crop.x",
        ),
        ({"image_url": "a", "crop": {"left": 9, "top": 1, "right": 2, "bottom": 2}}, "crop"),
        ({"image_url": "a", "crop": {"left": "a", "top": 1, "right": 2, "bottom": 2}}, "crop.left"),
    ],
)
def test_names_the_wrong_field(api, body, field):
    assert field in fields_of(post_json(api, **body))
    assert not Annotation.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[1]", '"a"', "\xff", '{"image": NaN}'])
def test_what_is_no_object(api, body):
    response = api.post(PATH, body.encode("latin1"), content_type="application/json")

    assert response.status_code in {400, 422}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"crop": "1,2,3"}, "crop"),
        ({"crop": "9,9,1,1"}, "crop"),
        ({"crop": "0,0,61,20"}, "crop"),
        ({"size": "1"}, "size"),
    ],
)
def test_names_the_wrong_field_of_a_form(api, fields, field):
    assert fields_of(post_file(api, b"", **fields)) == [field]


def test_a_photo_that_is_none(api):
    response = post_file(api, b"plain words")

    assert response.status_code == 422
    assert problem_of(response) == "photo-refused"
    assert response.json()["reason"] == "unsupported-format"


def test_other_content_types(api):
    response = api.post(PATH, "a", content_type="text/plain")

    assert response.status_code == 415
    assert problem_of(response) == "unsupported-media-type"


def test_several_files_become_a_batch(api):
    response = post_file(api, b"", b"", b"")

    batch = api.get(response["Location"]).json()
    assert response.status_code == 202
    assert batch["progress"] == {"pending": 3, "done": 0, "abstained": 0, "failed": 0}
    assert {item["annotation"] for item in batch["items"]} == {
        str(pk) for pk in Annotation.objects.values_list("id", flat=True)
    }


def test_the_same_photo_is_asked_for_once(api, key):
    data = make_photo_bytes()

    same = [post_file(api, data).json()["id"] for _ in range(2)]
    other = [
        post_file(api, data, product="A").json(),
        post_file(api, data, crop="1,1,30,30").json(),
    ]

    assert len({*same, *(each["id"] for each in other)}) == 3
    assert FashionImage.objects.count() == 1
    assert DailyUsage.objects.get(key=key.key).annotations == 3


def test_the_quota(api, tenant):
    tenant.monthly_quota = 1
    tenant.save()
    data = make_photo_bytes()
    post_file(api, data)

    refused = post_file(api, b"")

    assert refused.status_code == 429
    assert problem_of(refused) == "quota-used-up"
    assert int(refused["Retry-After"]) > 0
    assert post_file(api, data).status_code == 202
    assert FashionImage.objects.count() == 1
