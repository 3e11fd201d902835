"""What many shops do at length holds up neither single photos nor each other."""

import asyncio
import threading
import time

import pytest
from django.db import connections
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.tests.factories import make_tenant
from annotations.tests.factories import make_annotation
from kalas.management.commands import run_jobs
from retrieval import jobs
from retrieval.models import Product
from retrieval.services import imports
from retrieval.tests.factories import import_file, make_import

SHOPS = 8


@pytest.fixture
def house(monkeypatch):
    """The jobs process, in a thread; it ends with the test."""
    # Else each of the worker's threads keeps a connection beyond the test.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    cancels: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    def note(workers) -> None:
        loop = asyncio.get_running_loop()
        cancels.extend((loop, worker) for worker in workers)

    monkeypatch.setattr(run_jobs, "_cancel_at_signal", note)
    thread = threading.Thread(target=asyncio.run, args=[run_jobs._run(concurrency=2, wait=True)])
    yield thread.start
    for loop, worker in cancels:
        loop.call_soon_threadsafe(worker.cancel)
    thread.join()


@pytest.mark.django_db(transaction=True)
def test_an_upload_waits_for_none_of_eight_imports(media, fake_engine, house, monkeypatch):
    going, end = threading.Semaphore(0), threading.Event()

    def work(*, import_id, clock):
        going.release()
        end.wait(60)

    monkeypatch.setattr(imports, "run_import", work)
    for _ in range(SHOPS):
        run = make_import(tenant=make_tenant())
        imports.check_import(tenant=run.tenant, import_id=run.id, mapping=run.mapping, currency="")
    house()
    for _ in range(run_jobs.ASIDE[jobs.IMPORT_QUEUE]):
        assert going.acquire(timeout=30)

    annotation = make_annotation(tenant=make_tenant())
    try:
        until = time.monotonic() + 30
        while annotation.is_pending and time.monotonic() < until:
            time.sleep(0.02)
            annotation.refresh_from_db()
    finally:
        end.set()

    assert annotation.state == "done"


@pytest.mark.django_db(transaction=True)
def test_a_shop_with_one_import_waits_for_none_of_anothers_eight(media, house, monkeypatch):
    busy, other = make_tenant(), make_tenant()
    end, real = threading.Event(), imports.run_import

    def work(*, import_id, clock):
        if import_id != last.id:
            end.wait(60)
        real(import_id=import_id, clock=clock)

    monkeypatch.setattr(imports, "run_import", work)
    for tenant in [busy] * SHOPS + [other]:
        last = make_import(tenant=tenant)
        imports.check_import(tenant=tenant, import_id=last.id, mapping=last.mapping, currency="")
    house()
    last.refresh_from_db()
    try:
        until = time.monotonic() + 30
        while last.is_working and time.monotonic() < until:
            time.sleep(0.02)
            last.refresh_from_db()
    finally:
        end.set()

    assert last.state == "checked"


@pytest.mark.django_db
def test_parts_of_imports_take_turns(tenant, media):
    first, second = make_import(tenant=tenant), make_import(tenant=make_tenant())
    for run in (first, second, first):
        jobs.defer_import(run)

    rows = ProcrastinateJob.objects.filter(task_name=jobs.IMPORT_TASK).order_by("-priority", "id")
    assert [job.args["import_id"] for job in rows] == [str(r.id) for r in (first, second, first)]


@pytest.mark.django_db
def test_a_shop_with_many_addresses_does_not_hold_up_one_with_few(tenant, media):
    rows = "".join(f"{n},https://a.example/{n}.jpg\n" for n in range(250))
    import_file(tenant=tenant, data=f"id,image\n{rows}")
    few = make_tenant()
    import_file(tenant=few, data="id,image\n1,https://b.example/1.jpg\n")

    asked = ProcrastinateJob.objects.filter(task_name=jobs.FETCH_TASK).order_by("-priority", "id")
    shops = [
        Product.objects.get(photos=job.args["product_image_id"]).tenant_id for job in asked[:21]
    ]
    assert shops == [tenant.id] * 20 + [few.id]
    assert [job.priority for job in asked][-1] == -12


def test_only_what_people_wait_for_is_in_the_common_queue():
    bulk = {
        jobs.COMPARE_TASK, jobs.DETAILS_TASK, jobs.IMPORT_TASK, jobs.INDEX_TASK, jobs.OUTFIT_TASK,
        jobs.MEASURE_TASK, jobs.MEASURE_MISSING_TASK, jobs.FETCH_TASK, jobs.TEST_TASK,
    }  # fmt: skip
    queues = {app.tasks[name].queue for name in bulk}
    assert queues <= set(run_jobs.ASIDE)
