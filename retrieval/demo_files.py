"""Thousands of products from a file of photos, for trying and measuring."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
from django.db import transaction

from accounts.models import Tenant
from annotations import photos as annotation_photos
from retrieval.models import Product
from retrieval.services import photos, products

_ROWS = 200
_TITLES = ("display_name", "title", "label", "tags")


@dataclass(slots=True)
class Loaded:
    products: int = 0
    known: int = 0
    refused: int = 0


def load_catalogue(
    *, tenant: Tenant, path: Path, now: datetime, most: int | None = None
) -> Iterator[Loaded]:
    """Make a product of each row of a Parquet file with `id` and `image` (encoded bytes).

    Says how far it is after each few rows. What is there is not made again, so that it can be
    stopped and go on. Raises OSError and ValueError for a file that is none.
    """
    done = Loaded()
    file = pyarrow.parquet.ParquetFile(path)
    names = set(file.schema_arrow.names)
    if not {"id", "image"} <= names:
        raise ValueError("The file needs the columns id and image.")
    title = next((name for name in _TITLES if name in names), "")
    columns = ["id", "image", *([title] if title else [])]
    for batch in file.iter_batches(batch_size=_ROWS, columns=columns):
        rows = batch.to_pylist()
        left = len(rows) if most is None else most - done.products - done.known - done.refused
        if left <= 0:
            return
        _add_rows(tenant, rows[:left], title, prefix=path.stem, done=done, now=now)
        yield done


def _add_rows(
    tenant: Tenant,
    rows: list[dict[str, Any]],
    title: str,
    *,
    prefix: str,
    done: Loaded,
    now: datetime,
) -> None:
    ids = {f"{prefix}-{row['id']}": row for row in rows}
    mine = Product.objects.for_tenant(tenant)
    known = set(mine.filter(external_id__in=ids).values_list("external_id", flat=True))
    done.known += len(known)
    for external_id, row in ids.items():
        if external_id in known:
            continue
        try:
            photo, measures = photos.check_and_measure(row["image"])
        except annotation_photos.PhotoRefused:
            done.refused += 1
            continue
        # Together: a product that is there is not looked at again, so it must have its photo.
        with transaction.atomic():
            product = products.create_product(
                tenant=tenant,
                external_id=external_id,
                values={"title": str(row[title] or "")[:500] if title else ""},
                now=now,
            )
            photos.add_photo(
                tenant=tenant,
                product_id=product.id,
                photo=photo,
                measures=measures,
                name=f"{external_id}.jpg",
                added_by=None,
                now=now,
                counts=False,
            )
        done.products += 1
