"""Photo → similar items over the API of a running house, in a shop of many products.

    DJANGO_SETTINGS_MODULE=kalas.settings \\
        python -m benchmarks.similar http://127.0.0.1:8000 PHOTOS.parquet 50000 [--keep]

Makes a shop of its own in the house's database, with the vectors of the file's photos as
`benchmarks.search` grows them, asks one question after another, and removes the shop; with `--keep`
it stays for the next run, which takes it as it is. Beside it the engine alone, the search without
HTTP, and words.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import django
import httpx
import numpy as np
import pyarrow.parquet as pq

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connections, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts import keys  # noqa: E402
from accounts.models import Membership, Scope, Tenant, User  # noqa: E402
from accounts.services import create_shop  # noqa: E402
from annotations.models import Annotation, Colour, FashionImage, Garment, Label  # noqa: E402
from benchmarks.search import embed_photos, grow  # noqa: E402
from inference.client import Client  # noqa: E402
from retrieval import nearest, similar, wanting  # noqa: E402
from retrieval.models import (  # noqa: E402
    ActiveIndex,
    Embedding,
    IndexVersion,
    Product,
    ProductImage,
)
from retrieval.services.calibration import calibrate  # noqa: E402

ASKED = 60
PART = 2_000
SHOP = "Benchmark of searches"
CATEGORIES = ("t-shirt", "shirt", "jeans", "dress", "sneakers")
COLOURS = ("red", "navy-blue", "white", "black")
PATTERNS = ("plain", "striped", "checked")


def main() -> None:
    host, path, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    real = embed_photos(path)
    rows = grow(real, size, np.random.default_rng(1))
    photos = read_photos(path)
    engine = Client(settings.INFERENCE_URL)
    model = engine.health().model
    assert model is not None
    keep = "--keep" in sys.argv[4:]
    with shop_of(rows, model.name, model.version, keep=keep) as (tenant, token):
        index = IndexVersion.objects.get(tenant=tenant)
        results = [engine.annotate(photo) for photo in photos]
        wanted = [found for each in results if (found := wanting.want_found(each))]
        http = httpx.Client(base_url=host, timeout=60, trust_env=False)
        http.headers["Authorization"] = f"Bearer {token}"

        def ask_photo(photo: bytes) -> None:
            answer = http.post("/api/v1/search/similar", files={"image": ("photo.jpg", photo)})
            answer.raise_for_status()

        def ask_words(text: str) -> None:
            http.get("/api/v1/search/text", params={"q": text}).raise_for_status()

        texts = [f"{colour} {name}" for colour in COLOURS for name in CATEGORIES]
        print(f"{size} products, {len(photos)} questions, one after another: p50, p90 in ms")
        show("photo → similar items, over HTTP", ask_photo, photos)
        show("  the engine alone", engine.annotate, photos)
        show(
            "  the search alone",
            lambda each: similar.find_similar(tenant=tenant, wanted=each, limit=20),
            wanted,
        )
        nearest.EXACT_UP_TO = size if size > nearest.EXACT_UP_TO else 0
        show(
            "  the same the other way (graph or all)",
            lambda each: nearest.find_nearest(index=index, wanted=each, limit=20),
            wanted,
        )
        show("words, over HTTP", ask_words, texts)
        show("suggestions, over HTTP", lambda text: http.get(
            "/api/v1/search/suggest", params={"q": text}
        ).raise_for_status(), [text[:n] for text in texts for n in (1, 2, 5)])  # fmt: skip


def show(what: str, ask: Callable[[Any], object], questions: Sequence[Any]) -> None:
    ask(questions[0])
    times = []
    for question in questions:
        start = time.perf_counter()
        ask(question)
        times.append((time.perf_counter() - start) * 1000)
    p90 = statistics.quantiles(times, n=10)[-1]
    print(f"{what:<42} {statistics.median(times):8.1f} {p90:8.1f}", flush=True)


def read_photos(path: Path) -> list[bytes]:
    table = pq.ParquetFile(path).iter_batches(batch_size=ASKED, columns=["image"])
    return [row["image"] for row in next(table).to_pylist()]


@contextmanager
def shop_of(
    rows: np.ndarray, name: str, version: str, *, keep: bool
) -> Iterator[tuple[Tenant, str]]:
    """A shop with a product of one photo for each vector, and a key to it; gone afterwards, unless
    it is to be kept."""
    now = timezone.now()
    tenant = find_kept(len(rows)) or make_shop(rows, name, version)
    member = Membership.objects.select_related("user").get(tenant=tenant)
    try:
        new = keys.create_key(
            tenant=tenant, by=member, name="benchmark", scopes=[Scope.SEARCH], now=now
        )
        yield tenant, new.token
    finally:
        if not keep:
            remove(tenant.id)
            member.user.delete()


def find_kept(size: int) -> Tenant | None:
    for tenant in Tenant.objects.filter(name=SHOP):
        if Product.objects.for_tenant(tenant).count() == size:
            return tenant
    return None


def make_shop(rows: np.ndarray, name: str, version: str) -> Tenant:
    now = timezone.now()
    user = User.objects.create_user(f"{uuid4()}@benchmark.example", uuid4().hex)
    tenant = create_shop(name=SHOP, owner=user, now=now).tenant
    index = IndexVersion.objects.create(
        tenant=tenant, model_name=name, model_version=version, state="ready", ready_at=now
    )
    ActiveIndex.objects.create(tenant=tenant, index=index)
    for start in range(0, len(rows), PART):
        add_products(tenant, index, rows[start : start + PART], start)
    calibrate(index=index)
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE")
    return tenant


def add_products(tenant: Tenant, index: IndexVersion, rows: np.ndarray, first: int) -> None:
    images, annotations, garments, products, photos, embeddings = [], [], [], [], [], []
    labels, colours = [], []
    for number, row in enumerate(rows, start=first):
        category, colour = CATEGORIES[number % 5], COLOURS[number % 4]
        pattern = PATTERNS[number % 3]
        image = FashionImage(
            tenant=tenant, file="none.jpg", thumbnail="none.jpg", name=f"{number}.jpg",
            sha256=uuid4().hex * 2, upload_sha256=uuid4().hex * 2, width=60, height=80, bytes=1,
        )  # fmt: skip
        annotation = Annotation(
            tenant=tenant, image=image, state="done", model_name=index.model_name,
            model_version=index.model_version, taxonomy="kalas-1", finished_at=timezone.now(),
        )  # fmt: skip
        garment = Garment(
            annotation=annotation, object_type="upper-body", confidence=0.9, primary=True,
            left=5, top=5, right=55, bottom=75, category=category, category_confidence=0.9,
            embedding=row.tolist(),
        )  # fmt: skip
        product = Product(
            tenant=tenant, external_id=f"B-{number}", title=f"{category} {number}",
            state="annotated", garment=garment, object_type="upper-body", category=category,
            confidence=0.9, colours=[colour], label_words=f"{category}; {colour}; {pattern}",
        )  # fmt: skip
        photo = ProductImage(
            tenant=tenant, product=product, image=image, state="stored", verdict="best",
            garment=garment,
        )  # fmt: skip
        embeddings.append(
            Embedding(tenant=tenant, index=index, photo=photo, garment=garment, vector=row.tolist())
        )
        labels.append(Label(garment=garment, key="pattern", name=pattern, confidence=0.9))
        colours.append(Colour(garment=garment, position=0, name=colour, hex="#cc2222", share=1.0))
        images.append(image)
        annotations.append(annotation)
        garments.append(garment)
        products.append(product)
        photos.append(photo)
    # At once, as the jobs would complete an index that lacks something.
    with transaction.atomic():
        write(images, annotations, garments, labels, colours, products, photos, embeddings)


def write(*kinds: list[Any]) -> None:
    for rows in kinds:
        type(rows[0]).objects.bulk_create(rows)


def remove(tenant_id: UUID) -> None:
    """Table by table: Django would read all rows first."""
    mine = {"tenant_id": tenant_id}
    garments = Garment.objects.filter(annotation__tenant_id=tenant_id)
    for rows in (
        Embedding.objects.filter(**mine),
        ProductImage.objects.filter(**mine),
        Product.objects.filter(**mine),
        Label.objects.filter(garment__in=garments),
        Colour.objects.filter(garment__in=garments),
        garments,
        Annotation.objects.filter(**mine),
        FashionImage.objects.filter(**mine),
    ):
        rows._raw_delete(rows.db)
    Tenant.objects.get(id=tenant_id).delete()


if __name__ == "__main__":
    main()
