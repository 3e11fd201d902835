"""What becomes of a product when its photos are annotated, reviewed or deleted."""

from collections.abc import Container, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from annotations import interests
from annotations.models import FashionImage
from annotations.signals import (
    Finished,
    annotation_reviewed,
    annotations_deleted,
    annotations_finished,
)
from annotations.visibility import show_to_searchers
from retrieval import demo
from retrieval.models import Product, ProductImage
from retrieval.services import duplicates, judgements

# What a search answers with are products and their photos.
show_to_searchers(
    Q(product_images__isnull=False), to_shoppers=Q(product_images__product__listed=True)
)


interests.add(
    "products",
    f"EXISTS (SELECT FROM retrieval_productimage WHERE image_id = {interests.PHOTOS})",
)


@receiver(annotations_finished)
def judge_answered(
    *, tenant_id: UUID, finished: Sequence[Finished], concerns: Container[str], **_: Any
) -> None:
    if "products" not in concerns:
        return
    judgements.judge_products_with(
        tenant_id=tenant_id,
        image_ids=[each.annotation.image_id for each in finished],
        newest=[each.annotation for each in finished if each.is_only],
        now=timezone.now(),
    )


@receiver(annotation_reviewed)
def judge_anew(*, tenant_id: UUID, image_id: UUID, **_: Any) -> None:
    judgements.judge_products_with(tenant_id=tenant_id, image_ids=[image_id], now=timezone.now())


@receiver(annotations_deleted)
def hold_products(*, annotation_ids: Sequence[UUID], **_: Any) -> None:
    """All products of the photos that go, in the order in which everybody locks them."""
    products = Product.objects.filter(photos__image__annotations__in=annotation_ids)
    ids = sorted(set(products.values_list("id", flat=True)))
    list(Product.objects.filter(id__in=ids).order_by("id").select_for_update(of=("self",)))


@receiver(post_delete, sender=ProductImage)
def follow_deleted_photo(sender: type[ProductImage], instance: ProductImage, **kwargs: Any) -> None:
    """The product is looked at anew only where the photo itself was deleted: else its service
    does. Where the whole product goes, everything of it does."""
    origin = kwargs.get("origin")
    model = getattr(origin, "model", type(origin))
    if model not in (FashionImage, ProductImage):
        return
    duplicates.forget_unlike(product_id=instance.product_id)
    if model is FashionImage:
        _judge_without(instance.product_id)


def _judge_without(product_id: UUID) -> None:
    products = Product.objects.filter(id=product_id)
    for product in products.select_for_update(of=("self",)):
        if demo.is_left_over(product):
            product.delete()
        else:
            judgements.judge_product(product, now=timezone.now())
