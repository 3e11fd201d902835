"""Near duplicates: products with nearly the same photo, found when the photo comes."""

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from accounts.models import Tenant
from annotations import files
from annotations.models import FashionImage
from retrieval import hashing, jobs
from retrieval.models import NearDuplicate, PhotoHash, Product, ProductImage
from retrieval.services.judgements import judge_product
from retrieval.services.photos import build_hash

logger = logging.getLogger(__name__)

# A photo that so many others resemble (a size chart, a logo) says nothing about its product.
MOST_NEAR_PHOTOS = 50
# Open pairs of which no photo of the one is near any photo of the other, as it is or mirrored.
_FORGET = """
DELETE FROM retrieval_nearduplicate pair
WHERE pair.id = ANY(%(pairs)s) AND pair.dismissed_at IS NULL AND NOT EXISTS (
    SELECT FROM retrieval_productimage mine
    JOIN retrieval_photohash a ON a.image_id = mine.image_id
    CROSS JOIN retrieval_productimage theirs
    JOIN retrieval_photohash b ON b.image_id = theirs.image_id
    WHERE mine.product_id = pair.product_id AND theirs.product_id = pair.other_id AND (
        bit_count((a.value # b.value)::bit(64)) <= %(limit)s
        OR bit_count((a.value # b.value # %(mirror)s)::bit(64)) <= %(limit)s))
"""


def compare_photos(*, product_image_ids: Sequence[UUID], now: datetime) -> int:
    """Note the products with nearly one of these photos; return how many there are.

    Nothing is done for a photo that was removed meanwhile.
    """
    photos = ProductImage.objects.select_related("image__photo_hash", "product")
    return sum(
        _compare(photo, photo.image, now=now)
        for photo in photos.filter(id__in=product_image_ids).order_by("id")
        if photo.image
    )


def _compare(photo: ProductImage, image: FashionImage, *, now: datetime) -> int:
    try:
        hashes = _hash(image)
    except FileNotFoundError:
        logger.info("The photo %s was deleted before it was compared", photo.id)
        return 0
    near = _find_near(photo, hashes, mirrored=False)
    for other, distance in _find_near(photo, hashes, mirrored=True).items():
        if other not in near or distance[0] < near[other][0]:
            near[other] = distance
    for other, (distance_bits, mirrored) in near.items():
        _note(photo.product, other, distance=distance_bits, mirrored=mirrored, now=now)
    return len(near)


def forget_unlike(*, product_id: UUID) -> None:
    """A photo of the product went, and the pairs go that it alone was the reason for; what somebody
    dismissed is remembered. The product's row is locked by the caller."""
    pairs = NearDuplicate.objects.filter(
        Q(product=product_id) | Q(other=product_id), dismissed_at=None
    )
    if ids := list(pairs.values_list("id", flat=True)):
        _forget_unlike(ids)


def dismiss_duplicate(*, tenant: Tenant, duplicate_id: UUID, now: datetime) -> NearDuplicate:
    """Two products after all. Raises NearDuplicate.DoesNotExist."""
    duplicate = NearDuplicate.objects.for_tenant(tenant).get(id=duplicate_id)
    duplicate.dismissed_at = now
    duplicate.save(update_fields=["dismissed_at"])
    return duplicate


@transaction.atomic
def merge_duplicate(*, tenant: Tenant, duplicate_id: UUID, keep_id: UUID, now: datetime) -> Product:
    """Make one product of two: the kept one gets the other's photos and what itself lacks.

    The other's id is remembered, so that the next import does not bring it back.
    Raises NearDuplicate.DoesNotExist, also where `keep_id` is neither of the two.
    """
    duplicates = NearDuplicate.objects.for_tenant(tenant)
    duplicate = duplicates.get(id=duplicate_id)
    if keep_id not in (duplicate.product_id, duplicate.other_id):
        raise NearDuplicate.DoesNotExist
    both = Product.objects.filter(id__in=(duplicate.product_id, duplicate.other_id))
    products = {p.id: p for p in both.order_by("id").select_for_update(of=("self",))}
    kept = products.pop(keep_id)
    (gone,) = products.values()
    _take_over(kept, gone)
    kept.also_known_as = sorted({*kept.also_known_as, gone.external_id, *gone.also_known_as})
    gone.delete()
    kept.save()
    judge_product(kept, now=now)
    return kept


def _hash(image: FashionImage) -> hashing.Hashes:
    """As it is stored, or else from the thumbnail. Raises FileNotFoundError."""
    if hasattr(image, "photo_hash") and image.photo_hash.brightness is not None:
        return hashing.Hashes.of(image.photo_hash.value, bytes(image.photo_hash.brightness))
    hashes = hashing.hash_photo(files.read_thumbnail(image))
    PhotoHash.objects.bulk_create(
        [build_hash(image, hashes)],
        update_conflicts=True,
        unique_fields=["image"],
        update_fields=["brightness"],
    )
    return hashes


def _find_near(
    photo: ProductImage, hashes: hashing.Hashes, *, mirrored: bool
) -> dict[UUID, tuple[int, bool]]:
    """Other products of the shop and the distance of their nearest photo; one query.

    The cost does not grow with the number of photos that are far away: each quarter's index is
    asked for 137 values.
    """
    value = hashes.mirrored if mirrored else hashes.value
    # As text: psycopg takes longer to make lists of numbers of it than the server to read it.
    first, second, third, fourth = (
        f"{{{','.join(map(str, hashing.list_near(quarter)))}}}" for quarter in hashing.split(value)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH near AS (
                SELECT image_id, bit_count((value # %(value)s)::bit(64)) AS distance, brightness
                FROM retrieval_photohash
                WHERE tenant_id = %(tenant)s AND (
                    quarter_0 = ANY(%(first)s::int[]) OR quarter_1 = ANY(%(second)s::int[])
                    OR quarter_2 = ANY(%(third)s::int[]) OR quarter_3 = ANY(%(fourth)s::int[]))
                    AND bit_count((value # %(value)s)::bit(64)) <= %(limit)s
                ORDER BY distance LIMIT %(most)s
            )
            SELECT p.product_id, near.distance, near.brightness, p.image_id FROM near
            JOIN retrieval_productimage p ON p.image_id = near.image_id
            WHERE p.product_id <> %(product)s ORDER BY near.distance DESC
            """,
            {
                "value": value,
                "tenant": photo.tenant_id,
                "product": photo.product_id,
                "first": first,
                "second": second,
                "third": third,
                "fourth": fourth,
                "limit": hashing.NEAR_BITS,
                "most": MOST_NEAR_PHOTOS,
            },
        )
        rows = cursor.fetchall()
    found = {}
    for product_id, distance, brightness, image_id in rows:
        theirs = _read_brightness(image_id) if brightness is None else bytes(brightness)
        if theirs and hashing.have_same_edges(hashes.brightness, theirs, mirrored=mirrored):
            found[product_id] = distance, mirrored
    return found


def _read_brightness(image_id: UUID) -> bytes | None:
    """Of a photo of before it was kept; None where it is gone."""
    image = FashionImage.objects.select_related("photo_hash").filter(id=image_id).first()
    try:
        return _hash(image).brightness if image else None
    except FileNotFoundError:
        return None


@transaction.atomic
def _note(
    product: Product, other_id: UUID, *, distance: int, mirrored: bool, now: datetime
) -> None:
    """Once for two products, whichever of them came first; not where a photo went meanwhile."""
    first, second = sorted((product.id, other_id))
    # Who takes a photo from a product holds its row.
    both = Product.objects.filter(id__in=(first, second)).order_by("id")
    if len(both.select_for_update(of=("self",), no_key=True)) < 2:
        return
    pair, is_new = NearDuplicate.objects.get_or_create(
        product_id=first,
        other_id=second,
        defaults={
            "tenant_id": product.tenant_id,
            "distance": distance,
            "mirrored": mirrored,
            "created_at": now,
        },
    )
    if is_new:
        _forget_unlike([pair.id])


def _forget_unlike(pair_ids: Sequence[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _FORGET,
            {"pairs": list(pair_ids), "limit": hashing.NEAR_BITS, "mirror": hashing.MIRROR},
        )


def _take_over(kept: Product, gone: Product) -> None:
    """Photos, near duplicates, and the values that are empty; both rows are locked."""
    for name in ("title", "description", "url", "price", "currency", "stock"):
        if getattr(kept, name) in ("", None):
            setattr(kept, name, getattr(gone, name))
    images = set(kept.photos.exclude(image=None).values_list("image", flat=True))
    sources = set(kept.photos.exclude(source="").values_list("source", flat=True))
    last = kept.photos.count()
    for photo in gone.photos.in_order():
        if photo.image_id in images or photo.source in sources:
            continue
        photo.product, photo.position = kept, last
        photo.save(update_fields=["product", "position"])
        if photo.image_id:  # those of other products that resembled it were paired with `gone`
            jobs.defer_comparison(photo)
        last += 1
