"""The photos of a product: stored, linked and taken away."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import Case, Count, F, Max, Value, When

from accounts import usage
from accounts.models import Tenant, User
from annotations import jobs as annotation_jobs
from annotations import services as annotation_services
from annotations.files import removed_if_undone
from annotations.models import Annotation, FashionImage
from annotations.photos import Photo, check_photo
from retrieval import hashing, jobs
from retrieval.auditing.measures import Measures, measure_pixels
from retrieval.models import PhotoHash, Product, ProductImage
from retrieval.services import audits, judgements

# As many as a page shows and a judgement reads without being slow.
MOST_PHOTOS = 200


class TooManyPhotos(ValueError):
    """The product has as many photos as one may have."""


@dataclass(frozen=True, slots=True)
class Place:
    """A product that gets a photo, and the entry that waited for it if one did."""

    product_id: UUID
    waiting: ProductImage | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A checked photo and what was measured while it was decoded."""

    photo: Photo
    name: str
    measures: Measures


def add_photo(
    *,
    tenant: Tenant,
    product_id: UUID,
    photo: Photo,
    name: str,
    added_by: User | None,
    now: datetime,
    waiting: ProductImage | None = None,
    source: str = "",
    priority: Annotation.Priority = Annotation.Priority.BULK,
    counts: bool = True,
    measures: Measures | None = None,
) -> ProductImage | None:
    """Store a checked photo, ask for its annotation and make it the product's, all or nothing.

    `waiting` is the entry that waited for it. None where the product has the photo already. Without
    its `measures` a job looks at it once more.
    `counts`: against the shop's quota, as everything does that software asks for.

    Raises Product.DoesNotExist for another shop's product, TooManyPhotos and usage.QuotaUsedUp.
    """
    (linked,) = add_photo_to(
        tenant=tenant,
        places=[Place(product_id, waiting, source)],
        photo=photo,
        name=name,
        added_by=added_by,
        now=now,
        priority=priority,
        counts=counts,
        measures=measures,
    )
    return linked


def add_photo_to(
    *,
    tenant: Tenant,
    places: Sequence[Place],
    photo: Photo,
    name: str,
    added_by: User | None,
    now: datetime,
    priority: Annotation.Priority = Annotation.Priority.BULK,
    counts: bool = True,
    measures: Measures | None = None,
) -> list[ProductImage | None]:
    """As `add_photo` for one photo of several products."""
    with ExitStack() as stack:
        stack.enter_context(transaction.atomic())
        counts = counts and not _is_known(tenant, photo)
        if counts:
            usage.check_quota(tenant=tenant, now=now)
        annotation, is_new = annotation_services.store_photo(
            tenant=tenant,
            photo=photo,
            name=name,
            uploaded_by=added_by,
            now=now,
            priority=priority,
        )
        if is_new:
            stack.enter_context(removed_if_undone([annotation.image]))
        if is_new and measures:
            audits.write_measures([(annotation.image, measures)])
        linked = [
            link_image(
                tenant=tenant,
                product_id=place.product_id,
                image_id=annotation.image_id,
                now=now,
                waiting=place.waiting,
                source=place.source,
                is_new=is_new,
            )
            for place in sorted(places, key=attrgetter("product_id"))
        ]
        if counts:
            # Last, as all of the shop's requests wait for this row until the commit.
            usage.count_annotations(tenant=tenant, key=None, number=1, now=now)
        if annotation.is_pending and priority == Annotation.Priority.BULK:
            annotation_jobs.wake_shop(tenant.id, at=now)
        return linked


def check_and_measure(data: bytes) -> tuple[Photo, Measures]:
    """With what is measured while its pixels are at hand. Raises PhotoRefused."""
    measured: list[Measures] = []
    photo = check_photo(
        data, when_decoded=lambda pixels: measured.append(measure_pixels(np.asarray(pixels)))
    )
    return photo, measured[0]


@transaction.atomic
def add_new_photos(
    *,
    tenant: Tenant,
    new: Sequence[NewPhoto],
    find_places: Callable[[], Sequence[Place]],
    added_by: User | None,
    now: datetime,
) -> list[ProductImage]:
    """As `add_photo` for many that the shop does not have yet, all or nothing: a fixed number of
    queries. `find_places` tells whose they are in their order, and locks the products.

    Raises IntegrityError where the shop has one of them already, TooManyPhotos and
    usage.QuotaUsedUp.
    """
    images = annotation_services.store_new_photos(
        tenant=tenant,
        photos=[(each.photo, each.name) for each in new],
        uploaded_by=added_by,
        now=now,
    )
    with removed_if_undone(images):
        places = find_places()
        entries = _link_new(tenant, places, images, now=now)
        write_hashes((image, each.photo.thumbnail) for image, each in zip(images, new, strict=True))
        jobs.defer_comparison(*entries)
        audits.write_measures(
            (image, each.measures) for image, each in zip(images, new, strict=True)
        )
        _wait_for_answers({place.product_id for place in places}, now=now)
        # Last, as all of the shop's requests wait for this row until the commit.
        usage.count_annotations(tenant=tenant, key=None, number=len(new), now=now)
        annotation_jobs.wake_shop(tenant.id, at=now)
        return entries


def _link_new(
    tenant: Tenant, places: Sequence[Place], images: Sequence[FashionImage], *, now: datetime
) -> list[ProductImage]:
    """Raises TooManyPhotos."""
    ends = _read_ends({place.product_id for place in places})
    added, changed = [], []
    for place, image in zip(places, images, strict=True):
        entry = place.waiting
        if entry is None:
            number, position = ends.get(place.product_id, (0, 0))
            if number >= MOST_PHOTOS:
                raise TooManyPhotos
            ends[place.product_id] = number + 1, position + 1
            entry = ProductImage(
                tenant=tenant, product_id=place.product_id, position=position, created_at=now
            )
            added.append(entry)
        else:
            changed.append(entry)
        entry.image, entry.state = image, ProductImage.State.STORED
    ProductImage.objects.bulk_create(added)
    ProductImage.objects.bulk_update(changed, ["image", "state", "error"])
    return [*added, *changed]


def write_hashes(photos: Iterable[tuple[FashionImage, bytes]]) -> None:
    """Of new photos, with their thumbnails while these are at hand."""
    PhotoHash.objects.bulk_create(
        build_hash(image, hashing.hash_photo(thumbnail)) for image, thumbnail in photos
    )


def build_hash(image: FashionImage, hashes: hashing.Hashes) -> PhotoHash:
    quarters = {f"quarter_{i}": q for i, q in enumerate(hashing.split(hashes.value))}
    return PhotoHash(
        image=image,
        tenant_id=image.tenant_id,
        value=hashes.value,
        brightness=hashes.brightness,
        **quarters,
    )


@transaction.atomic
def link_image(
    *,
    tenant: Tenant,
    product_id: UUID,
    image_id: UUID,
    now: datetime,
    waiting: ProductImage | None = None,
    source: str = "",
    is_new: bool = False,
) -> ProductImage | None:
    """Make a photo of the shop one of the product's; None where it is already. One that `is_new`
    has no answer yet, and changes no verdict.

    Raises Product.DoesNotExist, FashionImage.DoesNotExist and TooManyPhotos.
    """
    images = FashionImage.objects.for_tenant(tenant)
    # Image before product, as everywhere: else two writes could wait for each other.
    image = images.select_for_update(of=("self",), no_key=True).get(id=image_id)
    product = Product.objects.for_tenant(tenant).select_for_update(of=("self",)).get(id=product_id)
    if product.photos.filter(image=image).exists():
        if waiting is not None:
            _set_state(waiting, ProductImage.State.REPEATED)
        return None
    if waiting is None:
        waiting = _append(product, source=source, now=now)
    waiting.image = image
    _set_state(waiting, ProductImage.State.STORED)
    jobs.defer_comparison(waiting)
    if not audits.is_measured(image):
        jobs.defer_measuring(waiting)
    if is_new:
        _wait_for_answers([product.id], now=now)
    else:
        judgements.judge_product(product, now=now)
    return waiting


@transaction.atomic
def expect_photos(
    *, tenant: Tenant, product_id: UUID, sources: Sequence[str], now: datetime
) -> list[ProductImage]:
    """The entries of these addresses in their order, new ones waiting for whoever fetches them;
    photos from other addresses are taken from the product.

    Raises Product.DoesNotExist and TooManyPhotos.
    """
    product = Product.objects.for_tenant(tenant).select_for_update(of=("self",)).get(id=product_id)
    gone = product.photos.exclude(source__in=sources).filter(source__startswith="http")
    has_changed = bool(gone.delete()[0])
    known = {photo.source: photo for photo in product.photos.filter(source__in=sources)}
    photos = []
    for position, source in enumerate(dict.fromkeys(sources)):
        photo = known.get(source) or _append(product, source=source, now=now)
        if photo.position != position:
            photo.position = position
            photo.save(update_fields=["position"])
            has_changed = has_changed or source in known
        photos.append(photo)
    if has_changed:
        judgements.judge_product(product, now=now)
    return photos


def refuse_photo(*, waiting: ProductImage, reason: str) -> None:
    """The reason says what to do; the entry stays, so that the page can show it."""
    waiting.error = reason[:300]
    _set_state(waiting, ProductImage.State.REFUSED)


@transaction.atomic
def fetch_again(*, tenant: Tenant, product_image_id: UUID) -> ProductImage:
    """Try a refused address once more. Raises ProductImage.DoesNotExist."""
    photos = ProductImage.objects.for_tenant(tenant).select_for_update(of=("self",))
    photo = photos.get(
        id=product_image_id, state=ProductImage.State.REFUSED, source__startswith="http"
    )
    photo.error = ""
    _set_state(photo, ProductImage.State.WAITING)
    jobs.defer_fetch(photo)
    return photo


@transaction.atomic
def remove_photo(*, tenant: Tenant, product_image_id: UUID, now: datetime) -> ProductImage:
    """Take a photo from its product; its file stays in the history while nobody deletes it.

    Raises ProductImage.DoesNotExist.
    """
    photos = ProductImage.objects.for_tenant(tenant)
    photo = photos.get(id=product_image_id)
    product = Product.objects.select_for_update(of=("self",)).get(id=photo.product_id)
    photo.delete()
    judgements.judge_product(product, now=now)
    return photo


def _wait_for_answers(product_ids: Collection[UUID], *, now: datetime) -> None:
    """What `judge_product` would make of products that got photos which are not annotated yet."""
    published = When(state=Product.State.PUBLISHED, then=F("state"))
    Product.objects.filter(id__in=product_ids).update(
        state=Case(published, default=Value(Product.State.NEW)), updated_at=now
    )


def _is_known(tenant: Tenant, photo: Photo) -> bool:
    return (
        FashionImage.objects.for_tenant(tenant).filter(upload_sha256=photo.upload_sha256).exists()
    )


def _read_ends(product_ids: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
    """How many entries each product has, and the place of the next one."""
    entries = ProductImage.objects.filter(product__in=product_ids).order_by().values("product")
    rows = entries.annotate(number=Count("id"), last=Max("position"))
    return {row["product"]: (row["number"], row["last"] + 1) for row in rows}


def _append(product: Product, *, source: str, now: datetime) -> ProductImage:
    """An entry after the last one; the product's row is locked. Raises TooManyPhotos."""
    number, position = _read_ends([product.id]).get(product.id, (0, 0))
    if number >= MOST_PHOTOS:
        raise TooManyPhotos
    return ProductImage.objects.create(
        tenant_id=product.tenant_id,
        product=product,
        position=position,
        source=source,
        created_at=now,
    )


def _set_state(photo: ProductImage, state: ProductImage.State) -> None:
    photo.state = state
    photo.save(update_fields=["image", "state", "error"])
