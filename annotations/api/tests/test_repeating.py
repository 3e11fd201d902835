"""Who dies between an effect and its stored answer has done neither, or both."""

import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts import idempotency
from accounts.models import IdempotentRequest
from accounts.tests.factories import make_key
from annotations import services
from annotations.models import Batch, FashionImage, Review
from annotations.tests.factories import make_done_annotation, make_photo_bytes
from integrations.models import WebhookEndpoint

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api(member):
    token = make_key(member=member).token
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})


def post_json(api, path, body):
    headers = {"Idempotency-Key": "once"}
    return api.post(path, json.dumps(body), content_type="application/json", headers=headers)


def order_batch(api, tenant):
    return post_json(api, "/api/v1/batches/", {"items": [{"image_url": "https://a.example"}]})


def order_files(api, tenant):
    uploads = [SimpleUploadedFile("shirt.png", make_photo_bytes()) for _ in range(2)]
    headers = {"Idempotency-Key": "once"}
    return api.post("/api/v1/annotations/", {"image": uploads}, headers=headers)


def review(api, tenant):
    annotation = make_done_annotation(tenant=tenant)
    return post_json(api, f"/api/v1/annotations/{annotation.id}/review/", {})


def make_endpoint(api, tenant):
    body = {"url": "https://shop.example/", "events": ["batch.finished"]}
    return post_json(api, "/api/v1/webhooks/", body)


@pytest.mark.parametrize(
    ("send", "effect"),
    [
        (order_batch, Batch),
        (order_files, Batch),
        (review, Review),
        (make_endpoint, WebhookEndpoint),
    ],
)
def test_without_a_stored_answer_nothing_has_happened(api, tenant, monkeypatch, send, effect):
    def die(**_):
        raise SystemError

    monkeypatch.setattr(idempotency, "finish", die)

    response = send(api, tenant)

    assert response.status_code == 500
    assert not effect.objects.exists()


def test_a_request_may_take_minutes(api, tenant):
    order_batch(api, tenant)
    IdempotentRequest.objects.update(status=None)

    answer = order_batch(api, tenant)

    assert answer.status_code == 409
    locked_until = IdempotentRequest.objects.get().locked_until
    assert locked_until > timezone.now() + timedelta(seconds=90)


def test_what_is_deleted_is_kept_in_no_answer(api, tenant):
    headers = {"Idempotency-Key": "once"}
    upload = SimpleUploadedFile("shirt.png", make_photo_bytes())
    api.post("/api/v1/annotations/", {"image": upload}, headers=headers)
    services.delete_image(tenant=tenant, image_id=FashionImage.objects.get().id)

    assert not IdempotentRequest.objects.exists()
