"""kill -9 of the jobs process in the middle of an import: every row is imported once, and every
photo annotated once."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings

from accounts.tests.factories import make_tenant
from annotations.models import Annotation, Garment
from annotations.tests.factories import make_photo_bytes
from retrieval.models import CatalogueImport, Embedding, Product
from retrieval.services import imports
from retrieval.tests.factories import make_import, make_zip

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(400),
    pytest.mark.django_db(transaction=True),
]
ROWS = 10_000
PHOTOS = 120


@pytest.fixture(autouse=True)
def media() -> None:
    """The place of the settings, as other processes read it too; the import removes its file."""


@contextmanager
def run_jobs_process(**settings_: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "kalas.tests.settings",
        **settings_,
    }
    command = [sys.executable, "manage.py", "run_jobs", "--concurrency", "2"]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(holds: Callable[[CatalogueImport], bool]) -> CatalogueImport:
    end = time.monotonic() + 180
    while not holds(run := CatalogueImport.objects.get()):
        assert time.monotonic() < end, (run.state, run.rows_done, run.photos_done)
        time.sleep(0.02)
    return run


def wait_for_answers(number: int) -> None:
    wait_until(lambda _run: Annotation.objects.filter(state="done").count() >= number)


def wait_for_rows(number: int) -> None:
    wait_until(lambda run: run.rows_done > number)


def test_every_row_is_imported_once_whenever_the_jobs_are_killed():
    tenant = make_tenant()
    rows = "".join(f"SKU-{i},Shirt {i},{i % 90}.50,TRY\n" for i in range(ROWS))
    run = make_import(tenant=tenant, data=f"id,title,price,currency\n{rows}")
    imports.check_import(tenant=tenant, import_id=run.id, mapping=run.mapping, currency="")
    with run_jobs_process():
        wait_for_rows(500)
    with run_jobs_process():
        checked = wait_until(lambda now: now.state == "checked")
    assert (checked.created, checked.rows_total) == (ROWS, ROWS)

    imports.start_import(tenant=tenant, import_id=run.id)
    for rows_done in (500, 3_000, 6_000):
        with run_jobs_process():
            wait_for_rows(rows_done)
    with run_jobs_process():
        done = wait_until(lambda now: now.state == "done")

    assert (done.created, done.changed, done.refused) == (ROWS, 0, 0)
    assert Product.objects.count() == ROWS


def test_every_photo_is_annotated_once_whenever_the_jobs_are_killed(fake_engine):
    tenant = make_tenant()
    data = make_zip({f"SKU-{i}/1.png": make_photo_bytes() for i in range(PHOTOS)})
    make_import(tenant=tenant, data=data, name="photos.zip")
    with run_jobs_process():
        run = wait_until(lambda now: now.state == "checked")

    imports.start_import(tenant=tenant, import_id=run.id)
    for answered in (10, 30, 60, 90):
        with run_jobs_process(INFERENCE_URL=fake_engine.url):
            wait_for_answers(answered)
    with run_jobs_process(INFERENCE_URL=fake_engine.url):
        wait_until(lambda now: now.state == "done")
        wait_for_answers(PHOTOS)

    assert Annotation.objects.count() == Garment.objects.count() == PHOTOS
    assert Embedding.objects.count() == PHOTOS
    assert set(Product.objects.values_list("state", flat=True)) == {"annotated"}
