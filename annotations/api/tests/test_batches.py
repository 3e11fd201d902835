import json

import pytest
from django.test import Client
from django.utils import timezone

from accounts import idempotency
from accounts.models import IdempotentRequest
from accounts.tests.factories import make_key
from annotations import signals
from annotations.tests.factories import make_image, make_photo_bytes
from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed

pytestmark = pytest.mark.django_db
PATH = "/api/v1/batches/"


@pytest.fixture
def api(member):
    return Client(headers={"Authorization": f"Bearer {make_key(member=member).token}"})


def post(api, items, **headers):
    body = json.dumps({"items": items})
    return api.post(PATH, body, content_type="application/json", headers=headers)


@pytest.mark.django_db(transaction=True)
def test_each_photo_is_fetched_and_annotated(api, tenant, fake_engine, run_jobs, monkeypatch):
    def fetch(url):
        if "bad" in url:
            raise RequestFailed("not-an-image")
        return b"words" if "text" in url else make_photo_bytes()

    finished = []

    def note(sender, batch_id, **_):
        finished.append(str(batch_id))

    monkeypatch.setattr(remote_images, "fetch_image", fetch)
    signals.batch_finished.connect(note)
    known = make_image(tenant=tenant)
    box = {"left": 1, "top": 1, "right": 40, "bottom": 40}

    asked = post(
        api,
        [
            {"image_url": "https://a.example/1.jpg", "product": "A"},
            {"image_id": str(known.id), "crop": box},
            {"image_url": "https://a.example/bad.jpg"},
            {"image_url": "https://a.example/text.jpg"},
            {"image_id": "00000000-0000-4000-8000-000000000000"},
        ],
    )
    run_jobs()
    run_jobs()

    batch = api.get(asked["Location"]).json()
    assert asked.status_code == 202
    assert asked.json()["progress"]["pending"] == 5
    assert batch["state"] == "done"
    assert batch["progress"] == {"pending": 0, "done": 2, "abstained": 0, "failed": 3}
    assert [item["problem"] for item in batch["items"]] == [
        None,
        None,
        "image-url-failed",
        "photo-refused",
        "not-found",
    ]
    assert finished == [batch["id"]]
    assert api.get(PATH).json()["results"][0]["progress"] == batch["progress"]


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([], "items"),
        ([{"image_url": "https://a.example"}] * 1001, "items"),
        ([{"image_url": "https://a.example"}, {}], "items.1"),
        ([{"image_id": "five"}], "items.0.image_id"),
        ([{"image_url": "https://a.example", "colour": "red"}], "items.0.colour"),
        ("all", "items"),
    ],
)
def test_names_the_wrong_item(api, items, field):
    response = post(api, items)

    assert response.status_code == 422
    assert field in [error["field"] for error in response.json()["errors"]]


def test_old_answers_are_forgotten(api):
    item = [{"image_url": "https://a.example"}]
    post(api, item, **{"Idempotency-Key": "a"})

    assert idempotency.remove_old(now=timezone.now()) == 0
    assert idempotency.remove_old(now=timezone.now() + idempotency.KEEP) == 1
    assert not IdempotentRequest.objects.exists()
