"""Reviewed photos as a training set: of shops that consented, as their people left them.

A set is written anew each time and put in place of the old one as a whole, so that photos that
were deleted since, and shops that no longer consent, are not in it any more. Photos of equal bytes
are always in the same split.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from accounts.models import Tenant
from annotations import files, selectors
from annotations.models import Annotation, Garment, Review, ReviewSettings
from annotations.reviewing.outcomes import NOTHING
from inference import taxonomy

VAL_PERCENT = 10
BATCH = 64
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("sha256", pa.string()),
        ("shop", pa.string()),
        ("object", pa.string()),
        ("category", pa.string()),
        ("box", pa.list_(pa.int32())),
        ("primary", pa.bool_()),
        ("attributes", pa.map_(pa.string(), pa.string())),
        ("colours", pa.list_(pa.string())),
        ("model", pa.string()),
        ("model_said", pa.string()),
        ("reviews", pa.list_(pa.string())),
        ("reviewed_at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class Counted:
    """What was written; `missing` are photos whose file is gone."""

    photos: int
    garments: int
    shops: int
    missing: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A reviewed photo; `garments` is empty where there is none on it."""

    annotation: Annotation
    data: bytes
    garments: list[Garment]
    reviews: list[Review]

    @property
    def split(self) -> str:
        digest = hashlib.sha256(self.annotation.image.sha256.encode()).digest()
        return "val" if int.from_bytes(digest[:4]) % 100 < VAL_PERCENT else "train"


def list_consenting(*, tenant: Tenant | None = None) -> list[Tenant]:
    consents = ReviewSettings.objects.filter(training_consent=True).select_related("tenant")
    if tenant is not None:
        consents = consents.filter(tenant=tenant)
    return [settings.tenant for settings in consents.order_by("tenant__created_at", "tenant_id")]


def list_samples(*, tenant: Tenant, since: datetime | None = None) -> Iterator[Sample | None]:
    """The newest reviewed annotation of each whole photo; None for one whose file is gone.

    What was called a bad photo teaches nothing and is left out.
    """
    rows = Annotation.objects.for_tenant(tenant).filter(crop__isnull=True)
    rows = rows.filter(reviewed_at__isnull=False).exclude(abstained="unreadable")
    if since:
        rows = rows.filter(reviewed_at__gte=since)
    newest = rows.order_by("image_id", "-reviewed_at", "-created_at").distinct("image_id")
    ids = list(newest.values_list("id", flat=True))
    for start in range(0, len(ids), BATCH):
        found = selectors.with_everything(rows.filter(id__in=ids[start : start + BATCH]))
        reviews = Review.objects.filter(annotation__in=found, kind=Review.Kind.REVIEW)
        by_annotation: dict[Any, list[Review]] = {}
        for review in reviews.filter(undone_by=None).order_by("version"):
            by_annotation.setdefault(review.annotation_id, []).append(review)
        for annotation in found:
            try:
                data = files.read_photo(annotation.image)
            except FileNotFoundError:
                yield None
                continue
            garments = list(annotation.garments.all())
            yield Sample(annotation, data, garments, by_annotation.get(annotation.id, []))


def write_parquet(*, folder: Path, tenants: list[Tenant], since: datetime | None) -> Counted:
    """`reviews-train.parquet` and `reviews-val.parquet`: a row for each garment, and one for a
    photo without any (category not-a-garment)."""
    paths = {split: folder / f"reviews-{split}.parquet" for split in ("train", "val")}
    writers = {
        split: pq.ParquetWriter(_beside(path), SCHEMA, compression="zstd")
        for split, path in paths.items()
    }
    waiting: dict[str, list[dict[str, Any]]] = {split: [] for split in paths}

    def flush(split: str) -> None:
        table = pa.Table.from_pylist(waiting[split], schema=SCHEMA)
        writers[split].write_table(table)
        waiting[split] = []

    def write(sample: Sample) -> None:
        waiting[sample.split] += list(_list_rows(sample))
        if len(waiting[sample.split]) >= BATCH:
            flush(sample.split)

    try:
        counted = _write_all(tenants, since, write)
        for split in paths:
            flush(split)
    finally:
        for writer in writers.values():
            writer.close()
    for path in paths.values():
        _beside(path).replace(path)
    return counted


def write_csv(*, folder: Path, tenants: list[Tenant], since: datetime | None) -> Counted:
    """`reviews.csv`, without the photos themselves."""
    path = folder / "reviews.csv"
    columns = [name for name in SCHEMA.names if name != "image"]
    with _beside(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["split", *columns])
        writer.writeheader()

        def write(sample: Sample) -> None:
            for row in _list_rows(sample):
                flat = {name: _flatten(row[name]) for name in columns}
                writer.writerow({"split": sample.split, **flat})

        counted = _write_all(tenants, since, write)
    _beside(path).replace(path)
    return counted


def write_coco(*, folder: Path, tenants: list[Tenant], since: datetime | None) -> Counted:
    """`reviews.coco.json` and the photos in `images/`; photos that left the set are deleted."""
    known = taxonomy.load()
    numbers = {category.name: i for i, category in enumerate(known.categories, 1)}
    described: dict[str, Any] = {
        "info": {"description": "Reviewed photos of Kalas", "taxonomy": known.version},
        "categories": [
            {"id": number, "name": name, "supercategory": known.category(name).object_type}
            for name, number in numbers.items()
        ],
        "images": [],
        "annotations": [],
    }
    images = folder / "images"
    images.mkdir(exist_ok=True)
    kept: set[str] = set()

    def write(sample: Sample) -> None:
        image = sample.annotation.image
        name = f"{image.sha256}{Path(str(image.file.name)).suffix}"
        if name not in kept:
            (images / name).write_bytes(sample.data)
            kept.add(name)
        image_id = len(described["images"]) + 1
        described["images"].append(
            {
                "id": image_id,
                "file_name": f"images/{name}",
                "width": image.width,
                "height": image.height,
                "split": sample.split,
            }
        )
        for garment in sample.garments:
            box = garment.box
            if garment.category not in numbers:
                continue
            described["annotations"].append(
                {
                    "id": len(described["annotations"]) + 1,
                    "image_id": image_id,
                    "category_id": numbers[garment.category],
                    "bbox": [box.left, box.top, box.width, box.height],
                    "area": box.width * box.height,
                    "iscrowd": 0,
                    "attributes": {x.key: x.name for x in garment.labels.all()},
                }
            )

    counted = _write_all(tenants, since, write)
    path = folder / "reviews.coco.json"
    _beside(path).write_text(json.dumps(described))
    _beside(path).replace(path)
    for file in images.iterdir():
        if file.name not in kept:
            file.unlink()
    return counted


WRITERS: dict[str, Callable[..., Counted]] = {
    "parquet": write_parquet,
    "coco": write_coco,
    "csv": write_csv,
}


def _write_all(
    tenants: list[Tenant], since: datetime | None, write: Callable[[Sample], None]
) -> Counted:
    photos = garments = missing = 0
    for tenant in tenants:
        for sample in list_samples(tenant=tenant, since=since):
            if sample is None:
                missing += 1
                continue
            write(sample)
            photos += 1
            garments += len(sample.garments)
    return Counted(photos, garments, len(tenants), missing)


def _list_rows(sample: Sample) -> Iterator[dict[str, Any]]:
    annotation, image = sample.annotation, sample.annotation.image
    first = sample.reviews[0].before.get("garments", []) if sample.reviews else []
    said = {garment["id"]: garment["category"] for garment in first}
    shared = {
        "image": sample.data,
        "width": image.width,
        "height": image.height,
        "sha256": image.sha256,
        "shop": str(annotation.tenant_id),
        "model": f"{annotation.model_name} {annotation.model_version}".strip(),
        "reviews": [str(review.id) for review in sample.reviews],
        "reviewed_at": annotation.reviewed_at,
    }
    for garment in sample.garments:
        yield shared | {
            "id": str(garment.id),
            "object": garment.object_type,
            "category": garment.category,
            "box": list(garment.box.as_tuple()),
            "primary": garment.primary,
            "attributes": {x.key: x.name for x in garment.labels.all()},
            "colours": [x.name for x in garment.colours.all()],
            "model_said": said.get(str(garment.id), ""),
        }
    if not sample.garments:
        yield shared | {
            "id": str(annotation.id),
            "object": "",
            "category": NOTHING,
            "box": [0, 0, image.width, image.height],
            "primary": True,
            "attributes": {},
            "colours": [],
            "model_said": next(iter(said.values()), ""),
        }


def _flatten(value: Any) -> Any:
    if isinstance(value, dict):
        return " ".join(f"{key}:{name}" for key, name in value.items())
    return " ".join(str(each) for each in value) if isinstance(value, list) else value


def _beside(path: Path) -> Path:
    """Where a file is written before it takes its place."""
    return path.with_name(f".{path.name}.part")
