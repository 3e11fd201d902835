"""What a product's photos lack: measured once a photo, told anew whenever its photos are judged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from annotations import files
from annotations.models import Annotation, FashionImage
from inference.contract import Box, InvalidImage
from retrieval import jobs
from retrieval.auditing import advice
from retrieval.auditing.advice import Audit, SeenPhoto
from retrieval.auditing.measures import Measures, measure_photo
from retrieval.auditing.views import SeenGarment
from retrieval.models import PhotoMeasures, Product, ProductImage

# Looked for at once: those of before there was an audit, or whose job was lost.
MOST_AT_ONCE = 2_000


def measure_image(image: FashionImage) -> bool:
    """False where it was measured before. Raises FileNotFoundError and files.StorageAway."""
    if PhotoMeasures.objects.filter(image=image).exists():
        return False
    try:
        measures = measure_photo(files.read_photo(image))
    except InvalidImage as error:
        raise FileNotFoundError(f"The photo {image.id} cannot be read.") from error
    PhotoMeasures.objects.update_or_create(
        image=image, defaults={"tenant_id": image.tenant_id, **asdict(measures)}
    )
    return True


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


def defer_missing() -> int:
    """Let jobs measure the photos of products that were not; return how many."""
    known = PhotoMeasures.objects.filter(image=OuterRef("image"))
    photos = ProductImage.objects.filter(~Exists(known), image__isnull=False)
    ids = list(photos.values_list("id", flat=True)[:MOST_AT_ONCE])
    jobs.defer_measuring(ids)
    return len(ids)


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
