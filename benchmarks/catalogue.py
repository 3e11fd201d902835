"""Import, annotation and index of a ZIP of photos by a running house, against its bare engine.

    DJANGO_SETTINGS_MODULE=kalas.settings python -m benchmarks.catalogue PHOTOS 1000

PHOTOS is a folder or a parquet file. Uploads the ZIP into a shop of its own and waits until the
house's jobs have made a product of each photo, annotated it and put it into the search index; the
shop is removed afterwards. The bare engine gets the same photos from as many clients as jobs run at
once. Repeated in turns, medians.

With `--processes PID…` (of `make up`) it also prints the processor time of a photo by part of the
house, and how much of it the bare engine takes: the ratio that is reached where all cores are busy.
All counts: also what the house takes when it does nothing, and this program's asking whether it is
done. With `--engine-cores 1` as well, the engine runs on these cores, bare or not, all else on the
others.
"""

import argparse
import itertools
import statistics
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from operator import truediv
from pathlib import Path
from uuid import uuid4

import django
import psutil
import pyarrow.parquet as pq

django.setup()

from django.conf import settings  # noqa: E402
from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: E402
from django.utils import timezone  # noqa: E402
from procrastinate.contrib.django.models import ProcrastinateJob  # noqa: E402

from accounts.models import Tenant, User  # noqa: E402
from accounts.services import create_shop  # noqa: E402
from annotations.models import Annotation  # noqa: E402
from benchmarks.asking import annotate_patiently  # noqa: E402
from benchmarks.processes import add_options, find_house, kept_apart, read_cpu_s  # noqa: E402
from inference.client import Client  # noqa: E402
from retrieval.jobs import COMPARE_TASK  # noqa: E402
from retrieval.models import CatalogueImport, Embedding  # noqa: E402
from retrieval.services import imports  # noqa: E402

ROUNDS = 3
CLIENTS = 8
LONGEST_S = 1200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("number", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    add_options(parser)
    asked = parser.parse_args()
    house = find_house(asked.processes)
    if asked.engine_cores and not house:
        parser.error("--engine-cores needs --processes, to know which of them is the engine.")
    with kept_apart(house, asked.engine_cores):
        measure(read_photos(asked.photos, asked.number), asked.rounds, house)


def measure(photos: list[bytes], rounds: int, house: Sequence[psutil.Process]) -> None:
    number, archive = len(photos), pack(photos)
    bare, whole, bare_cpu, whole_cpu = [], [], [], []
    for _ in range(rounds):
        before = read_cpu_s(house)
        bare.append(number / annotate(photos))
        bare_cpu.append(read_cpu_s(house)["engine"] - before["engine"])
        seconds, indexed, spent = bring_in(archive, house)
        whole.append(number / seconds)
        whole_cpu.append(spent)
        print(f"engine {bare[-1]:6.1f}/s   catalogue {whole[-1]:6.1f}/s   {indexed} in the index")
    print(
        f"{number} photos, medians of {rounds}: engine {statistics.median(bare):.1f}/s,"
        f" import + annotate + index {statistics.median(whole):.1f}/s,"
        f" ratio {_find_ratio(whole, bare):.2f}"
    )
    if house:
        parts = {part: statistics.median(spent[part] for spent in whole_cpu) for part in spent}
        each = ", ".join(f"{part} {s * 1000 / number:.1f}" for part, s in parts.items() if s)
        ratio = _find_ratio(bare_cpu, [spent.total() for spent in whole_cpu])
        print(
            f"ms of processor time a photo: bare engine"
            f" {statistics.median(bare_cpu) * 1000 / number:.1f}; whole house {each};"
            f" ratio {ratio:.2f}"
        )


def _find_ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """The median of the rounds'."""
    return statistics.median(map(truediv, values, others))


def read_photos(path: Path, number: int) -> list[bytes]:
    """So many different files; a folder's photos come again with other bytes after their end."""
    if path.is_dir():
        files = [file.read_bytes() for file in sorted(path.glob("*.jpg"))]
        again = itertools.islice(itertools.cycle(files), number)
        return [photo + str(i).encode() for i, photo in enumerate(again)]
    batch = next(pq.ParquetFile(path).iter_batches(batch_size=number, columns=["image"]))
    return [row["image"] for row in batch.to_pylist()]


def annotate(photos: list[bytes]) -> float:
    """Seconds of the bare engine."""
    ask = partial(annotate_patiently, Client(settings.INFERENCE_URL))
    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, photos))
    return time.perf_counter() - start


def bring_in(archive: bytes, house: Sequence[psutil.Process]) -> tuple[float, int, Counter[str]]:
    """Seconds from the start of the import until the last photo is in, how many are found, and the
    house's processor time, of comparing the photos with each other as well."""
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
        before, start = read_cpu_s(house), time.perf_counter()
        imports.start_import(tenant=tenant, import_id=run.id)
        # The same photo twice is annotated once.
        waiting = Annotation.objects.for_tenant(tenant).filter(state="pending")
        wait(
            lambda: CatalogueImport.objects.get(id=run.id).state == "done" and not waiting.exists(),
            "is annotated",
        )
        seconds = time.perf_counter() - start
        comparing = ProcrastinateJob.objects.filter(task_name=COMPARE_TASK, status="todo")
        wait(lambda: not comparing.exists(), "is compared")
        spent = read_cpu_s(house)
        spent.subtract(before)
        return seconds, Embedding.objects.for_tenant(tenant).count(), spent
    finally:
        Tenant.objects.get(id=tenant.id).delete()
        user.delete()


def wait(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"Not within {LONGEST_S} s: the import {what}")
        time.sleep(0.5)  # what asking costs is counted as the house's


def pack(photos: list[bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, photo in enumerate(photos):
            archive.writestr(f"SKU-{number}/1.jpg", photo)
    return out.getvalue()


if __name__ == "__main__":
    main()
