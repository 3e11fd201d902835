import asyncio
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.tests.factories import make_tenant
from annotations import bulk_lane, jobs, photos, recording, services, tasks
from annotations.models import Annotation
from annotations.tests.factories import make_annotation, make_photo_bytes, make_result
from inference import client
from inference.contract import InvalidImage
from kalas.tasks import requeue_stalled_jobs


def make_waiting(tenant, number: int = 1) -> list[Annotation]:
    """As an import leaves them."""
    images = services.store_new_photos(
        tenant=tenant,
        photos=[(photos.check_photo(make_photo_bytes()), f"{i}.png") for i in range(number)],
        uploaded_by=None,
        now=timezone.now(),
    )
    jobs.wake_shop(tenant.id, at=timezone.now())
    found = {each.image_id: each for each in Annotation.objects.filter(image__in=images)}
    return [found[image.id] for image in images]


@pytest.fixture
def answers(monkeypatch):
    """By annotation what the engine says, or raises; the same good answer for all others."""
    chosen: dict[UUID, Any] = {}

    def ask(annotation):
        answer = chosen.get(annotation.id, make_result())
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer

    monkeypatch.setattr(bulk_lane, "_ask", ask)
    return chosen


async def requeue() -> None:
    jobs_app = app.with_connector(app.connector.get_worker_connector())  # type: ignore[attr-defined]
    async with jobs_app.open_async():
        await requeue_stalled_jobs(jobs_app=jobs_app, now=timezone.now())


def run(tenant) -> None:
    tasks.annotate_shop(tenant_id=str(tenant.id))


def list_lanes():
    return ProcrastinateJob.objects.filter(task_name=jobs.SHOP_TASK)


def list_own():
    return ProcrastinateJob.objects.filter(task_name=jobs.ANNOTATE_TASK)


def test_annotates_all_that_waits(tenant, fake_engine):
    waiting = make_waiting(tenant, 20)

    run(tenant)

    assert set(Annotation.objects.values_list("state", flat=True)) == {"done"}
    assert len(fake_engine.requests) == len(waiting)


def test_an_import_has_one_job_however_many_photos_it_brings(tenant):
    make_waiting(tenant, 3)
    make_waiting(tenant, 3)

    assert list_lanes().get().queue_name == jobs.BULK_QUEUE
    assert not list_own().exists()


def test_what_failed_is_asked_again_in_bulk_without_a_job_of_its_own(tenant, member, answers):
    (annotation,) = make_waiting(tenant)
    recording.record_failure(annotation=annotation, reason="Broken", now=timezone.now())

    services.annotate_again(
        tenant=tenant,
        annotation_id=annotation.id,
        requested_by=member.user,
        now=timezone.now(),
        priority=Annotation.Priority.BULK,
    )
    run(tenant)

    annotation.refresh_from_db()
    assert annotation.state == "done"
    assert not list_own().exists()


def test_stores_together_what_is_there_together(tenant, answers, monkeypatch):
    sizes = []
    real = recording.record_results

    def note(*, answers, now):
        sizes.append(len(answers))
        return real(answers=answers, now=now)

    everyone = threading.Barrier(4)

    def answer():
        everyone.wait(20)
        return make_result()

    answers |= {each.id: answer for each in make_waiting(tenant, 4)}
    monkeypatch.setattr(recording, "record_results", note)

    run(tenant)

    assert sum(sizes) == 4
    assert len(sizes) < 4


def test_each_answer_has_its_own_outcome(tenant, answers):
    good, empty, refused, lost, gone = make_waiting(tenant, 5)
    answers[empty.id] = make_result(abstained="no-garment")
    answers[refused.id] = InvalidImage("damaged", "The file is damaged.")
    answers[lost.id] = FileNotFoundError()
    services.delete_image(tenant=tenant, image_id=gone.image_id)

    run(tenant)

    states = dict(Annotation.objects.values_list("id", "state"))
    assert states == {
        good.id: "done",
        empty.id: "abstained",
        refused.id: "failed",
        lost.id: "failed",
    }
    refused.refresh_from_db()
    assert refused.error == "The file is damaged."


def test_a_photo_that_breaks_the_engine_goes_on_by_itself(tenant, answers):
    good, bad = make_waiting(tenant, 2)
    answers[bad.id] = client.Unavailable("The engine answered 500.")

    run(tenant)

    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.state, bad.state, bad.faults) == ("done", "pending", 1)
    assert list_own().get().args == {"annotation_id": str(bad.id)}


def test_waits_for_an_engine_that_is_busy(tenant, answers):
    first, second = make_waiting(tenant, 2)
    answers[first.id] = client.Overloaded(7)
    list_lanes().delete()

    run(tenant)

    second.refresh_from_db()
    assert second.state == "done"
    lane = list_lanes().get()
    assert lane.scheduled_at > timezone.now() + timedelta(seconds=5)
    assert not list_own().exists()


def test_waits_for_an_engine_that_is_away_without_blaming_the_photos(tenant):
    make_waiting(tenant, 3)
    list_lanes().delete()

    run(tenant)

    assert set(Annotation.objects.values_list("state", "faults")) == {("pending", 0)}
    assert list_lanes().get().scheduled_at > timezone.now() + timedelta(seconds=3)


def test_an_answer_that_cannot_be_stored_leaves_the_others(tenant, answers):
    good, other, bad = make_waiting(tenant, 3)
    answers[bad.id] = make_result(confidence=1.5)

    run(tenant)

    states = dict(Annotation.objects.values_list("id", "state"))
    assert states == {good.id: "done", other.id: "done", bad.id: "pending"}
    assert list_own().get().args == {"annotation_id": str(bad.id)}


def test_a_defect_is_left_to_the_photos_own_job(tenant, answers, monkeypatch):
    def fail(**_):
        raise RuntimeError("A defect.")

    (waiting,) = make_waiting(tenant)
    monkeypatch.setattr(recording, "record_results", fail)
    monkeypatch.setattr(recording, "record_failure", fail)
    list_lanes().delete()

    run(tenant)

    waiting.refresh_from_db()
    assert (waiting.state, waiting.faults) == ("pending", 1)
    assert list_own().exists()
    assert not list_lanes().exists()


def test_leaves_the_rows_of_other_shops_alone(tenant, answers):
    mine, foreign = make_waiting(tenant)[0], make_waiting(make_tenant())[0]

    run(tenant)

    states = dict(Annotation.objects.values_list("id", "state"))
    assert states == {mine.id: "done", foreign.id: "pending"}


@pytest.mark.parametrize("status", ["todo", "doing"])
def test_leaves_alone_what_has_a_job_of_its_own(tenant, answers, status):
    jobs.hurry(make_annotation(tenant=tenant, priority=Annotation.Priority.BULK))
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        (worker,) = cursor.fetchone()
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = %s, worker_id = %s", [status, worker]
        )

    run(tenant)

    assert Annotation.objects.get().is_pending


def test_who_waits_for_one_of_them_asks_the_engine_itself(tenant, answers):
    (annotation,) = make_waiting(tenant)
    now = timezone.now()
    until = now + timedelta(seconds=30)

    taken = [jobs.take_turn(annotation.id, until=until, now=now) for _ in range(2)]
    run(tenant)

    assert taken == [True, False]
    assert Annotation.objects.get().is_pending
    assert jobs.take_up(now=until) == 1
    assert list_own().get().args == {"annotation_id": str(annotation.id)}


def test_a_sweep_wakes_the_lanes_of_shops_whose_job_was_lost(tenant):
    make_waiting(tenant)
    list_lanes().delete()

    tasks.sweep_shops(timestamp=int(timezone.now().timestamp()))
    tasks.sweep_shops(timestamp=int(timezone.now().timestamp()))

    assert list_lanes().get().args == {"tenant_id": str(tenant.id)}


def test_comes_again_for_what_its_turn_left(tenant, answers, monkeypatch):
    make_waiting(tenant)
    list_lanes().delete()
    monkeypatch.setattr(bulk_lane, "TURN_S", 0)

    run(tenant)

    assert Annotation.objects.get().is_pending
    assert list_lanes().count() == 1


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_with_a_killed_worker(answers, run_jobs):
    """Its job is given to another one, which finds what waits in the rows."""
    tenant = make_tenant()
    first, second = make_waiting(tenant, 2)
    recording.record_result(annotation=first, result=make_result(), now=timezone.now())
    with connection.cursor() as cursor:  # as a worker leaves it that is killed in its turn
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat)"
            " VALUES (now() - interval '1 minute') RETURNING id"
        )
        worker = cursor.fetchone()
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", worker)
    (more,) = make_waiting(tenant)  # comes meanwhile, and waits for that job's lock

    asyncio.run(requeue())
    run_jobs()

    states = dict(Annotation.objects.values_list("id", "state"))
    assert states == {first.id: "done", second.id: "done", more.id: "done"}
    assert not list_lanes().filter(status="todo").exists()


@pytest.mark.django_db(transaction=True)
def test_lanes_of_two_shops_work_at_once(answers, run_jobs):
    shops = [make_tenant(), make_tenant()]
    for shop in shops:
        make_waiting(shop, 3)

    run_jobs()

    for shop in shops:
        assert list(shop.annotations.values_list("state", flat=True)) == ["done"] * 3
