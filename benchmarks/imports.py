"""Import of a CSV with many products: rows a second and the memory of the process.

    DJANGO_SETTINGS_MODULE=kalas.settings python -m benchmarks.imports 1000 10000 50000

Needs a migrated database (`manage.py up`, or `setup_database` and `migrate`); makes a shop of its
own and removes it.
"""

import sys
import time
from pathlib import Path

import django
from django.utils import timezone

django.setup()

from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: E402

from accounts.models import Tenant  # noqa: E402
from retrieval.models import CatalogueImport  # noqa: E402
from retrieval.services import imports  # noqa: E402


def main() -> None:
    tenant = Tenant.objects.create(name="Benchmark of imports")
    try:
        print(f"{'rows':>8} {'check/s':>9} {'import/s':>9} {'again/s':>9} {'RSS MB':>7}")
        measure(tenant, 100)
        for number in map(int, sys.argv[1:]):
            tenant.products.all().delete()
            speeds = [*measure(tenant, number), measure(tenant, number)[1]]
            print(f"{number:8}", *(f"{each:9.0f}" for each in speeds), f"{read_rss_mb():7.1f}")
    finally:
        tenant.delete()


def measure(tenant: Tenant, number: int) -> list[float]:
    """Rows a second, checked and imported."""
    rows = "".join(
        f"SKU-{i},Striped shirt number {i},{i % 900}.90,TRY,{i % 7},A cotton shirt\n"
        for i in range(number)
    )
    run = imports.begin_import(
        tenant=tenant,
        upload=SimpleUploadedFile(
            "products.csv", f"id,title,price,currency,stock,description\n{rows}".encode()
        ),
        requested_by=None,
        now=timezone.now(),
    )
    del rows
    speeds = []
    imports.check_import(tenant=tenant, import_id=run.id, mapping=run.mapping, currency="")
    speeds.append(number / work(run))
    imports.start_import(tenant=tenant, import_id=run.id)
    speeds.append(number / work(run))
    assert run.refused == 0
    return speeds


def work(run: CatalogueImport) -> float:
    """Seconds until it is done, without the jobs process."""
    begin = time.perf_counter()
    run.refresh_from_db()
    while run.is_working:
        imports.run_import(import_id=run.id, clock=timezone.now)
        run.refresh_from_db()
    return time.perf_counter() - begin


def read_rss_mb() -> float:
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line
    )
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
