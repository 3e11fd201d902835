"""Imports that hand over, are interrupted, or are large."""

import tracemalloc
from datetime import timedelta

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from annotations.models import Annotation, FashionImage
from annotations.tests.factories import make_photo_bytes
from retrieval.importing import progress, running, zip_photos
from retrieval.jobs import IMPORT_QUEUE, IMPORT_TASK
from retrieval.models import (
    CatalogueImport,
    Product,
)
from retrieval.services import imports
from retrieval.tests.factories import (
    check,
    make_import,
    make_zip,
    many_rows,
    work,
)

State = CatalogueImport.State


def test_photos_in_bulk_hold_up_no_import(tenant):
    run = make_import(tenant=tenant, name="photos.zip", data=make_zip({"a.jpg": b"x"}))

    job = ProcrastinateJob.objects.get(task_name=IMPORT_TASK)
    assert job.args == {"import_id": str(run.id)}
    assert job.queue_name == IMPORT_QUEUE


def test_works_in_parts_that_hand_over(tenant, monkeypatch):
    monkeypatch.setattr(imports, "PART", timedelta(0))
    monkeypatch.setattr(running, "CHUNK", 10)
    run = make_import(tenant=tenant, data=many_rows(35))
    imports.check_import(tenant=tenant, import_id=run.id, mapping=run.mapping, currency="")

    states = []
    while run.state != State.CHECKED:
        imports.run_import(import_id=run.id, clock=timezone.now)
        run.refresh_from_db()
        states.append(run.rows_done)

    assert states == [10, 20, 30, 35, 35]
    assert run.created == 35
    # The first part's job and those that parts deferred for the next ones.
    assert ProcrastinateJob.objects.filter(task_name="retrieval.run_import").count() == 5


class Killed(BaseException):
    """What a process can't catch."""


def test_goes_on_where_it_was_killed(tenant, monkeypatch):
    monkeypatch.setattr(running, "CHUNK", 10)
    run = check(make_import(tenant=tenant, data=many_rows(50)))
    imports.start_import(tenant=tenant, import_id=run.id)
    move_on, moves = progress.move_on, []

    def die_in_the_third(run, **numbers):
        moves.append(numbers)
        if len(moves) == 3:
            raise Killed  # after the rows of the chunk were written, before its commit
        move_on(run, **numbers)

    monkeypatch.setattr(progress, "move_on", die_in_the_third)
    with pytest.raises(Killed):
        work(run)
    monkeypatch.setattr(progress, "move_on", move_on)
    run.refresh_from_db()
    assert (run.rows_done, Product.objects.count()) == (20, 20)

    work(run)

    assert (run.state, run.created, run.rows_done) == (State.DONE, 50, 50)
    assert Product.objects.count() == 50


def test_an_archive_goes_on_where_it_was_killed(tenant, monkeypatch):
    data = make_zip({f"p{i}.png": make_photo_bytes() for i in range(4)})
    run = work(make_import(tenant=tenant, data=data, name="photos.zip"))
    imports.start_import(tenant=tenant, import_id=run.id)
    move_on = progress.move_on

    def die(run, **numbers):
        move_on(run, **numbers)
        if run.photos_done == 4:
            raise Killed  # all of the last two is written, nothing of them is committed

    monkeypatch.setattr(zip_photos, "PHOTOS_AT_ONCE", 2)
    monkeypatch.setattr(progress, "move_on", die)
    with pytest.raises(Killed):
        work(run)
    monkeypatch.setattr(progress, "move_on", move_on)
    run.refresh_from_db()
    assert (run.photos_done, Product.objects.count()) == (2, 2)

    work(run)

    assert (run.state, run.created, run.photos_added) == (State.DONE, 4, 4)
    assert FashionImage.objects.count() == Annotation.objects.count() == 4


def test_two_workers_at_once_do_the_work_once(tenant, monkeypatch):
    monkeypatch.setattr(running, "CHUNK", 10)
    run = check(make_import(tenant=tenant, data=many_rows(20)))
    imports.start_import(tenant=tenant, import_id=run.id)
    stale = CatalogueImport.objects.get(id=run.id)
    work(run)

    with pytest.raises(progress.TakenOver):
        running.run_part(stale, clock=timezone.now, until=timezone.now() + timedelta(hours=1))

    run.refresh_from_db()
    assert (run.state, run.created) == (State.DONE, 20)


def test_ten_times_the_rows_take_no_more_memory(tenant):
    def measure(number: int) -> int:
        Product.objects.all().delete()
        run = make_import(tenant=tenant, data=many_rows(number))
        tracemalloc.start()
        check(run)
        imports.start_import(tenant=tenant, import_id=run.id)
        work(run)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert Product.objects.count() == number
        return peak

    measure(200)  # what is kept for good is made once

    small, large = measure(200), measure(2_000)

    # What grows is the hash of each id, which tells a repeated one: some hundred bytes.
    assert large - small < 1_800 * 500


def test_takes_few_queries_a_chunk(tenant, django_assert_max_num_queries):
    run = check(make_import(tenant=tenant, data=many_rows(100)))
    imports.start_import(tenant=tenant, import_id=run.id)

    with django_assert_max_num_queries(25):
        work(run)
