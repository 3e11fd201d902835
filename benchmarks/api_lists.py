"""Pages of a shop's annotations by the API: how long, and how many queries, by the number of rows.

    python -m benchmarks.api_lists http://127.0.0.1:8000 100 10000

With DJANGO_SETTINGS_MODULE=kalas.settings, against a running house that uses the same database.
Makes a shop of so many annotations, each with two garments, six labels and five colours, which is
gone afterwards. Prints a line of JSON for each number: p50 and p95 of the pages from the newest on,
and p95 of the first page of a filtered list.
"""

import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import django
import httpx

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection, connections  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from accounts import keys  # noqa: E402
from accounts.models import Membership, Role, Scope, Tenant, User  # noqa: E402
from annotations.models import Annotation, Colour, FashionImage, Garment, Label  # noqa: E402

LIST = "/api/v1/annotations/"
FILTERED = f"{LIST}?category=t-shirt&attribute=pattern:striped&state=done"
PAGES = 60
CHUNK = 500


def main() -> None:
    url, *sizes = sys.argv[1:]
    for size in map(int, sizes):
        with shop_of(size) as token:
            headers = {"Authorization": f"Bearer {token}"}
            with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
                pages, filtered = (
                    time_pages(client),
                    [time_page(client, FILTERED)[0] for _ in range(20)],
                )
            report = {
                "rows": size,
                "queries": count_queries(headers),
                "p50_ms": round(statistics.median(pages), 1),
                "p95_ms": round(statistics.quantiles(pages, n=20)[-1], 1),
                "filtered_p95_ms": round(statistics.quantiles(filtered, n=20)[-1], 1),
            }
            print(json.dumps(report), flush=True)


def time_pages(client: httpx.Client) -> list[float]:
    """Milliseconds of each page, from the newest on and again from there."""
    spent, path = [], LIST
    for _ in range(PAGES):
        page_ms, following = time_page(client, path)
        spent.append(page_ms)
        path = following or LIST
    return spent


def time_page(client: httpx.Client, path: str) -> tuple[float, str | None]:
    start = time.perf_counter()
    answer = client.get(path)
    spent = (time.perf_counter() - start) * 1000
    assert answer.status_code == 200, answer.text
    return spent, answer.json()["next"]


def count_queries(headers: dict[str, str]) -> int:
    """Of the list's first page, in this process."""
    client = Client(headers=headers, SERVER_NAME=settings.ALLOWED_HOSTS[0])
    client.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        client.get(LIST)
    return len(queries)


@contextmanager
def shop_of(annotations: int) -> Iterator[str]:
    """A key of a new shop with so many."""
    now = datetime.now(UTC)
    user = User.objects.create_user(f"benchmark-{uuid4().hex}@kalas.example")
    tenant = Tenant.objects.create(name="Benchmark of lists")
    member = Membership.objects.create(tenant=tenant, user=user, role=Role.OWNER)
    try:
        for start in range(0, annotations, CHUNK):
            fill(tenant, range(start, min(start + CHUNK, annotations)), now=now)
        with connections["owner"].cursor() as cursor:  # as the server itself does after a minute
            for model in (FashionImage, Annotation, Garment, Label, Colour):
                cursor.execute(f"ANALYZE {model._meta.db_table}")
        made = keys.create_key(
            tenant=tenant, by=member, name="Benchmark", scopes=[Scope.ANNOTATE], now=now
        )
        yield made.token
    finally:
        for model in (Label, Colour):
            model.objects.filter(garment__annotation__tenant=tenant)._raw_delete("default")
        Garment.objects.filter(annotation__tenant=tenant)._raw_delete("default")
        Annotation.objects.filter(tenant=tenant)._raw_delete("default")
        tenant.delete()
        user.delete()


def fill(tenant: Tenant, numbers: range, *, now: datetime) -> None:
    images = [
        FashionImage(
            tenant=tenant,
            file=f"{tenant.id}/{n}.jpg",
            thumbnail=f"{tenant.id}/{n}.t.jpg",
            name=f"{n}.jpg",
            sha256=f"{n:064x}",
            upload_sha256=f"{n:064x}",
            width=400,
            height=533,
            bytes=30_000,
            created_at=now - timedelta(seconds=n),
        )
        for n in numbers
    ]
    FashionImage.objects.bulk_create(images)
    rows = [
        Annotation(
            tenant=tenant,
            image=image,
            state="done",
            model_name="kalas-mini",
            model_version="2",
            taxonomy="kalas-1",
            timings_ms={"total": 30.0},
            created_at=image.created_at,
            finished_at=image.created_at,
        )
        for image in images
    ]
    Annotation.objects.bulk_create(rows)
    garments = [
        Garment(
            annotation=row,
            object_type=object_type,
            confidence=0.9,
            primary=object_type == "upper-body",
            left=10,
            top=10,
            right=200,
            bottom=300,
            category=category,
            category_confidence=0.8,
            alternatives=[{"name": "top", "confidence": 0.1}],
        )
        for row in rows
        for object_type, category in (("upper-body", "t-shirt"), ("lower-body", "jeans"))
    ]
    Garment.objects.bulk_create(garments)
    Label.objects.bulk_create(
        Label(garment=garment, key=f"key-{k}" if k else "pattern", name="striped", confidence=0.7)
        for garment in garments
        for k in range(6)
    )
    Colour.objects.bulk_create(
        Colour(garment=garment, position=k, name="red", hex="#ff0000", share=0.2)
        for garment in garments
        for k in range(5)
    )


if __name__ == "__main__":
    main()
