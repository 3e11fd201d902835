"""Where the processor time of an imported photo goes: Python, its server process, statements.

    DJANGO_SETTINGS_MODULE=kalas.settings python -m benchmarks.stages annotations/demo_photos 64

Does the jobs' work in this process, one stage after the other, in a shop of its own that is
removed afterwards. Needs a migrated database and an engine (`manage.py run_inference`), and no jobs
process: that would do the work itself. The engine is not counted, what asking it costs here is.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
import psutil

django.setup()

from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from procrastinate.contrib.django.models import ProcrastinateJob  # noqa: E402

from accounts.models import Tenant  # noqa: E402
from annotations import tasks  # noqa: E402
from annotations.models import Annotation  # noqa: E402
from benchmarks.catalogue import pack, read_photos  # noqa: E402
from retrieval.jobs import COMPARE_TASK  # noqa: E402
from retrieval.models import Embedding  # noqa: E402
from retrieval.services import duplicates, imports  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("number", type=int)
    asked = parser.parse_args()
    tenant = Tenant.objects.create(name="Benchmark of stages")
    try:
        run = imports.begin_import(
            tenant=tenant,
            upload=SimpleUploadedFile("photos.zip", pack(read_photos(asked.photos, asked.number))),
            requested_by=None,
            now=timezone.now(),
        )
        imports.run_import(import_id=run.id, clock=timezone.now)
        imports.start_import(tenant=tenant, import_id=run.id)
        print(f"{'ms a photo':12} {'Python':>7} {'server':>7} {'statements':>11}")
        for name, stage in (("import", bring_in), ("annotate", annotate), ("compare", compare)):
            with counted(name, asked.number):
                stage(tenant)
        print(f"{Embedding.objects.for_tenant(tenant).count()} in the index")
    finally:
        tenant.delete()


def bring_in(tenant: Tenant) -> None:
    run = tenant.imports.get()
    while run.is_working:
        imports.run_import(import_id=run.id, clock=timezone.now)
        run.refresh_from_db()


def annotate(tenant: Tenant) -> None:
    while Annotation.objects.for_tenant(tenant).pending().exists():
        tasks.annotate_shop(tenant_id=str(tenant.id))


def compare(tenant: Tenant) -> None:
    for job in ProcrastinateJob.objects.filter(task_name=COMPARE_TASK, status="todo"):
        duplicates.compare_photos(
            product_image_ids=job.args["product_image_ids"], now=timezone.now()
        )


@contextmanager
def counted(name: str, number: int) -> Iterator[None]:
    server = psutil.Process(connection.connection.info.backend_pid)
    statements = 0

    def count(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*arguments)

    before, server_before = time.process_time(), sum(server.cpu_times()[:2])
    with connection.execute_wrapper(count):
        yield
    spent, of_server = time.process_time() - before, sum(server.cpu_times()[:2]) - server_before
    print(
        f"{name:12} {spent * 1000 / number:7.1f} {of_server * 1000 / number:7.1f}"
        f" {statements / number:11.1f}"
    )


if __name__ == "__main__":
    main()
