from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from botocore.exceptions import EndpointConnectionError
from django.core.files.storage import FileSystemStorage
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import Job

from accounts.tests.factories import make_tenant
from annotations import files, services, tasks
from annotations.models import Annotation, Garment
from annotations.tests.factories import make_annotation, make_image
from inference import client
from inference.contract import Box


def test_annotates_a_photo(tenant, fake_engine):
    annotation = make_annotation(tenant=tenant)

    tasks.annotate(annotation_id=str(annotation.id))

    annotation.refresh_from_db()
    assert annotation.state == "done"
    assert fake_engine.requests == ["/v1/annotate"]


def test_sends_the_box_of_a_crop(tenant, member, fake_engine):
    image = make_image(tenant=tenant)
    annotation = services.annotate_crop(
        tenant=tenant,
        image_id=image.id,
        box=Box(1, 2, 30, 40),
        requested_by=member.user,
        now=datetime.now(UTC),
    )

    tasks.annotate(annotation_id=str(annotation.id))

    assert fake_engine.requests == ["/v1/annotate?crop=1%2C2%2C30%2C40"]


def test_does_not_ask_the_engine_twice(tenant, fake_engine):
    annotation = make_annotation(tenant=tenant)

    tasks.annotate(annotation_id=str(annotation.id))
    tasks.annotate(annotation_id=str(annotation.id))

    assert len(fake_engine.requests) == 1
    assert Garment.objects.count() == 1


def test_does_nothing_for_a_deleted_photo(tenant, fake_engine):
    annotation = make_annotation(tenant=tenant)
    services.delete_image(tenant=tenant, image_id=annotation.image_id)

    tasks.annotate(annotation_id=str(annotation.id))

    assert fake_engine.requests == []


def test_gives_up_on_a_photo_that_the_engine_refuses(tenant, fake_engine):
    fake_engine.answer = (422, {"code": "damaged", "detail": "The file is damaged."}, {})
    annotation = make_annotation(tenant=tenant)

    tasks.annotate(annotation_id=str(annotation.id))

    annotation.refresh_from_db()
    assert (annotation.state, annotation.error) == ("failed", "The file is damaged.")


def test_gives_up_on_a_photo_whose_file_is_gone(tenant, fake_engine):
    annotation = make_annotation(tenant=tenant)
    annotation.image.file.storage.delete(str(annotation.image.file.name))

    tasks.annotate(annotation_id=str(annotation.id))

    annotation.refresh_from_db()
    assert annotation.state == "failed"
    assert "upload it again" in annotation.error


@pytest.mark.parametrize("status", [0, 500])
def test_gives_up_on_a_photo_that_breaks_the_engine_again_and_again(tenant, fake_engine, status):
    fake_engine.answer = (status, {}, {})
    annotation = make_annotation(tenant=tenant)

    for _ in range(tasks.MOST_FAULTS - 1):
        with pytest.raises(client.Unavailable):
            tasks.annotate(annotation_id=str(annotation.id))
    tasks.annotate(annotation_id=str(annotation.id))

    annotation.refresh_from_db()
    assert annotation.state == "failed"
    assert "several times" in annotation.error


def test_waits_for_an_engine_that_is_away_without_blaming_the_photo(tenant):
    annotation = make_annotation(tenant=tenant)

    for _ in range(tasks.MOST_FAULTS + 1):
        with pytest.raises(client.Unavailable):
            tasks.annotate(annotation_id=str(annotation.id))

    annotation.refresh_from_db()
    assert (annotation.state, annotation.faults) == ("pending", 0)


@pytest.mark.parametrize(
    "error", [OSError(5, "I/O error"), EndpointConnectionError(endpoint_url="")]
)
def test_waits_for_a_storage_that_is_away(tenant, fake_engine, monkeypatch, error):
    annotation = make_annotation(tenant=tenant)
    monkeypatch.setattr(FileSystemStorage, "_open", Mock(side_effect=error))

    with pytest.raises(files.StorageAway):
        tasks.annotate(annotation_id=str(annotation.id))

    annotation.refresh_from_db()
    assert (annotation.state, annotation.faults) == ("pending", 0)


def test_a_defect_leaves_no_photo_waiting_for_ever(tenant, monkeypatch):
    annotation = make_annotation(tenant=tenant)
    monkeypatch.setattr(client.Client, "send_photo", Mock(side_effect=KeyError("defect")))

    with pytest.raises(KeyError):
        tasks.annotate(annotation_id=str(annotation.id))

    annotation.refresh_from_db()
    assert (annotation.state, annotation.error) == ("failed", "Something broke on our side")


def test_waits_for_an_engine_whose_queue_is_full(tenant, fake_engine):
    fake_engine.answer = (503, {}, {"Retry-After": "7"})
    annotation = make_annotation(tenant=tenant)

    with pytest.raises(client.Overloaded):
        tasks.annotate(annotation_id=str(annotation.id))

    annotation.refresh_from_db()
    assert (annotation.state, annotation.faults) == ("pending", 0)


def decide(error: Exception, *, attempts: int = 0, priority: int = 20) -> datetime | None:
    job = Job(
        id=1,
        queue="default",
        lock=None,
        queueing_lock=None,
        task_name="annotations.annotate",
        attempts=attempts,
        priority=priority,
    )
    decision = tasks.RetryForAsLongAsItTakes().get_retry_decision(exception=error, job=job)
    return decision.retry_at if decision else None


@pytest.mark.parametrize(
    ("error", "attempts", "priority", "longest"),
    [
        (client.Overloaded(7), 3, 20, 7),
        (client.Unavailable(), 0, 20, 1),
        (files.StorageAway(), 0, 20, 1),
        (client.Unavailable(), 500, 20, 15),
        (client.Unavailable(), 500, 0, 60),
    ],
)
def test_tries_again_for_as_long_as_it_takes(error, attempts, priority, longest):
    before = datetime.now(UTC)

    retry_at = decide(error, attempts=attempts, priority=priority)

    assert retry_at is not None
    wait = retry_at - before
    assert timedelta(seconds=longest * 0.4) < wait < timedelta(seconds=longest + 1)


def test_does_not_repeat_a_defect():
    assert decide(KeyError()) is None


@pytest.mark.django_db(transaction=True)
def test_jobs_annotate_uploads_before_crops_and_bulk(fake_engine, run_jobs):
    tenant = make_tenant()
    for priority in (
        Annotation.Priority.BULK,
        Annotation.Priority.CROP,
        Annotation.Priority.UPLOAD,
    ):
        make_annotation(tenant=tenant, priority=priority)

    run_jobs(concurrency=1)

    assert set(Annotation.objects.values_list("state", flat=True)) == {"done"}
    assert not ProcrastinateJob.objects.filter(task_name="annotations.annotate").exists()
    answered = Annotation.objects.order_by("finished_at").values_list("priority", flat=True)
    assert list(answered) == [20, 10, 0]


@pytest.mark.django_db(transaction=True)
def test_a_job_that_could_not_reach_the_engine_stays_in_the_queue(run_jobs):
    annotation = make_annotation(tenant=make_tenant())

    run_jobs()

    (job,) = ProcrastinateJob.objects.filter(task_name="annotations.annotate")
    assert (job.status, job.attempts) == ("todo", 1)
    assert job.scheduled_at > datetime.now(UTC)
    annotation.refresh_from_db()
    assert annotation.is_pending
