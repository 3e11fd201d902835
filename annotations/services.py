"""Every write of photos and annotations."""

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import attrgetter
from uuid import UUID, uuid4

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import idempotency, usage
from accounts.models import ApiKey, Tenant, User
from annotations import batches, files, jobs, live, signals
from annotations.models import Annotation, DemoShop, FashionImage
from annotations.photos import Photo
from inference.contract import Box
from kalas.lib.row_inserts import insert_rows

# A box smaller than this shows nothing a model could name.
MIN_CROP_SIDE = 8
_FIND_SAME = "SELECT id FROM annotations_fashionimage WHERE tenant_id = %s AND upload_sha256 = %s"


class CropRefused(ValueError):
    """The box lies outside of the photo or is too small; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a request says beside photo and box. What is counted is so with the annotation's row,
    or not at all. Until `awaited_until` who waits for the result asks the engine, and no job."""

    hint: str = ""
    product: str = ""
    is_counted: bool = False
    key: ApiKey | None = None
    awaited_until: datetime | None = None


NO_TERMS = Terms()


class StillWaiting(Exception):
    """The annotation has not been made yet, so it can't be asked for again."""


def store_photo(
    *,
    tenant: Tenant,
    photo: Photo,
    name: str,
    uploaded_by: User | None,
    now: datetime,
    source: FashionImage.Source = FashionImage.Source.UPLOAD,
    priority: Annotation.Priority = Annotation.Priority.UPLOAD,
) -> tuple[Annotation, bool]:
    """Store a photo and ask for its annotation, all or nothing.

    A file that the shop has already is not stored again: the answer is the annotation of the
    photo that is there, and False. In bulk there is no job, as with `request_annotation`.
    """
    if same := find_same_image(tenant=tenant, upload_sha256=photo.upload_sha256):
        return _newest_annotation(image=same, requested_by=uploaded_by, now=now), False
    try:
        return store_new_photo(
            tenant=tenant,
            photo=photo,
            name=name,
            uploaded_by=uploaded_by,
            now=now,
            source=source,
            priority=priority,
        ), True
    except IntegrityError:
        # The same file came twice at the same moment, and the other upload was first.
        if same := find_same_image(tenant=tenant, upload_sha256=photo.upload_sha256):
            return _newest_annotation(image=same, requested_by=uploaded_by, now=now), False
        raise


def request_annotation(
    *,
    image: FashionImage,
    requested_by: User | None,
    now: datetime,
    crop: Box | None = None,
    priority: Annotation.Priority = Annotation.Priority.UPLOAD,
    terms: Terms = NO_TERMS,
) -> Annotation:
    """Write a waiting annotation and its job in one transaction; announce it after commit.

    One in bulk has no job: the caller ends its transaction with `jobs.wake_shop`.

    Raises usage.QuotaUsedUp where it is counted.
    """
    with transaction.atomic(savepoint=False):
        annotation = Annotation(
            tenant=image.tenant,
            image=image,
            crop=list(crop.as_tuple()) if crop else None,
            requested_by=requested_by,
            priority=priority,
            hint=terms.hint,
            product=terms.product,
            awaited_until=terms.awaited_until,
            created_at=now,
        )
        insert_rows([annotation])
        if not terms.awaited_until:
            if priority != Annotation.Priority.BULK:
                jobs.defer_annotation(annotation)
            live.announce_annotation(annotation)
        if terms.is_counted:
            # Last, as all of the shop's requests wait for these rows until the commit.
            usage.count_annotations(tenant=image.tenant, key=terms.key, number=1, now=now)
    return annotation


def check_crop(box: Box, *, width: int, height: int) -> None:
    """Raises CropRefused."""
    if box.right > width or box.bottom > height:
        raise CropRefused(
            _("The box must lie inside the photo, which is %(width)d × %(height)d pixels.")
            % {"width": width, "height": height}
        )
    if min(box.width, box.height) < MIN_CROP_SIDE:
        raise CropRefused(_("The box must be at least %d pixels wide and high.") % MIN_CROP_SIDE)


@transaction.atomic
def annotate_crop(
    *, tenant: Tenant, image_id: UUID, box: Box, requested_by: User, now: datetime
) -> Annotation:
    """Ask for what a person's box on a photo shows.

    Raises FashionImage.DoesNotExist for another shop's photo, and CropRefused.
    """
    image = keep_image(tenant=tenant, image_id=image_id)
    check_crop(box, width=image.width, height=image.height)
    return request_annotation(
        image=image,
        requested_by=requested_by,
        now=now,
        crop=box,
        priority=Annotation.Priority.CROP,
    )


@transaction.atomic
def annotate_again(
    *,
    tenant: Tenant,
    annotation_id: UUID,
    requested_by: User,
    now: datetime,
    priority: Annotation.Priority = Annotation.Priority.CROP,
) -> Annotation:
    """Ask anew for the same photo and box: an answer stays beside the new one, a failure does not.
    In bulk there is no job, as with `request_annotation`.

    Raises Annotation.DoesNotExist for another shop's annotation, FashionImage.DoesNotExist when
    its photo is deleted meanwhile, and StillWaiting.
    """
    annotations = Annotation.objects.for_tenant(tenant)
    # The photo first, as who deletes it does: else the two could wait for each other.
    image = keep_image(tenant=tenant, image_id=annotations.get(id=annotation_id).image_id)
    annotation = annotations.select_for_update().get(id=annotation_id)
    if annotation.is_pending:
        raise StillWaiting
    if annotation.state != Annotation.State.FAILED:
        return request_annotation(
            image=image,
            requested_by=requested_by,
            now=now,
            crop=annotation.crop_box,
            priority=priority,
            terms=Terms(hint=annotation.hint, product=annotation.product),
        )
    annotation.wait_again(requested_by=requested_by, priority=priority, at=now)
    if priority != Annotation.Priority.BULK:
        jobs.hurry(annotation)
    live.announce_annotation(annotation)
    return annotation


@transaction.atomic
def ask_for_review(*, tenant: Tenant, annotation_id: UUID) -> bool:
    """Have a person look at a result however sure the model is; False if one has, or is asked."""
    results = Annotation.objects.for_tenant(tenant).filter(
        id=annotation_id, state=Annotation.State.DONE, needs_review=False, reviewed_at=None
    )
    annotation = results.select_for_update(of=("self",)).first()
    if annotation is None:
        return False
    annotation.needs_review = True
    annotation.save(update_fields=["needs_review"])
    live.announce_annotation(annotation)
    return True


@transaction.atomic
def delete_image(*, tenant: Tenant, image_id: UUID) -> None:
    """Delete a photo with all its annotations; the files go after commit.

    Raises FashionImage.DoesNotExist for another shop's photo.
    """
    image = FashionImage.objects.for_tenant(tenant).select_for_update(of=("self",)).get(id=image_id)
    _delete_images(tenant, [image], now=timezone.now())


@transaction.atomic
def delete_images(*, tenant: Tenant, image_ids: Collection[UUID]) -> None:
    """The same of several that may be gone already."""
    _delete_images(tenant, hold_images(tenant=tenant, image_ids=image_ids), now=timezone.now())


def hold_images(*, tenant: Tenant, image_ids: Collection[UUID]) -> list[FashionImage]:
    """Lock photos that are to be deleted, and what is annotated on them."""
    images = FashionImage.objects.for_tenant(tenant).filter(id__in=image_ids).order_by("id")
    held = list(images.select_for_update(of=("self",)))
    annotations = Annotation.objects.filter(image__in=held).order_by("id")
    list(annotations.select_for_update(of=("self",)).values_list("id"))
    return held


@transaction.atomic
def remove_demo_photos(*, tenant: Tenant, now: datetime) -> int:
    """Delete the shop's demo photos for good; return how many there were."""
    demo = FashionImage.objects.for_tenant(tenant).demo().order_by("id")
    images = list(demo.select_for_update(of=("self",)))
    _delete_images(tenant, images, now=now)
    DemoShop.objects.filter(tenant=tenant).update(removed_at=now)
    return len(images)


def keep_image(*, tenant: Tenant, image_id: UUID) -> FashionImage:
    """The photo, which stays until the transaction ends; raises FashionImage.DoesNotExist."""
    images = FashionImage.objects.for_tenant(tenant).select_for_update(of=("self",), no_key=True)
    image = images.get(id=image_id)
    image.tenant = tenant
    return image


def hold_annotation(*, tenant: Tenant, annotation_id: UUID) -> None:
    """Let it stay as it is until the transaction ends; raises Annotation.DoesNotExist."""
    annotations = Annotation.objects.for_tenant(tenant)
    keep_image(tenant=tenant, image_id=annotations.get(id=annotation_id).image_id)
    annotations.select_for_update(of=("self",)).get(id=annotation_id)


def find_same_id(*, tenant: Tenant, upload_sha256: str) -> UUID | None:
    """As `find_same_image`, in a tenth of the time."""
    with connection.cursor() as cursor:
        cursor.execute(_FIND_SAME, [tenant.id, upload_sha256])
        row = cursor.fetchone()
    return row[0] if row else None


def find_same_image(*, tenant: Tenant, upload_sha256: str) -> FashionImage | None:
    return FashionImage.objects.for_tenant(tenant).filter(upload_sha256=upload_sha256).first()


def _newest_annotation(
    *, image: FashionImage, requested_by: User | None, now: datetime
) -> Annotation:
    """The newest one of the whole photo; a new one if an operator removed them all."""
    annotations = image.annotations.filter(crop__isnull=True).select_related("image")
    return annotations.order_by("-created_at").first() or request_annotation(
        image=image, requested_by=requested_by, now=now
    )


def store_new_photo(
    *,
    tenant: Tenant,
    photo: Photo,
    name: str,
    uploaded_by: User | None,
    now: datetime,
    priority: Annotation.Priority,
    source: FashionImage.Source = FashionImage.Source.UPLOAD,
    crop: Box | None = None,
    terms: Terms = NO_TERMS,
) -> Annotation:
    """Raises IntegrityError where the shop has this file already, and usage.QuotaUsedUp."""
    image_id = uuid4()
    # The files are written before the transaction commits and removed when it does not.
    with (
        files.written_photo(tenant=tenant, image_id=image_id, photo=photo) as (file, thumbnail),
        transaction.atomic(),
    ):
        image = _build_image(
            tenant=tenant,
            image_id=image_id,
            photo=photo,
            name=name,
            uploaded_by=uploaded_by,
            now=now,
        )
        image.file.name, image.thumbnail.name, image.source = file, thumbnail, source
        insert_rows([image])
        return request_annotation(
            image=image,
            requested_by=uploaded_by,
            now=now,
            crop=crop,
            priority=priority,
            terms=terms,
        )


@transaction.atomic
def store_new_photos(
    *,
    tenant: Tenant,
    photos: Sequence[tuple[Photo, str]],
    uploaded_by: User | None,
    now: datetime,
) -> list[FashionImage]:
    """As `store_new_photo` for many with their names, all or nothing: a fixed number of queries.

    Their annotations have no job: the caller ends its transaction with `jobs.wake_shop`.

    Raises IntegrityError where the shop has one of them already.
    """
    with ExitStack() as written:
        images = []
        for photo, name in photos:
            image_id = uuid4()
            file, thumbnail = written.enter_context(
                files.written_photo(tenant=tenant, image_id=image_id, photo=photo)
            )
            image = _build_image(
                tenant=tenant,
                image_id=image_id,
                photo=photo,
                name=name,
                uploaded_by=uploaded_by,
                now=now,
            )
            image.file.name, image.thumbnail.name = file, thumbnail
            images.append(image)
        # In one order, so that two who bring the same ones do not wait for each other.
        insert_rows(sorted(images, key=attrgetter("upload_sha256")))
        request_annotations(tenant=tenant, images=images, requested_by=uploaded_by, now=now)
    return images


def request_annotations(
    *, tenant: Tenant, images: Sequence[FashionImage], requested_by: User | None, now: datetime
) -> None:
    """As `request_annotation` in bulk for many whole photos, in the running transaction."""
    annotations = [
        Annotation(
            tenant=tenant,
            image=image,
            requested_by=requested_by,
            priority=Annotation.Priority.BULK,
            created_at=now,
        )
        for image in images
    ]
    insert_rows(annotations)
    live.announce_annotations(annotations)


def _build_image(
    *,
    tenant: Tenant,
    image_id: UUID,
    photo: Photo,
    name: str,
    uploaded_by: User | None,
    now: datetime,
) -> FashionImage:
    return FashionImage(
        id=image_id,
        tenant=tenant,
        name=name,
        sha256=photo.sha256,
        upload_sha256=photo.upload_sha256,
        width=photo.width,
        height=photo.height,
        bytes=len(photo.data),
        uploaded_by=uploaded_by,
        created_at=now,
    )


def _delete_images(tenant: Tenant, images: Sequence[FashionImage], *, now: datetime) -> None:
    """The photos' rows are locked by the caller."""
    ids = [image.id for image in images]
    # Their annotations too: a job that is storing a result ends first, and what it stored goes.
    annotations = Annotation.objects.filter(image__in=ids).order_by("id").select_for_update()
    annotation_ids = list(annotations.values_list("id", flat=True))
    for annotation_id in annotation_ids:
        live.announce_gone(tenant, annotation_id)
    batch_ids = batches.note_gone(annotation_ids=annotation_ids)
    finished = batches.note_finished(batch_ids=batch_ids, now=now)
    signals.annotations_deleted.send(Annotation, tenant_id=tenant.id, annotation_ids=annotation_ids)
    idempotency.forget_about(tenant=tenant, about=ids)
    FashionImage.objects.for_tenant(tenant).filter(id__in=ids).delete()
    batches.tell_finished(finished)
    names = [str(file.name) for image in images for file in (image.file, image.thumbnail)]
    transaction.on_commit(partial(files.remove_files, names))
