"""How far a product is: its photos are being annotated, or it can be written."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from annotations import interests
from annotations.models import Annotation
from integrations.stores import jobs, words
from integrations.stores.models import StoreProduct
from retrieval.models import Product, ProductImage
from retrieval.services.judgements import read_newest_annotations

# For `annotations.interests`.
OF_STORES = f"""EXISTS (
    SELECT FROM retrieval_productimage AS photo
    JOIN integrations_storeproduct AS row ON row.product_id = photo.product_id
    WHERE photo.image_id = {interests.PHOTOS}
)"""


def go_on(row: StoreProduct, *, now: datetime) -> None:
    """Have it written if all of its photos have answers, else wait for them."""
    product = row.product
    if product is None:
        return
    if is_answered(product):
        ask_to_write(row, now=now)
    elif row.state != row.State.ANNOTATING:
        row.state = row.State.ANNOTATING
        row.save(update_fields=["state"])


def ask_to_write(row: StoreProduct, *, now: datetime) -> None:
    row.write_due_at = now
    row.save(update_fields=["write_due_at"])
    jobs.wake_writer(row.store_id, at=now)


def note_answers(*, tenant_id: UUID, image_ids: Sequence[UUID], now: datetime) -> None:
    """Photos were annotated or reviewed; called in that transaction."""
    rows = StoreProduct.objects.filter(
        tenant=tenant_id, product__in=words.find_product_ids(image_ids)
    )
    rows = rows.exclude(state__in=[StoreProduct.State.GONE, StoreProduct.State.DRAFT])
    for row in rows.select_related("product").order_by("id"):
        go_on(row, now=now)


def is_answered(product: Product) -> bool:
    """Whether no photo waits to be fetched or annotated; two queries."""
    photos = list(product.photos.all())
    if any(photo.state == ProductImage.State.WAITING for photo in photos):
        return False
    image_ids = [photo.image_id for photo in photos if photo.image_id]
    newest = read_newest_annotations(image_ids)
    return all(
        image_id in newest and newest[image_id].state != Annotation.State.PENDING
        for image_id in image_ids
    )


def is_unsure(product: Product) -> bool:
    """Whether a person should look before anything is written."""
    if product.photos_disagree or product.garment is None:
        return True
    image_ids = [photo.image_id for photo in product.photos.all() if photo.image_id]
    return any(each.needs_review for each in read_newest_annotations(image_ids).values())


def is_reviewed(product: Product) -> bool:
    """Whether a person has accepted or corrected what the product is judged by."""
    garment = product.garment
    return garment is not None and garment.annotation.reviewed_at is not None
