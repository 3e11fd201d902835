import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import Tenant
from accounts.tests.factories import make_tenant, make_user
from annotations import files, jobs, live, photos, recording, services
from annotations.models import Annotation, Colour, FashionImage, Garment, Label
from annotations.results import build_result
from annotations.tests.factories import (
    list_names,
    make_annotation,
    make_done_annotation,
    make_garment,
    make_photo_bytes,
    make_result,
)
from inference.contract import Alternative, Box

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def list_jobs():
    return ProcrastinateJob.objects.filter(task_name=jobs.ANNOTATE_TASK).order_by("id")


def test_stores_a_photo_with_its_annotation_and_job(tenant, stored_files):
    annotation = make_annotation(tenant=tenant, now=NOW)

    image = annotation.image
    assert stored_files() == list_names(image)
    assert image.file.name == f"{tenant.id}/{image.id}.png"
    assert (image.width, image.height, image.created_at) == (60, 80, NOW)
    assert annotation.state == "pending"
    (job,) = list_jobs()
    assert job.args == {"annotation_id": str(annotation.id)}
    assert job.priority == Annotation.Priority.UPLOAD


def test_stores_nothing_when_the_job_cannot_be_deferred(tenant, stored_files, monkeypatch):
    def fail(annotation, **_options):
        raise IntegrityError("no job")

    monkeypatch.setattr(jobs, "defer_annotation", fail)

    with pytest.raises(IntegrityError):
        make_annotation(tenant=tenant)

    assert stored_files() == []
    assert not FashionImage.objects.exists()
    assert not Annotation.objects.exists()


def test_stores_nothing_when_the_thumbnail_cannot_be_written(tenant, stored_files, monkeypatch):
    save = FileSystemStorage.save

    def fail_for_thumbnail(storage, name, content):
        if "thumbnail" in name:
            raise OSError("No space left on device")
        return save(storage, name, content)

    monkeypatch.setattr(FileSystemStorage, "save", fail_for_thumbnail)

    with pytest.raises(files.StorageAway, match="No space"):
        make_annotation(tenant=tenant)

    assert stored_files() == []
    assert not FashionImage.objects.exists()


def test_does_not_store_the_same_file_twice(tenant, stored_files):
    data = make_photo_bytes()
    first = make_annotation(tenant=tenant, data=data)

    again, created = services.store_photo(
        tenant=tenant,
        photo=photos.check_photo(data),
        name="copy.png",
        uploaded_by=None,
        now=timezone.now(),
    )

    assert (again, created) == (first, False)
    assert len(stored_files()) == 2
    assert list_jobs().count() == 1


def test_stores_the_same_file_for_another_shop(tenant):
    data = make_photo_bytes()

    first = make_annotation(tenant=tenant, data=data)
    second = make_annotation(tenant=make_tenant(), data=data)

    assert first.image_id != second.image_id


@pytest.mark.django_db(transaction=True)
def test_of_two_equal_uploads_at_once_one_is_stored(stored_files):
    tenant = make_tenant()
    photo = photos.check_photo(make_photo_bytes())
    barrier = threading.Barrier(2)
    answers = []

    def upload():
        barrier.wait()
        answers.append(
            services.store_photo(
                tenant=tenant, photo=photo, name="a.png", uploaded_by=None, now=timezone.now()
            )
        )
        connection.close()

    threads = [threading.Thread(target=upload) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(created for _annotation, created in answers) == [False, True]
    assert FashionImage.objects.count() == 1
    assert len(stored_files()) == 2


def test_records_a_result(tenant):
    annotation = make_annotation(tenant=tenant)

    assert recording.record_result(annotation=annotation, result=make_result(), now=NOW)

    annotation.refresh_from_db()
    assert (annotation.state, annotation.needs_review) == ("done", False)
    assert (annotation.model_name, annotation.finished_at) == ("kalas-mini", NOW)
    garment = Garment.objects.get()
    assert garment.box == Box(10, 10, 50, 70)
    assert garment.alternatives == [{"name": "top", "confidence": 0.04}]
    assert list(garment.embedding) == [1.0, 0.0]
    assert [c.name for c in garment.colours.order_by("position")] == ["navy-blue", "white"]
    assert Label.objects.get().origin == "model"


def test_records_a_result_once(tenant):
    annotation = make_annotation(tenant=tenant)
    stale = Annotation.objects.select_related("tenant").get(id=annotation.id)
    recording.record_result(annotation=annotation, result=make_result(), now=NOW)

    again = recording.record_result(annotation=stale, result=make_result(), now=NOW)
    failed = recording.record_failure(annotation=stale, reason="late", now=NOW)

    assert (again, failed) == (False, False)
    assert (Garment.objects.count(), Colour.objects.count()) == (1, 2)
    annotation.refresh_from_db()
    assert annotation.state == "done"


@pytest.mark.django_db(transaction=True)
def test_of_many_results_at_once_one_is_stored():
    annotation = make_annotation(tenant=make_tenant())
    barrier = threading.Barrier(4)
    won = []

    def record():
        mine = Annotation.objects.select_related("tenant").get(id=annotation.id)
        barrier.wait()
        won.append(recording.record_result(annotation=mine, result=make_result(), now=NOW))
        connection.close()

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(won) == [False, False, False, True]
    assert Garment.objects.count() == 1


def test_stores_no_half_result(tenant):
    annotation = make_annotation(tenant=tenant)
    broken = make_result(make_garment(), make_garment(confidence=1.5))

    with pytest.raises(IntegrityError), transaction.atomic():
        recording.record_result(annotation=annotation, result=broken, now=NOW)

    annotation.refresh_from_db()
    assert annotation.state == "pending"
    assert not Garment.objects.exists()


def test_does_not_record_for_a_deleted_photo(tenant):
    annotation = make_annotation(tenant=tenant)
    services.delete_image(tenant=tenant, image_id=annotation.image_id)

    assert not recording.record_result(annotation=annotation, result=make_result(), now=NOW)


@pytest.mark.parametrize(("confidence", "review"), [(0.79, True), (0.8, False), (0.95, False)])
def test_sends_to_review_what_is_below_the_shops_threshold(tenant, confidence, review):
    Tenant.objects.filter(id=tenant.id).update(review_threshold=0.8)
    tenant.refresh_from_db()

    annotation = make_done_annotation(tenant=tenant, result=make_result(confidence=confidence))

    assert annotation.needs_review == review


def test_an_unsure_garment_beside_the_main_one_needs_no_review(tenant):
    main, beside = make_garment(confidence=0.9), make_garment(confidence=0.2)

    annotation = make_done_annotation(
        tenant=tenant, result=make_result(main, replace(beside, primary=False))
    )

    assert not annotation.needs_review


def test_records_why_there_is_no_answer(tenant):
    result = make_result(abstained="no-garment")

    annotation = make_done_annotation(tenant=tenant, result=result)

    assert (annotation.state, annotation.abstained) == ("abstained", "no-garment")
    assert not annotation.needs_review


def test_keeps_what_an_abstention_may_be_nevertheless(tenant):
    result = make_result(abstained="no-garment", alternatives=(Alternative("scarf", 0.3),))

    annotation = make_done_annotation(tenant=tenant, result=result)

    assert annotation.alternatives == [{"name": "scarf", "confidence": 0.3}]
    assert build_result(annotation)["alternatives"] == annotation.alternatives


@pytest.mark.parametrize(
    ("alternatives", "least"),
    [((), None), ((0.1, 0.1), None), ((0.15, 0.06), 0.79), ((0.3, 0.2), 0.5)],
)
def test_a_photo_waits_where_it_may_well_show_a_garment(tenant, alternatives, least):
    """As a category does: below 0.8, as shops are made."""
    may_be = tuple(map(Alternative, ("scarf", "hat"), alternatives))

    annotation = make_done_annotation(
        tenant=tenant, result=make_result(abstained="no-garment", alternatives=may_be)
    )

    annotation.refresh_from_db()
    assert (annotation.needs_review, annotation.least_confidence) == (least is not None, least)


def test_annotates_a_crop(tenant, member):
    image = make_done_annotation(tenant=tenant).image

    annotation = services.annotate_crop(
        tenant=tenant, image_id=image.id, box=Box(5, 6, 40, 50), requested_by=member.user, now=NOW
    )

    assert annotation.crop_box == Box(5, 6, 40, 50)
    assert annotation.state == "pending"
    assert list_jobs().last().priority == Annotation.Priority.CROP


@pytest.mark.parametrize("box", [Box(0, 0, 61, 80), Box(0, 0, 60, 81), Box(0, 0, 7, 80)])
def test_refuses_a_crop_outside_of_the_photo_or_too_small(tenant, member, box):
    image = make_annotation(tenant=tenant).image

    with pytest.raises(services.CropRefused):
        services.annotate_crop(
            tenant=tenant, image_id=image.id, box=box, requested_by=member.user, now=NOW
        )


def test_asks_again_for_a_failed_photo(tenant, member):
    failed = make_annotation(tenant=tenant)
    recording.record_failure(annotation=failed, reason="It broke.", now=NOW)

    annotation = services.annotate_again(
        tenant=tenant, annotation_id=failed.id, requested_by=member.user, now=NOW
    )

    assert list(Annotation.objects.all()) == [annotation]
    annotation.refresh_from_db()
    assert (annotation.id, annotation.state, annotation.error) == (failed.id, "pending", "")
    assert list_jobs().count() == 1


def test_keeps_the_earlier_answer_beside_a_new_one(tenant, member):
    done = make_done_annotation(tenant=tenant)

    services.annotate_again(tenant=tenant, annotation_id=done.id, requested_by=member.user, now=NOW)

    assert Annotation.objects.count() == 2


def test_does_not_ask_again_for_what_waits(tenant, member):
    waiting = make_annotation(tenant=tenant)

    with pytest.raises(services.StillWaiting):
        services.annotate_again(
            tenant=tenant, annotation_id=waiting.id, requested_by=member.user, now=NOW
        )


def test_deletes_a_photo_with_its_files_after_commit(
    tenant, stored_files, django_capture_on_commit_callbacks
):
    annotation = make_done_annotation(tenant=tenant)
    make_annotation(tenant=tenant)

    with django_capture_on_commit_callbacks() as callbacks:
        services.delete_image(tenant=tenant, image_id=annotation.image_id)
    assert len(stored_files()) == 4
    for callback in callbacks:
        callback()

    assert len(stored_files()) == 2
    assert not Garment.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("demo", [False, True])
def test_deletes_a_photo_whose_result_is_being_stored(stored_files, demo):
    source = FashionImage.Source.DEMO if demo else FashionImage.Source.UPLOAD
    annotation = make_annotation(tenant=make_tenant(), source=source)
    stored = threading.Event()

    def record():
        with transaction.atomic():
            recording.record_result(annotation=annotation, result=make_result(), now=NOW)
            stored.set()
            time.sleep(0.2)  # until the deletion waits
        connection.close()

    thread = threading.Thread(target=record)
    thread.start()
    stored.wait()
    if demo:
        services.remove_demo_photos(tenant=annotation.tenant, now=NOW)
    else:
        services.delete_image(tenant=annotation.tenant, image_id=annotation.image_id)
    thread.join()

    assert not FashionImage.objects.exists()
    assert not Garment.objects.exists()
    assert stored_files() == []


def test_tells_the_pages_which_demo_photos_are_gone(tenant, monkeypatch):
    demo = make_annotation(tenant=tenant, source=FashionImage.Source.DEMO)
    make_annotation(tenant=tenant)
    gone = []
    monkeypatch.setattr(live, "announce_gone", lambda tenant, id: gone.append(id))

    services.remove_demo_photos(tenant=tenant, now=NOW)

    assert gone == [demo.id]


@pytest.mark.django_db(transaction=True)
def test_a_box_on_a_photo_that_is_being_deleted_finds_nothing():
    image = make_annotation(tenant=make_tenant()).image
    user = make_user()
    deleted = threading.Event()

    def delete():
        with transaction.atomic():
            services.delete_image(tenant=image.tenant, image_id=image.id)
            deleted.set()
            time.sleep(0.2)  # until the other waits
        connection.close()

    thread = threading.Thread(target=delete)
    thread.start()
    deleted.wait()
    with pytest.raises(FashionImage.DoesNotExist):
        services.annotate_crop(
            tenant=image.tenant,
            image_id=image.id,
            box=Box(0, 0, 30, 30),
            requested_by=user,
            now=NOW,
        )
    thread.join()


def test_keeps_the_files_when_the_deletion_is_rolled_back(tenant, stored_files):
    annotation = make_annotation(tenant=tenant)

    with transaction.atomic():
        services.delete_image(tenant=tenant, image_id=annotation.image_id)
        transaction.set_rollback(True)

    assert len(stored_files()) == 2


def test_sweeps_files_that_have_no_row(tenant, stored_files):
    kept = make_annotation(tenant=tenant).image
    gone = make_annotation(tenant=tenant).image
    FashionImage.objects.filter(id=gone.id).delete()
    foreign = default_storage.save("backup/notes.txt", ContentFile(b"mine"))

    early = files.sweep_orphans(now=timezone.now())
    late = files.sweep_orphans(now=timezone.now() + timedelta(hours=2))

    assert (early, late) == (0, 2)
    assert stored_files() == sorted([*list_names(kept), foreign])


def test_sweeps_a_house_without_any_photo(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "none yet")},
        },
    }

    assert files.sweep_orphans(now=timezone.now()) == 0
