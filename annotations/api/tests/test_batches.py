import json
from threading import Event, Thread
from unittest.mock import Mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts import idempotency
from accounts.models import ApiKey, IdempotentRequest
from accounts.tests.factories import make_key
from annotations import batches, fetching, files, jobs, recording, services, signals
from annotations.models import Annotation, Batch, BatchItem, FashionImage
from annotations.tests.factories import (
    make_annotation,
    make_done_annotation,
    make_image,
    make_photo_bytes,
    make_result,
)
from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed
from kalas.management.commands.run_jobs import ASIDE

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


def read_batch(api, asked):
    return api.get(asked["Location"]).json()


def fetch_all(tenant):
    """What the shop's jobs do, which are taken from the queue."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE queue_name = %s", [jobs.FETCH_QUEUE])
    for lane in range(jobs.LANES):
        fetching.fetch_due(tenant_id=tenant.id, lane=lane)


def make_hosts_answer(monkeypatch, answer):
    """Each fetch calls `answer`, which raises or gives bytes; the addresses that were asked."""
    asked = []

    def fetch(url):
        asked.append(url)
        return answer()

    monkeypatch.setattr(remote_images, "fetch_image", fetch)
    return asked


def fail(error):
    def answer():
        raise error

    return answer


ONE = [{"image_url": "https://a.example/1.jpg"}]


def test_a_batch_of_what_is_annotated_already_is_done(api, tenant):
    photos = [make_photo_bytes(), make_photo_bytes()]
    for data in photos:
        make_done_annotation(tenant=tenant, data=data)
    files = [SimpleUploadedFile("shirt.png", data) for data in photos]
    finished = Mock()
    signals.batch_finished.connect(finished, weak=False)

    response = api.post("/api/v1/annotations/", {"image": files})

    signals.batch_finished.disconnect(finished)
    assert response.json()["state"] == "done"
    assert response.json()["finished_at"]
    assert finished.call_count == 1


def test_what_is_deleted_ends_its_batch(api, tenant):
    files = [SimpleUploadedFile("shirt.png", make_photo_bytes()) for _ in range(2)]
    asked = api.post("/api/v1/annotations/", {"image": files})

    for image in FashionImage.objects.all():
        services.delete_image(tenant=tenant, image_id=image.id)

    batch = read_batch(api, asked)
    assert batch["state"] == "done"
    assert batch["progress"] == {"pending": 0, "done": 0, "abstained": 0, "failed": 2}
    assert {item["problem"] for item in batch["items"]} == {"not-found"}


def test_what_is_deleted_later_still_adds_up(api, tenant):
    image = make_done_annotation(tenant=tenant).image
    asked = post(api, [{"image_id": str(image.id)}])
    fetch_all(tenant)
    assert read_batch(api, asked)["progress"]["done"] == 1

    services.delete_image(tenant=tenant, image_id=image.id)

    assert read_batch(api, asked)["progress"] == {
        "pending": 0,
        "done": 0,
        "abstained": 0,
        "failed": 1,
    }


@pytest.mark.parametrize(
    "error", [OperationalError("deadlock detected"), files.StorageAway(), OSError(28, "full")]
)
def test_no_photo_is_lost_while_a_part_of_the_house_is_away(api, tenant, monkeypatch, error):
    make_hosts_answer(monkeypatch, fail(error))
    asked = post(api, ONE)

    fetch_all(tenant)

    assert read_batch(api, asked)["progress"]["pending"] == 1
    assert list_lanes(tenant).filter(scheduled_at__gt=timezone.now()).exists()
    make_hosts_answer(monkeypatch, make_photo_bytes)
    fetch_all(tenant)
    assert read_batch(api, asked)["items"][0]["annotation"]


def list_lanes(tenant):
    return ProcrastinateJob.objects.filter(lock__startswith=f"batches.{tenant.id}.")


def test_a_defect_ends_neither_the_batch_nor_those_behind_it(api, tenant, monkeypatch):
    make_hosts_answer(monkeypatch, fail(KeyError("defect")))
    asked = post(api, ONE * 3)

    fetch_all(tenant)

    batch = read_batch(api, asked)
    assert batch["state"] == "done"
    assert {item["problem"] for item in batch["items"]} == {"server-error"}


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (RequestFailed("status", status=404), 1),
        (RequestFailed("status", status=429), 4),
        (RequestFailed("status", status=503), 4),
        (RequestFailed("timeout"), 4),
        (RequestFailed("private-address"), 1),
    ],
)
def test_asks_again_only_where_it_may_help(api, tenant, monkeypatch, error, tries):
    addresses = make_hosts_answer(monkeypatch, fail(error))
    asked = post(api, ONE)

    for _ in range(6):
        fetch_all(tenant)
        BatchItem.objects.update(due_at=None)

    assert len(addresses) == tries
    assert read_batch(api, asked)["items"][0]["problem"] == "image-url-failed"


def test_gives_a_host_time(api, tenant, monkeypatch):
    addresses = make_hosts_answer(monkeypatch, fail(RequestFailed("timeout")))
    post(api, ONE)

    fetch_all(tenant)
    fetch_all(tenant)

    assert len(addresses) == 1
    (due_at,) = BatchItem.objects.filter(due_at__gt=timezone.now()).values_list("due_at", flat=True)
    assert due_at in [job.scheduled_at for job in list_lanes(tenant)]


def test_fetches_nothing_that_the_quota_does_not_allow(api, tenant, monkeypatch):
    tenant.monthly_quota = 0
    tenant.save()
    addresses = make_hosts_answer(monkeypatch, make_photo_bytes)
    asked = post(api, ONE)

    fetch_all(tenant)

    assert addresses == []
    assert read_batch(api, asked)["items"][0]["problem"] == "quota-used-up"


def test_fetches_nothing_for_a_revoked_key(api, tenant, monkeypatch):
    addresses = make_hosts_answer(monkeypatch, make_photo_bytes)
    post(api, ONE)
    ApiKey.objects.update(revoked_at=timezone.now())

    fetch_all(tenant)

    assert addresses == []
    assert BatchItem.objects.get().problem == "invalid-key"


def test_a_shop_keeps_few_workers_busy_and_none_that_annotates(api, tenant):
    for _ in range(3):
        post(api, ONE * 20)

    assert list_lanes(tenant).count() == jobs.LANES
    assert {job.queue_name for job in list_lanes(tenant)} == {jobs.FETCH_QUEUE}
    assert jobs.FETCH_QUEUE in ASIDE


def test_all_photos_of_a_shop_share_the_job_that_annotates_them(api, tenant, monkeypatch):
    addresses = [f"https://a.example/{number}.jpg" for number in range(3)]
    make_hosts_answer(monkeypatch, make_photo_bytes)
    post(api, [{"image_url": address} for address in addresses])

    fetch_all(tenant)

    waiting = ProcrastinateJob.objects.filter(task_name__startswith="annotations.annotate")
    assert [job.task_name for job in waiting] == [jobs.SHOP_TASK]
    assert Annotation.objects.pending().count() == 3


def test_after_its_turn_a_shop_waits_for_the_others(api, tenant, monkeypatch):
    addresses = make_hosts_answer(monkeypatch, make_photo_bytes)
    post(api, ONE * 3)
    monkeypatch.setattr(fetching, "TURN_S", 0)

    fetch_all(tenant)

    assert addresses == []
    assert {job.status for job in list_lanes(tenant)} == {"todo"}


def test_a_shop_asks_for_so_much_at_once(api, monkeypatch):
    monkeypatch.setattr(batches, "MOST_OPEN", 3)
    post(api, ONE * 2)

    refused = post(api, ONE * 2)

    assert refused.status_code == 429
    assert refused.json()["type"].endswith("/too-many-waiting/")
    assert refused["Retry-After"] == "60"
    assert post(api, ONE).status_code == 202


def test_what_a_crash_left_behind_goes_on(api, tenant, monkeypatch):
    make_hosts_answer(monkeypatch, make_photo_bytes)
    post(api, ONE)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    done = Batch.objects.create(tenant=tenant, total=1)
    BatchItem.objects.create(
        batch=done,
        position=0,
        annotation=make_done_annotation(tenant=tenant),
        taken_at=timezone.now(),
    )

    batches.sweep(now=timezone.now())
    batches.sweep(now=timezone.now())

    assert list_lanes(tenant).count() == jobs.LANES
    done.refresh_from_db()
    assert done.finished_at


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["result", "item"])
def test_the_last_photo_ends_its_batch_whichever_way_they_meet(tenant, first):
    """The result of an annotation and the item that becomes it, both not committed yet."""
    annotation = make_annotation(tenant=tenant)
    batch = Batch.objects.create(tenant=tenant, total=1)
    item = BatchItem.objects.create(batch=batch, position=0)
    steps = {
        "result": lambda: recording.record_result(
            annotation=annotation, result=make_result(), now=timezone.now()
        ),
        "item": lambda: batches.note_item(item=item, annotation=annotation, now=timezone.now()),
    }
    is_first_done, may_commit = Event(), Event()

    def go_first():
        with transaction.atomic():
            steps.pop(first)()
            is_first_done.set()
            may_commit.wait(20)
        connection.close()

    def go_second():
        is_first_done.wait(20)
        (step,) = steps.values()
        step()
        connection.close()

    threads = [Thread(target=go_first), Thread(target=go_second)]
    for thread in threads:
        thread.start()
    is_first_done.wait(20)
    threads[1].join(0.5)
    may_commit.set()
    for thread in threads:
        thread.join(20)

    batch.refresh_from_db()
    assert batch.finished_at


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
