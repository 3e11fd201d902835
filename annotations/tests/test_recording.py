"""Answers that are stored together; what becomes of one by itself is in `test_services`."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from annotations import interests, live, recording, services, signals
from annotations.models import Annotation, Batch, BatchItem, Garment
from annotations.recording import Answer
from annotations.tests.factories import (
    make_annotation,
    make_done_annotation,
    make_garment,
    make_result,
)
from kalas.lib.notify_layer import NotifyChannelLayer

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def record(*answers: Answer) -> list[Annotation]:
    return recording.record_results(answers=answers, now=NOW)


def test_stores_what_still_waits_and_nothing_else(tenant):
    good, unsure, empty, gone, answered = (make_annotation(tenant=tenant) for _ in range(5))
    services.delete_image(tenant=tenant, image_id=gone.image_id)
    recording.record_failure(
        annotation=Annotation.objects.get(id=answered.id), reason="Broken", now=NOW
    )

    stored = record(
        Answer(good, make_result(make_garment(category="dress", object_type="full-body"))),
        Answer(unsure, make_result(confidence=0.3)),
        Answer(empty, make_result(abstained="no-garment")),
        Answer(gone, make_result()),
        Answer(answered, make_result()),
    )

    assert {each.id for each in stored} == {good.id, unsure.id, empty.id}
    rows = {row.id: row for row in Annotation.objects.all()}
    assert {rows[each.id].state for each in (good, unsure)} == {"done"}
    assert rows[empty.id].abstained == "no-garment"
    assert rows[answered.id].state == "failed"
    assert [rows[each.id].needs_review for each in (good, unsure)] == [False, True]
    assert [g.category for g in good.garments.all()] == ["dress"]
    assert Garment.objects.count() == 2


def test_their_number_costs_no_queries(tenant, django_assert_num_queries):
    for number in (1, 8):
        answers = [Answer(make_annotation(tenant=tenant), make_result()) for _ in range(number)]
        with django_assert_num_queries(8):
            record(*answers)


def test_each_is_announced_by_a_hint_of_its_own(
    tenant, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr(
        NotifyChannelLayer, "group_send_now", lambda layer, group, *all_: sent.append(all_)
    )
    waiting = [make_annotation(tenant=tenant) for _ in range(3)]
    sent.clear()

    with django_capture_on_commit_callbacks(execute=True):
        record(*(Answer(each, make_result()) for each in waiting))

    (messages,) = sent
    assert sorted((m["hint"]["id"], m["hint"]["state"]) for m in messages) == sorted(
        (str(each.id), "done") for each in waiting
    )


def test_a_broken_one_takes_all_back(tenant):
    first, second = (make_annotation(tenant=tenant) for _ in range(2))

    with pytest.raises(IntegrityError), transaction.atomic():
        record(
            Answer(first, make_result()), Answer(second, make_result(make_garment(confidence=1.5)))
        )

    assert set(Annotation.objects.values_list("state", flat=True)) == {"pending"}


def test_finishes_their_batch_once(tenant):
    waiting = [make_annotation(tenant=tenant) for _ in range(2)]
    batch = Batch.objects.create(tenant=tenant, total=2)
    for position, annotation in enumerate(waiting):
        BatchItem.objects.create(
            batch=batch, position=position, annotation=annotation, taken_at=NOW
        )

    record(*(Answer(each, make_result()) for each in waiting))

    batch.refresh_from_db()
    assert batch.finished_at == NOW


def test_a_photo_that_was_asked_again_keeps_what_people_said(tenant, member):
    before = make_done_annotation(tenant=tenant)
    Annotation.objects.filter(id=before.id).update(needs_review=True)
    again = services.request_annotation(image=before.image, requested_by=None, now=timezone.now())

    record(Answer(again, make_result()), Answer(make_annotation(tenant=tenant), make_result()))

    before.refresh_from_db()
    assert not before.needs_review


def test_nobody_is_told_where_nobody_wants_to_know(tenant, monkeypatch):
    told: list[object] = []
    monkeypatch.setattr(signals.annotations_finished, "send", told.append)

    record(Answer(make_annotation(tenant=tenant), make_result()))

    assert not told


def test_what_a_crash_takes_back_is_answered_again_with_the_same_ids(tenant):
    annotation = make_annotation(tenant=tenant)
    result = make_result(make_garment(), make_garment(category="jeans", object_type="lower-body"))
    taken_back = transaction.savepoint()
    record(Answer(annotation, result))
    told = list(Garment.objects.order_by("id").values_list("id", "category"))
    transaction.savepoint_rollback(taken_back)

    record(Answer(Annotation.objects.get(id=annotation.id), result))

    assert list(Garment.objects.order_by("id").values_list("id", "category")) == told


@pytest.fixture
def careful_session(transactional_db):
    """As outside of tests: they do not wait for the disk at all."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
        yield
        cursor.execute("RESET synchronous_commit")


@pytest.mark.usefixtures("careful_session")
def test_an_answer_does_not_wait_for_the_disk_but_its_photo_does(tenant, monkeypatch):
    waits = []

    def note(*_args, **_kwargs):
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            waits.extend(cursor.fetchone())

    monkeypatch.setattr(live, "announce_annotation", note)
    monkeypatch.setattr(interests, "find", note)

    record(Answer(make_annotation(tenant=tenant), make_result()))
    note()

    assert waits == ["on", "off", "on"]
