"""Minimal products for tests."""

from itertools import count
from pathlib import Path

from django.utils import timezone

from accounts.models import Tenant
from annotations import photos as annotation_photos
from annotations.tests.factories import make_done_annotation, make_photo_bytes
from inference.contract import AnnotationResult
from retrieval.models import NearDuplicate, Product, ProductImage
from retrieval.services import photos, products

DEMO_PHOTOS = Path(__file__).resolve().parents[2] / "annotations" / "demo_photos"
_numbers = count(1)


def make_product(*, tenant: Tenant, external_id: str = "", **values) -> Product:
    return products.create_product(
        tenant=tenant,
        external_id=external_id or f"SKU-{next(_numbers)}",
        values={"title": "Striped shirt", **values},
        now=timezone.now(),
    )


def add_annotated_photo(
    product: Product, result: AnnotationResult | None = None, **fields
) -> ProductImage:
    annotation = make_done_annotation(tenant=product.tenant, result=result, **fields)
    photo = photos.link_image(
        tenant=product.tenant,
        product_id=product.id,
        image_id=annotation.image_id,
        now=timezone.now(),
    )
    assert photo is not None
    return photo


def add_waiting_photo(product: Product, data: bytes = b"", **fields) -> ProductImage:
    photo = photos.add_photo(
        tenant=product.tenant,
        product_id=product.id,
        photo=annotation_photos.check_photo(data or make_photo_bytes()),
        name="shirt.jpg",
        added_by=None,
        now=timezone.now(),
        **fields,
    )
    assert photo is not None
    return photo


def make_pair(*, tenant: Tenant) -> NearDuplicate:
    """Two products without photos that were found to be nearly the same."""
    first, second = sorted(
        (make_product(tenant=tenant), make_product(tenant=tenant)), key=lambda p: p.id
    )
    return NearDuplicate.objects.create(tenant=tenant, product=first, other=second, distance=3)
