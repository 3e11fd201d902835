"""The Python client against the live server."""

import json
from datetime import UTC, datetime

import httpx
import pytest
from django.utils import timezone
from kalas_client import AsyncKalas, Box, Forged, Kalas, Problem, Unreachable, verify_webhook

from accounts.models import Scope
from accounts.tests.factories import make_key, make_member
from annotations.tests.conftest import fake_engine, media, run_jobs
from annotations.tests.factories import make_done_annotation, make_photo_bytes
from integrations import signatures

__all__ = ["fake_engine", "media", "run_jobs"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def member():
    return make_member()


@pytest.fixture
def tenant(member):
    return member.tenant


@pytest.fixture
def token(member):
    return make_key(member=member, scopes=[Scope.ANNOTATE, Scope.REVIEW]).token


@pytest.fixture
def kalas(live_server, token):
    with Kalas(live_server.url, token) as client:
        yield client


def test_annotates_a_photo(kalas, fake_engine, run_jobs, tmp_path):
    photo = tmp_path / "shirt.png"
    photo.write_bytes(make_photo_bytes())

    waiting = kalas.annotate(photo, product="SKU-4711", crop=Box(5, 5, 55, 75), wait=0)
    assert (waiting.state, waiting.product) == ("pending", "SKU-4711")
    assert waiting.image.name == "shirt.png"
    run_jobs()
    done = kalas.wait_for(waiting)

    assert done.id == waiting.id
    assert done.crop == Box(5, 5, 55, 75)
    (garment,) = done.garments
    assert (garment.category.name, garment.category.confidence) == ("t-shirt", 0.93)
    assert garment.category.alternatives[0].name == "top"
    assert garment.attributes[0].name == "striped"
    assert garment.colours[0].hex == "#1b2a49"
    assert done.created_at.tzinfo is not None
    assert done.model is not None
    assert done.model.name == "kalas-mini"


def test_lists_reviews_and_deletes(kalas, tenant):
    made = {str(make_done_annotation(tenant=tenant).id) for _ in range(3)}

    listed = list(kalas.list_annotations(limit=2, since=datetime(2020, 1, 1, tzinfo=UTC)))
    assert {each.id for each in listed} == made
    assert list(kalas.list_annotations(state="failed")) == []

    first = listed[0]
    reviewed = kalas.review(first.id, {first.garments[0].id: {"category": "top"}})
    assert reviewed.garments[0].category.name == "top"
    assert reviewed.garments[0].category.origin == "human"
    assert kalas.get_overlay(first.id).startswith(b"\x89PNG")
    kalas.delete_annotation(first.id)
    with pytest.raises(Problem) as problem:
        kalas.get_annotation(first.id)
    assert (problem.value.name, problem.value.status) == ("not-found", 404)


def test_orders_a_batch(kalas, tenant):
    image = make_done_annotation(tenant=tenant).image_id

    batch = kalas.create_batch([{"image_id": str(image), "product": "SKU-1"}])

    assert (batch.total, batch.state) == (1, "pending")
    assert kalas.get_batch(batch.id).items[0].product == "SKU-1"


def test_knows_the_taxonomy_and_the_usage(kalas):
    assert "t-shirt" in [each["name"] for each in kalas.get_taxonomy()["categories"]]
    assert kalas.get_usage()["days"]


def test_says_what_is_wrong(kalas):
    with pytest.raises(Problem) as problem:
        kalas.annotate(b"no photo", hint="hat")

    assert problem.value.name == "invalid-request"
    assert [each["field"] for each in problem.value.errors] == ["hint"]
    with pytest.raises(Problem, match="photo-refused"):
        kalas.annotate(b"no photo")
    with pytest.raises(ValueError, match="either"):
        kalas.annotate()


def test_a_wrong_key(live_server):
    with Kalas(live_server.url, "kal_12345678_wrong") as kalas, pytest.raises(Problem) as problem:
        kalas.get_usage()

    assert problem.value.name == "invalid-key"


async def test_the_asynchronous_client_does_the_same(live_server, token, tenant_with_two):
    async with AsyncKalas(live_server.url, token) as kalas:
        listed = [each async for each in kalas.list_annotations(limit=1)]
        one = await kalas.get_annotation(listed[0].id)

    assert {each.id for each in listed} == tenant_with_two
    assert one == listed[0]


@pytest.fixture
def tenant_with_two(tenant):
    return {str(make_done_annotation(tenant=tenant).id) for _ in range(2)}


def answer_with(*answers):
    """A server that gives these answers in turn, and the requests that it got."""
    got, left = [], list(answers)

    def handle(request):
        got.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx.MockTransport(handle), got


BUSY = httpx.Response(503, headers={"Retry-After": "0"}, json={"type": "x/engine-busy/"})
BATCH = {
    "id": "1",
    "state": "pending",
    "total": 0,
    "progress": {"pending": 0, "done": 0, "abstained": 0, "failed": 0},
    "created_at": "2026-11-21T04:00:00Z",
    "something_new": True,
}


def test_sends_again_what_may_succeed_with_the_same_key():
    transport, got = answer_with(BUSY, BUSY, httpx.Response(202, json=BATCH))

    assert Kalas("http://kalas", "k", transport=transport).create_batch([]).id == "1"
    assert len({request.headers["Idempotency-Key"] for request in got}) == 1
    assert len(got) == 3


def test_waits_for_the_first_sending_whose_connection_broke(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    working = httpx.Response(
        409, headers={"Retry-After": "1"}, json={"type": "x/request-in-progress/"}
    )
    lost = httpx.ReadError("connection reset")
    transport, got = answer_with(lost, *[working] * 9, httpx.Response(202, json=BATCH))

    assert Kalas("http://kalas", "k", transport=transport).create_batch([]).id == "1"
    assert len({request.headers["Idempotency-Key"] for request in got}) == 1


@pytest.mark.parametrize(
    ("status", "name", "wait"),
    [(429, "quota-used-up", "900000"), (409, "not-reviewable", "1"), (404, "not-found", "1")],
)
def test_does_not_wait_for_what_will_not_change(status, name, wait):
    refused = httpx.Response(status, headers={"Retry-After": wait}, json={"type": f"x/{name}/"})
    transport, got = answer_with(refused)

    with pytest.raises(Problem, match=name):
        Kalas("http://kalas", "k", transport=transport).delete_annotation("1")
    assert len(got) == 1


def test_what_was_deleted_by_the_first_sending_is_deleted(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    gone = httpx.Response(404, json={"type": "x/not-found/"})
    transport, got = answer_with(httpx.ReadError("connection reset"), gone)

    Kalas("http://kalas", "k", transport=transport).delete_annotation("1")

    assert len(got) == 2


def test_follows_pages_on_its_own_server_only():
    first = {"next": "https://evil.example/api/v1/annotations/?cursor=abc&limit=1", "results": []}
    pages = [first, {"next": None, "results": []}]
    transport, got = answer_with(*[httpx.Response(200, json=page) for page in pages])

    assert list(Kalas("http://kalas", "k", transport=transport).list_annotations()) == []
    assert str(got[1].url) == "http://kalas/api/v1/annotations/?cursor=abc&limit=1"


def test_gives_up_in_the_end():
    transport, got = answer_with(BUSY, BUSY, BUSY, BUSY)

    with pytest.raises(Problem, match="engine-busy"):
        Kalas("http://kalas", "k", transport=transport).create_batch([])
    assert len(got) == 4


def test_says_when_nobody_answers(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    transport, got = answer_with(*[httpx.ConnectError("refused")] * 4)

    with pytest.raises(Unreachable, match="refused"):
        Kalas("http://kalas", "k", transport=transport).get_usage()
    assert len(got) == 4


def test_verifies_webhooks():
    secret, body = signatures.make_secret(), json.dumps({"type": "webhook.test"}).encode()
    now = int(timezone.now().timestamp())
    headers = signatures.build_headers(message="msg_1", timestamp=now, body=body, secrets=[secret])
    old = signatures.build_headers(
        message="msg_1", timestamp=now - 600, body=body, secrets=[secret]
    )

    assert verify_webhook(headers, body, secret) == {"type": "webhook.test"}
    for wrong in ((headers, body + b" "), (old, body), ({}, body)):
        with pytest.raises(Forged):
            verify_webhook(*wrong, secret)
