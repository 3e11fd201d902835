"""The catalogue as a file, written piece by piece: memory holds one page of products."""

import csv
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from io import StringIO
from typing import Any

from accounts.models import Tenant
from annotations.models import FashionImage, Garment
from inference import taxonomy
from kalas.lib.formulas import escape_formula
from retrieval.models import Product
from retrieval.services.judgements import read_newest_annotations

PAGE = 500
# The first nine are what an import reads; the rest tells what Kalas found.
COLUMNS = (
    "external_id", "title", "description", "url", "price", "currency", "stock", "listed", "images",
    "state", "object", "category", "confidence", "colours", "attributes",
)  # fmt: skip


def write_csv(*, tenant: Tenant) -> Iterator[bytes]:
    """Importing it again changes nothing. With a byte order mark, which Excel needs."""
    yield "\ufeff".encode()
    yield _write_row(COLUMNS)
    for products in _read_pages(tenant):
        yield b"".join(_write_row(_build_cells(product)) for product in products)


def write_ndjson(*, tenant: Tenant) -> Iterator[bytes]:
    for products in _read_pages(tenant):
        yield b"".join(
            json.dumps(_build_object(product), ensure_ascii=False).encode() + b"\n"
            for product in products
        )


def write_coco(*, tenant: Tenant) -> Iterator[bytes]:
    """COCO detection: the photos of the products and the garments on them, boxes as x, y, w, h."""
    categories = {c.name: i for i, c in enumerate(taxonomy.load().categories, start=1)}
    # 0 is what an older taxonomy named and this one does not.
    kinds = [
        {"id": 0, "name": "unknown", "supercategory": "unknown"},
        *(
            {"id": i, "name": c.name, "supercategory": c.object_type}
            for i, c in enumerate(taxonomy.load().categories, start=1)
        ),
    ]
    info = {"description": tenant.name, "version": taxonomy.load().version}
    yield f'{{"info":{json.dumps(info)},"categories":{json.dumps(kinds)},"images":['.encode()
    yield from _join(_describe_image(number, image) for number, image in _read_images(tenant))
    yield b'],"annotations":['
    yield from _join(_read_boxes(tenant, categories))
    yield b"]}"


def _write_row(cells: Sequence[str]) -> bytes:
    out = StringIO()
    csv.writer(out).writerow([escape_formula(cell) for cell in cells])
    return out.getvalue().encode()


def _build_cells(product: Product) -> list[str]:
    found = _build_object(product)
    return [
        "|".join(value) if isinstance(value, list) else _to_text(value)
        for value in (found[name] for name in COLUMNS)
    ]


def _build_object(product: Product) -> dict[str, Any]:
    labels = product.garment.labels.all() if product.garment else ()
    return {
        "external_id": product.external_id,
        "title": product.title,
        "description": product.description,
        "url": product.url,
        "price": None if product.price is None else f"{Decimal(product.price):.2f}",
        "currency": product.currency,
        "stock": product.stock,
        "listed": "yes" if product.listed else "no",
        "images": [photo.source for photo in _find_addresses(product)],
        "state": product.state,
        "object": product.object_type,
        "category": product.category,
        "confidence": None if product.confidence is None else round(product.confidence, 4),
        "colours": product.colours,
        "attributes": sorted(f"{label.key}:{label.name}" for label in labels),
    }


def _find_addresses(product: Product) -> list[Any]:
    photos = sorted(product.photos.all(), key=lambda photo: (photo.position, photo.created_at))
    return [photo for photo in photos if photo.source.startswith(("http://", "https://"))]


def _to_text(value: object) -> str:
    return "" if value is None else str(value)


def _read_pages(tenant: Tenant) -> Iterator[list[Product]]:
    """By id: what is added or deleted meanwhile disturbs nothing; four queries a page."""
    products = Product.objects.for_tenant(tenant).select_related("garment").order_by("id")
    products = products.prefetch_related("photos", "garment__labels")
    page = list(products[:PAGE])
    while page:
        yield page
        page = list(products.filter(id__gt=page[-1].id)[:PAGE])


def _read_images(tenant: Tenant) -> Iterator[tuple[int, FashionImage]]:
    """The photos of products, numbered."""
    images = FashionImage.objects.for_tenant(tenant).exclude(product_images=None).order_by("id")
    number, page = 0, list(images.distinct()[:PAGE])
    while page:
        for image in page:
            number += 1
            yield number, image
        page = list(images.filter(id__gt=page[-1].id).distinct()[:PAGE])


def _describe_image(number: int, image: FashionImage) -> dict[str, Any]:
    return {
        "id": number,
        "file_name": f"{image.id}.{str(image.file.name).rpartition('.')[2]}",
        "width": image.width,
        "height": image.height,
    }


def _read_boxes(tenant: Tenant, categories: dict[str, int]) -> Iterator[dict[str, Any]]:
    number = 0
    page: list[tuple[int, FashionImage]] = []
    for image in _read_images(tenant):
        page.append(image)
        if len(page) == PAGE:
            for box in _describe_boxes(page, categories, number):
                number += 1
                yield box
            page = []
    yield from _describe_boxes(page, categories, number)


def _describe_boxes(
    page: Sequence[tuple[int, FashionImage]], categories: dict[str, int], number: int
) -> Iterator[dict[str, Any]]:
    newest = read_newest_annotations([image.id for _number, image in page])
    for image_number, image in page:
        annotation = newest.get(image.id)
        for garment in annotation.garments.all() if annotation else ():
            number += 1
            yield _describe_box(number, image_number, garment, categories)


def _describe_box(
    number: int, image_number: int, garment: Garment, categories: dict[str, int]
) -> dict[str, Any]:
    box = garment.box
    return {
        "id": number,
        "image_id": image_number,
        "category_id": categories.get(garment.category, 0),
        "bbox": [box.left, box.top, box.width, box.height],
        "area": box.width * box.height,
        "iscrowd": 0,
        "score": round(garment.category_confidence, 4),
    }


def _join(objects: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for index, each in enumerate(objects):
        yield (b"," if index else b"") + json.dumps(each).encode()
