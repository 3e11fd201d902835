"""Import, annotation and index of a ZIP of photos by a running house, against its bare engine.

    DJANGO_SETTINGS_MODULE=kalas.settings python -m benchmarks.catalogue PHOTOS.parquet 1000

Uploads the ZIP into a shop of its own and waits until the house's jobs have made a product of each
photo, annotated it and put it into the search index; the shop is removed afterwards. The bare
engine gets the same photos from as many clients as jobs run at once. Repeated in turns, medians.
"""

import statistics
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import django
import pyarrow.parquet as pq

django.setup()

from django.conf import settings  # noqa: E402
from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import Tenant, User  # noqa: E402
from accounts.services import create_shop  # noqa: E402
from annotations.models import Annotation  # noqa: E402
from inference.client import Client, Overloaded  # noqa: E402
from retrieval.models import CatalogueImport, Embedding  # noqa: E402
from retrieval.services import imports  # noqa: E402

ROUNDS = 3
CLIENTS = 8
LONGEST_S = 1200


def main() -> None:
    path, number = Path(sys.argv[1]), int(sys.argv[2])
    batch = next(pq.ParquetFile(path).iter_batches(batch_size=number, columns=["image"]))
    photos = [row["image"] for row in batch.to_pylist()]
    archive = pack(photos)
    bare, whole = [], []
    for _ in range(ROUNDS):
        bare.append(number / annotate(photos))
        seconds, indexed = bring_in(archive)
        whole.append(number / seconds)
        print(f"engine {bare[-1]:6.1f}/s   catalogue {whole[-1]:6.1f}/s   {indexed} in the index")
    ratio = statistics.median(w / b for w, b in zip(whole, bare, strict=True))
    print(
        f"{number} photos, medians of {ROUNDS}: engine {statistics.median(bare):.1f}/s,"
        f" import + annotate + index {statistics.median(whole):.1f}/s, ratio {ratio:.2f}"
    )


def annotate(photos: list[bytes]) -> float:
    """Seconds of the bare engine."""
    client = Client(settings.INFERENCE_URL)

    def ask(photo: bytes) -> None:
        while True:
            try:
                client.annotate(photo)
                return
            except Overloaded:
                time.sleep(0.05)

    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, photos))
    return time.perf_counter() - start


def bring_in(archive: bytes) -> tuple[float, int]:
    """Seconds from the start of the import until the last photo is in, and how many are found."""
    user = User.objects.create_user(f"{uuid4()}@benchmark.example", uuid4().hex)
    tenant = create_shop(name="Benchmark of imports", owner=user, now=timezone.now()).tenant
    try:
        run = imports.begin_import(
            tenant=tenant,
            upload=SimpleUploadedFile("photos.zip", archive),
            requested_by=None,
            now=timezone.now(),
        )
        if run.state == CatalogueImport.State.MAPPING:
            imports.check_import(tenant=tenant, import_id=run.id, mapping=run.mapping, currency="")
        wait(lambda: CatalogueImport.objects.get(id=run.id).state == "checked", "is checked")
        start = time.perf_counter()
        imports.start_import(tenant=tenant, import_id=run.id)
        # The same photo twice is annotated once.
        waiting = Annotation.objects.for_tenant(tenant).filter(state="pending")
        wait(
            lambda: CatalogueImport.objects.get(id=run.id).state == "done" and not waiting.exists(),
            "is annotated",
        )
        return time.perf_counter() - start, Embedding.objects.for_tenant(tenant).count()
    finally:
        Tenant.objects.get(id=tenant.id).delete()
        user.delete()


def wait(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"Not within {LONGEST_S} s: the import {what}")
        time.sleep(0.1)


def pack(photos: list[bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, photo in enumerate(photos):
            archive.writestr(f"SKU-{number}/1.jpg", photo)
    return out.getvalue()


if __name__ == "__main__":
    main()
