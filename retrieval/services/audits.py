"""What a product's photos lack: measured once a photo, told anew whenever its photos are judged."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from annotations import files
from annotations.models import Annotation, FashionImage
from inference.contract import Box, InvalidImage
from retrieval.auditing import advice
from retrieval.auditing.advice import Audit, SeenPhoto
from retrieval.auditing.measures import Measures, measure_photo
from retrieval.auditing.views import SeenGarment
from retrieval.models import PhotoMeasures, Product, ProductImage

logger = logging.getLogger(__name__)

# Those of before there was an audit, or whose job was lost; after it other work has its turn.
TURN_S = 10.0
_CHUNK = 100


def measure_image(image: FashionImage) -> bool:
    """False where it was measured before. Raises FileNotFoundError and files.StorageAway."""
    if is_measured(image):
        return False
    try:
        measures = measure_photo(files.read_photo(image))
    except InvalidImage as error:
        raise FileNotFoundError(f"The photo {image.id} cannot be read.") from error
    PhotoMeasures.objects.update_or_create(
        image=image, defaults={"tenant_id": image.tenant_id, **asdict(measures)}
    )
    return True


def is_measured(image: FashionImage) -> bool:
    return PhotoMeasures.objects.filter(image=image).exists()


def write_measures(measured: Iterable[tuple[FashionImage, Measures]]) -> None:
    """Of new photos, measured while they were at hand."""
    PhotoMeasures.objects.bulk_create(
        PhotoMeasures(image=image, tenant_id=image.tenant_id, **asdict(measures))
        for image, measures in measured
    )


def audit_product(product: Product) -> Audit:
    """What it is now, with each photo; four queries."""
    photos = list(product.photos.in_order())
    newest = read_newest_garments([photo.image_id for photo in photos if photo.image_id])
    measures = read_measures(photo.image_id for photo in photos if photo.image_id)
    return audit(photos, newest, object_type=product.object_type, measures=measures)


def read_measures(image_ids: Iterable[UUID]) -> dict[UUID, PhotoMeasures]:
    return PhotoMeasures.objects.in_bulk(list(image_ids))


def audit(
    photos: Sequence[ProductImage],
    newest: Mapping[UUID, Annotation],
    *,
    object_type: str,
    measures: Mapping[UUID, PhotoMeasures],
) -> Audit:
    """`photos` in the shop's order, judged; `newest` and `measures` by photo, with garments."""
    seen = [
        _see(number, photo, newest[photo.image_id], measures.get(photo.image_id))
        for number, photo in enumerate(photos, start=1)
        if photo.image_id and photo.image_id in newest and photo.verdict
    ]
    return advice.audit(seen, object_type=object_type)


@transaction.atomic
def refresh_advice(*, product_id: UUID) -> None:
    """After a photo was measured. Nothing is done for a product that is gone."""
    product = Product.objects.filter(id=product_id).select_for_update(of=("self",)).first()
    if product is not None:
        product.photo_advice = list_codes(audit_product(product))
        product.save(update_fields=["photo_advice"])


def list_codes(told: Audit) -> list[str]:
    return [each.code for each in told.advice]


def measure_product_photo(*, product_image_id: UUID) -> None:
    """Nothing is done for one that is gone, or measured. Raises files.StorageAway."""
    photo = ProductImage.objects.select_related("image").filter(id=product_image_id).first()
    if photo is not None and photo.image is not None:
        _measure(photo, photo.image)


def measure_missing(*, after: UUID | None) -> UUID | None:
    """Measure the photos of products that were not, in the order of their ids, for a while; where
    to go on, or None. What can't be read is passed over, until somebody begins anew.

    Raises files.StorageAway.
    """
    end = time.monotonic() + TURN_S
    known = PhotoMeasures.objects.filter(image=OuterRef("image"))
    missing = ProductImage.objects.filter(~Exists(known), image__isnull=False)
    while photos := list(
        missing.filter(id__gt=after or UUID(int=0)).select_related("image").order_by("id")[:_CHUNK]
    ):
        for photo in photos:
            if photo.image is not None:
                _measure(photo, photo.image)
            after = photo.id
            if time.monotonic() >= end:
                return after
    return None


def _measure(photo: ProductImage, image: FashionImage) -> None:
    try:
        measure_image(image)
    except (FileNotFoundError, IntegrityError):
        logger.info("The photo %s was deleted before it was measured", photo.id)
    else:
        refresh_advice(product_id=photo.product_id)


def read_newest_garments(image_ids: list[UUID]) -> dict[UUID, Annotation]:
    """The newest annotation of each whole photo with its garments; two queries."""
    rows = (
        Annotation.objects.filter(image__in=image_ids, crop__isnull=True)
        .order_by("image_id", "-created_at", "-id")
        .distinct("image_id")
        .select_related("image")
        .prefetch_related("garments")
    )
    return {annotation.image_id: annotation for annotation in rows}


def _see(
    number: int, photo: ProductImage, annotation: Annotation, measured: PhotoMeasures | None
) -> SeenPhoto:
    image = annotation.image
    garments = annotation.garments.all()
    garment = next((each for each in garments if each.id == photo.garment_id), None)
    return SeenPhoto(
        number=number,
        width=image.width,
        height=image.height,
        verdict=photo.verdict,
        garments=tuple(_see_garments(annotation)),
        shown=garment.box if garment else None,
        measures=Measures(
            measured.sharpness, measured.brightness, measured.skin, plain=measured.plain
        )
        if measured
        else None,
    )


def _see_garments(annotation: Annotation) -> Iterable[SeenGarment]:
    area = annotation.image.width * annotation.image.height
    for garment in annotation.garments.all():
        box: Box = garment.box
        yield SeenGarment(
            garment.object_type, garment.confidence, box, box.width * box.height / area
        )
