"""What the table of routes (test_api_isolation) cannot see: other shops' ids inside of bodies and
filters, their idempotency keys, their photos, and the words of Kalas-Iris."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Membership
from accounts.tests.factories import make_key, make_member
from annotations import jobs
from annotations.fetching import fetch_due
from annotations.models import Annotation, BatchItem
from annotations.tests.conftest import FakeEngine, fake_engine, media
from annotations.tests.factories import make_done_annotation, make_photo_bytes

__all__ = ["fake_engine", "media"]

pytestmark = pytest.mark.django_db
ANNOTATIONS, BATCHES = "/api/v1/annotations/", "/api/v1/batches/"


@pytest.fixture
def mine() -> Membership:
    return make_member()


@pytest.fixture
def theirs() -> Annotation:
    return make_done_annotation(tenant=make_member().tenant)


def client_of(member: Membership) -> Client:
    return Client(headers={"Authorization": f"Bearer {make_key(member=member).token}"})


def send(client: Client, path: str, key: str = "", **body: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def upload(client: Client, path: str, data: bytes, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(path, {"image": SimpleUploadedFile("a.png", data)}, headers=headers)


def test_a_foreign_photo_in_a_batch_is_a_missing_one(mine: Membership, theirs: Annotation) -> None:
    client = client_of(mine)

    made = send(
        client, BATCHES, items=[{"image_id": str(each)} for each in (theirs.image_id, uuid4())]
    )
    for lane in range(jobs.LANES):
        fetch_due(tenant_id=mine.tenant_id, lane=lane)
    foreign, missing = client.get(made["Location"]).json()["items"]

    assert (foreign["state"], foreign["problem"]) == ("failed", "not-found")
    assert {**foreign, "position": 1} == missing
    assert not BatchItem.objects.exclude(annotation=None).exists()


def test_a_foreign_garment_in_a_review_is_a_missing_one(
    mine: Membership, theirs: Annotation
) -> None:
    annotation = make_done_annotation(tenant=mine.tenant)
    path, client = f"{ANNOTATIONS}{annotation.id}/review/", client_of(mine)

    answers = [
        send(client, path, garments=[{"id": str(each), "category": "shirt"}])
        for each in (theirs.garments.get().id, uuid4())
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].content == answers[1].content
    assert theirs.garments.get().category == "t-shirt"


def test_a_filter_by_a_foreign_photo_finds_nothing(mine: Membership, theirs: Annotation) -> None:
    answer = client_of(mine).get(f"{ANNOTATIONS}?image={theirs.image_id}")

    assert answer.json()["results"] == []


@pytest.mark.parametrize("path", [ANNOTATIONS, f"{ANNOTATIONS}?wait=5", "/api/compat/annotate"])
def test_a_foreign_photo_and_its_idempotency_key_answer_nothing(
    path: str,
    mine: Membership,
    fake_engine: FakeEngine,
) -> None:
    photo, other = make_photo_bytes(), make_member()
    upload(client_of(other), path, photo, key="one")
    theirs = Annotation.objects.get()

    answer = upload(client_of(mine), path, photo, key="one")

    made = Annotation.objects.exclude(id=theirs.id).get()
    assert answer.status_code in {200, 201, 202}
    assert "Idempotent-Replayed" not in answer
    assert (made.tenant, made.image_id == theirs.image_id) == (mine.tenant, False)
    assert str(theirs.id) not in answer.text
    assert str(theirs.image_id) not in answer.text


@pytest.mark.parametrize("path", [BATCHES, "/api/v1/webhooks/"])
def test_a_foreign_idempotency_key_replays_nothing(path: str, mine: Membership) -> None:
    body: dict[str, Any] = {"items": [{"image_url": "https://a.example/1.jpg"}]}
    if path != BATCHES:
        body = {"url": "https://a.example/hook", "events": ["annotation.finished"]}
    first = send(client_of(make_member()), path, key="one", **body)

    second = send(client_of(mine), path, key="one", **body)

    assert (first.status_code, second.status_code) in {(202, 202), (201, 201)}, second.text
    assert "Idempotent-Replayed" not in second
    assert first.json()["id"] != second.json()["id"]
