import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from threading import Barrier
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from PIL import Image
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import DailyUsage, IdempotentRequest, Scope
from accounts.tests.factories import make_key, make_member
from annotations.models import Annotation, FashionImage, Label
from annotations.tests.factories import (
    make_annotation,
    make_done_annotation,
    make_photo_bytes,
    make_result,
)
from inference.contract import Alternative
from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed

pytestmark = pytest.mark.django_db
PATH = "/api/v1/annotations/"


@pytest.fixture
def key(member):
    return make_key(member=member)


@pytest.fixture
def api(key):
    return Client(headers={"Authorization": f"Bearer {key.token}"})


def post_file(api, *files, path=PATH, headers=None, **fields):
    uploads = [SimpleUploadedFile("shirt.png", data or make_photo_bytes()) for data in files]
    return api.post(path, {"image": uploads, **fields}, headers=headers)


def post_json(api, path=PATH, headers=None, **fields):
    return api.post(path, json.dumps(fields), content_type="application/json", headers=headers)


def problem_of(response) -> str:
    assert response["Content-Type"] == "application/problem+json", response.content
    return str(response.json()["type"]).rstrip("/").rsplit("/", 1)[-1]


def fields_of(response) -> list[str]:
    assert problem_of(response) == "invalid-request"
    return [error["field"] for error in response.json()["errors"]]


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


def test_a_key_makes_a_post_repeatable(api):
    data, headers = make_photo_bytes(), {"Idempotency-Key": "order-1"}

    first, second = (post_file(api, data, headers=headers) for _ in range(2))
    other = post_file(api, b"", headers=headers)
    bad = post_file(api, data, headers={"Idempotency-Key": "x" * 256})

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert first["Location"] == second["Location"]
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert (other.status_code, problem_of(other)) == (422, "idempotency-key-reused")
    assert fields_of(bad) == ["Idempotency-Key"]


def test_a_key_is_one_callers_own(api):
    headers = {"Idempotency-Key": "order-1"}
    post_file(api, b"", headers=headers)
    stranger = Client(headers={"Authorization": f"Bearer {make_key().token}"})

    response = post_file(stranger, b"", headers=headers)

    assert response.status_code == 202
    assert "Idempotent-Replayed" not in response


def test_a_key_of_another_shop_s_request_replays_nothing_here(client, member):
    """Somebody who works in two shops, and no longer in the first one."""
    client.force_login(member.user)
    headers, photo = {"Idempotency-Key": "order-1"}, make_photo_bytes()
    theirs = post_file(client, photo, headers=headers).json()
    other = make_member(user=member.user)
    member.delete()

    response = post_file(client, photo, headers=headers)

    assert response.status_code == 202
    assert "Idempotent-Replayed" not in response
    assert response.json()["id"] != theirs["id"]
    assert Annotation.objects.get(id=response.json()["id"]).tenant == other.tenant


def test_what_failed_can_be_repaired_with_the_same_key(api):
    headers = {"Idempotency-Key": "order-1"}

    refused = post_file(api, b"", headers=headers, crop="9")
    accepted = post_file(api, b"", headers=headers)

    assert (refused.status_code, accepted.status_code) == (422, 202)


@pytest.mark.django_db(transaction=True)
def test_twins_have_one_effect(api, key):
    body = {"items": [{"image_url": "https://a.example/1.jpg"}]}
    start = Barrier(6)

    def send(_number):
        start.wait()
        response = post_json(
            api, path="/api/v1/batches/", headers={"Idempotency-Key": "twin"}, **body
        )
        connection.close()
        return response.status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(send, range(6)))

    assert 202 in statuses
    assert set(statuses) <= {202, 409}
    assert key.key.tenant.batches.count() == 1
    assert IdempotentRequest.objects.count() == 1


def test_who_died_is_waited_for_and_replaced(api, monkeypatch):
    headers, data = {"Idempotency-Key": "order-1"}, make_photo_bytes()
    post_file(api, data, headers=headers)
    IdempotentRequest.objects.update(status=None, locked_until=timezone.now())
    assert post_file(api, data, headers=headers).status_code == 202
    IdempotentRequest.objects.update(status=None)

    waiting = post_file(api, data, headers=headers)

    assert (waiting.status_code, problem_of(waiting)) == (409, "request-in-progress")
    assert waiting["Retry-After"] == "1"


def test_lists_and_filters(api, tenant):
    done = make_done_annotation(tenant=tenant)
    unsure = make_done_annotation(tenant=tenant, result=None)
    Annotation.objects.filter(id=unsure.id).update(needs_review=True, product="A 1")
    waiting = make_annotation(tenant=tenant)
    make_done_annotation(tenant=make_key().key.tenant)

    def ids(query):
        return {each["id"] for each in api.get(f"{PATH}?{query}").json()["results"]}

    every = {str(done.id), str(unsure.id), str(waiting.id)}
    assert ids("") == every
    assert ids("state=pending") == {str(waiting.id)}
    assert ids("needs_review=true") == {str(unsure.id)}
    assert ids("needs_review=false") == {str(done.id), str(waiting.id)}
    assert ids("category=t-shirt&attribute=pattern:striped") == {str(done.id), str(unsure.id)}
    assert ids("attribute=pattern:plain") == set()
    assert ids("product=A%201") == {str(unsure.id)}
    assert ids(f"image={done.image_id}") == {str(done.id)}
    assert ids("since=2020-01-01T00:00:00Z") == every
    assert ids("until=2020-01-01T00:00:00Z") == set()
    fewer = api.get(f"{PATH}?fields=id,state&state=pending").json()["results"]
    assert fewer == [{"id": str(waiting.id), "state": "pending"}]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=gone", "state"),
        ("category=nothing", "category"),
        ("attribute=striped", "attribute"),
        ("fields=id,secret", "fields"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=cD1hYmM%3D", "cursor"),
        ("offset=1", "offset"),
        ("image=1", "image"),
        ("since=today", "since"),
    ],
)
def test_names_the_wrong_filter(api, query, field):
    assert fields_of(api.get(f"{PATH}?{query}")) == [field]


def test_pages_by_cursor(api, tenant, django_assert_max_num_queries):
    now = timezone.now()
    made = {str(make_annotation(tenant=tenant, now=now).id) for _ in range(5)}
    seen, url = [], f"{PATH}?limit=2"
    api.get(url)  # the first request ever makes the buckets of the limits

    while url:
        with django_assert_max_num_queries(6):
            page = api.get(url).json()
        seen += [each["id"] for each in page["results"]]
        url = page["next"]

    assert len(seen) == 5
    assert set(seen) == made


def test_a_list_costs_the_same_however_long(api, tenant, django_assert_max_num_queries):
    for _ in range(6):
        make_done_annotation(tenant=tenant)
    api.get(PATH)

    with django_assert_max_num_queries(6):  # key, limits, page, garments, colours, labels
        assert len(api.get(PATH).json()["results"]) == 6


def test_an_etag_saves_the_body(api, tenant):
    annotation = make_annotation(tenant=tenant)
    first = api.get(f"{PATH}{annotation.id}/")

    same = api.get(f"{PATH}{annotation.id}/", headers={"If-None-Match": first["ETag"]})
    Annotation.objects.update(product="B")
    changed = api.get(f"{PATH}{annotation.id}/", headers={"If-None-Match": first["ETag"]})

    assert (same.status_code, same.content) == (304, b"")
    assert changed.status_code == 200


def test_deletes_photo_vectors_and_files(api, tenant, stored_files):
    annotation = make_done_annotation(tenant=tenant)

    response = api.delete(f"{PATH}{annotation.id}/")

    assert response.status_code == 204
    assert not FashionImage.objects.exists()
    assert api.get(f"{PATH}{annotation.id}/").status_code == 404


def test_draws_the_result(api, tenant):
    annotation = make_done_annotation(tenant=tenant)

    response = api.get(f"{PATH}{annotation.id}/overlay.png")

    image = Image.open(BytesIO(response.content))
    assert response["Content-Type"] == "image/png"
    assert image.size == (60, 80)
    assert image.getpixel((10, 65)) == (0xEF, 0x33, 0x40)  # upper-body is red


def test_a_person_corrects(api, tenant, key):
    annotation = make_done_annotation(tenant=tenant)
    garment = annotation.garments.get()
    change = {
        "id": str(garment.id),
        "category": "shirt",
        "attributes": {"pattern": "checked", "sleeve-length": None},
    }

    response = post_json(api, path=f"{PATH}{annotation.id}/review/", garments=[change])

    result = response.json()
    assert response.status_code == 200, result
    assert result["needs_review"] is False
    assert result["garments"][0]["category"]["name"] == "shirt"
    assert result["garments"][0]["category"]["origin"] == "human"
    assert [(x["name"], x["origin"]) for x in result["garments"][0]["attributes"]] == [
        ("checked", "human")
    ]
    review = annotation.reviews.get()
    assert review.key == key.key
    assert [(x["from"], x["to"]) for x in review.changes] == [
        ("t-shirt", "shirt"),
        ("striped", "checked"),
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": str(uuid4())}, "garments.0.id"),
        ({"category": "spaceship"}, "garments.0.category"),
        ({"attributes": {"wings": "two"}}, "garments.0.attributes.wings"),
        ({"attributes": {"pattern": "noisy"}}, "garments.0.attributes.pattern"),
        ({"attributes": ["striped"]}, "garments.0.attributes"),
        ({"colour": "red"}, "garments.0.colour"),
    ],
)
def test_names_the_wrong_correction(api, tenant, change, field):
    annotation = make_done_annotation(tenant=tenant)
    garment = annotation.garments.get()

    response = post_json(
        api, path=f"{PATH}{annotation.id}/review/", garments=[{"id": str(garment.id), **change}]
    )

    assert fields_of(response) == [field]
    assert Label.objects.get().name == "striped"


def test_a_second_review_says_what_it_has_seen(api, tenant):
    """Nobody replaces what a colleague said without having seen it."""
    annotation = make_done_annotation(tenant=tenant)
    path = f"{PATH}{annotation.id}/review/"
    change = {"id": str(annotation.garments.get().id), "category": "shirt"}
    assert post_json(api, path=path).json()["version"] == 1

    unseen = post_json(api, path=path, garments=[change])
    stale = post_json(api, path=path, garments=[change], version=0)

    assert (unseen.status_code, problem_of(unseen)) == (428, "version-required")
    assert unseen.json()["version"] == 1
    assert (stale.status_code, problem_of(stale)) == (409, "reviewed-meanwhile")
    assert annotation.garments.get().category == "t-shirt"
    seen = post_json(api, path=path, garments=[change], version=1)
    assert seen.json()["garments"][0]["category"]["name"] == "shirt"


def test_what_waits_cannot_be_reviewed(api, tenant):
    annotation = make_annotation(tenant=tenant)

    response = post_json(api, path=f"{PATH}{annotation.id}/review/")

    assert (response.status_code, problem_of(response)) == (409, "not-reviewable")


def test_a_session_needs_its_csrf_token(member):
    client = Client(enforce_csrf_checks=True)
    client.force_login(member.user)

    assert client.get(PATH).status_code == 200
    assert problem_of(post_file(client, b"")) == "forbidden"


def test_a_session_annotates_too(page, member):
    response = post_file(page, b"")

    assert response.status_code == 202
    assert Annotation.objects.get().requested_by == member.user


def test_the_taxonomy_has_versions_and_both_languages(api):
    response = api.get("/api/v1/taxonomy/")

    known = response.json()
    assert known["version"]
    assert {"en", "tr"} <= set(known["categories"][0]["names"])
    assert {"en", "tr"} <= set(known["attributes"][0]["values"][0]["names"])
    same = api.get("/api/v1/taxonomy/", headers={"If-None-Match": response["ETag"]})
    assert same.status_code == 304


def test_images(api, tenant):
    image = make_annotation(tenant=tenant).image

    listed = api.get("/api/v1/images/").json()["results"]
    one = api.get(f"/api/v1/images/{image.id}/")
    file = api.get(f"/api/v1/images/{image.id}/file")
    same = api.get(f"/api/v1/images/{image.id}/file", headers={"If-None-Match": file["ETag"]})

    assert listed == [one.json()]
    assert file["Content-Type"] == "image/png"
    assert Image.open(BytesIO(file.content)).size == (60, 80)
    assert same.status_code == 304
    assert api.delete(f"/api/v1/images/{image.id}/").status_code == 204
    assert not Annotation.objects.exists()


def test_a_program_of_kalas_iris_moves_by_its_address(api, fake_engine):
    response = post_file(api, b"", path="/api/compat/annotate")

    assert response.status_code == 200, response.content
    assert response.json() == {
        "attributes": {"Striped": 0.88},
        "categories": {"T-shirt": 0.93, "Women's top": 0.04},
        "colors": ["#1b2a49", "#ffffff"],
    }


def test_an_imported_models_own_words_are_given_as_they_are(api, fake_engine):
    """Names are whole, and probabilities that sum to 1 stand beside the sigmoid."""
    said = {
        "categories": {"Jacket": 0.4, "Tee": 0.97},
        "category_probabilities": {"Jacket": 0.1, "Tee": 0.9},
        "attributes": {"abstract chevron": 0.2, "abstract print": 0.7},
    }
    result = replace(make_result(), original=said)
    fake_engine.answer = (200, result.to_json(), {})

    old = post_file(api, b"", path="/api/compat/annotate").json()
    listed = api.get(f"{PATH}?fields=original").json()["results"]

    assert old == {
        "attributes": {"abstract print": 0.7, "abstract chevron": 0.2},
        "categories": {"Tee": 0.97, "Jacket": 0.4},
        "colors": ["#1b2a49", "#ffffff"],
        "category_probabilities": {"Tee": 0.9, "Jacket": 0.1},
        "calibrated": False,
    }
    assert list(old["categories"]) == ["Tee", "Jacket"]
    assert listed == [{"original": said}]


def test_an_etryon_familys_own_values_are_its_probabilities(api, fake_engine):
    """Its answer has no probabilities beside the values, which sum to 1, nor a calibration."""
    said = {
        "objects": {"full-body 1": 0.9},
        "categories": {"coat": 0.25, "dress": 0.75},
        "attributes": {"Pattern: striped": 0.2, "Pattern: plain": 0.8},
    }
    fake_engine.answer = (200, replace(make_result(), original=said).to_json(), {})

    old = post_file(api, b"", path="/api/compat/annotate").json()

    assert old == {
        "attributes": {"Pattern: plain": 0.8, "Pattern: striped": 0.2},
        "categories": {"dress": 0.75, "coat": 0.25},
        "colors": ["#1b2a49", "#ffffff"],
        "category_probabilities": {"dress": 0.75, "coat": 0.25},
        "calibrated": False,
    }
    assert list(old["category_probabilities"]) == ["dress", "coat"]


def test_a_field_that_only_some_results_have_is_left_out(api, tenant):
    make_done_annotation(tenant=tenant)

    listed = api.get(f"{PATH}?fields=state,original").json()["results"]

    assert listed == [{"state": "done"}]


def test_an_abstention_says_what_it_may_be_until_a_person_names_it(api, tenant):
    result = make_result(abstained="no-garment", alternatives=(Alternative("scarf", 0.3),))
    annotation = make_done_annotation(tenant=tenant, result=result)
    path = f"{PATH}{annotation.id}/?fields=alternatives"

    assert api.get(path).json() == {"alternatives": [{"name": "scarf", "confidence": 0.3}]}
    Annotation.objects.filter(id=annotation.id).update(state="done", abstained="")
    assert api.get(path).json() == {"alternatives": []}


def test_scopes_are_kept_apart(member):
    search = make_key(member=member, scopes=[Scope.SEARCH])
    api = Client(headers={"Authorization": f"Bearer {search.token}"})

    assert problem_of(api.get(PATH)) == "missing-scope"
    assert problem_of(post_file(api, b"")) == "missing-scope"
