from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import IdempotentRequest
from accounts.tests.factories import make_key, make_member
from annotations.api.tests.requests import fields_of, post_file, post_json, problem_of
from annotations.models import Annotation
from annotations.tests.factories import (
    make_photo_bytes,
)

pytestmark = pytest.mark.django_db


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
