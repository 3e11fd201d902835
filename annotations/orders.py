"""Annotations that other software asks for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import IntegrityError

from accounts.models import ApiKey, Tenant, User
from annotations import services
from annotations.models import Annotation, FashionImage
from annotations.photos import Photo
from annotations.services import Terms
from inference.contract import Box

# How much longer than the client the job waits for the result to be there.
JOB_MARGIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Wish:
    """What one annotation is about, beside its photo."""

    crop: Box | None = None
    hint: str = ""
    product: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: what is counted is counted for the key."""

    key: ApiKey | None
    user: User | None


def order_photo(
    *,
    tenant: Tenant,
    photo: Photo,
    name: str,
    wish: Wish,
    by: Client,
    now: datetime,
    wait_s: float = 0,
    priority: Annotation.Priority = Annotation.Priority.UPLOAD,
) -> Annotation:
    """The annotation of this photo with this wish: the one that is there, else a new one.

    So a request that is sent again costs nothing. Raises services.CropRefused, QuotaUsedUp.
    """
    if wish.crop:
        services.check_crop(wish.crop, width=photo.width, height=photo.height)
    terms = Terms(
        hint=wish.hint,
        product=wish.product,
        is_counted=True,
        key=by.key,
        job_in=timedelta(seconds=wait_s) + JOB_MARGIN if wait_s else timedelta(),
    )
    of_image = partial(_order_of_image, by=by, crop=wish.crop, terms=terms, now=now)
    if same := services.find_same_image(tenant=tenant, photo=photo):
        return of_image(same, priority=priority)
    try:
        return services.store_new_photo(
            tenant=tenant,
            photo=photo,
            name=name,
            uploaded_by=by.user,
            now=now,
            priority=priority,
            crop=wish.crop,
            terms=terms,
        )
    except IntegrityError:
        # The same file came twice at the same moment, and the other request was first.
        if same := services.find_same_image(tenant=tenant, photo=photo):
            return of_image(same, priority=priority)
        raise


def order_image(
    *,
    tenant: Tenant,
    image_id: UUID,
    wish: Wish,
    by: Client,
    now: datetime,
    priority: Annotation.Priority = Annotation.Priority.UPLOAD,
) -> Annotation:
    """Of a photo that the shop has; raises FashionImage.DoesNotExist and as `order_photo`."""
    image = FashionImage.objects.for_tenant(tenant).get(id=image_id)
    if wish.crop:
        services.check_crop(wish.crop, width=image.width, height=image.height)
    terms = Terms(hint=wish.hint, product=wish.product, is_counted=True, key=by.key)
    return _order_of_image(image, by=by, crop=wish.crop, terms=terms, now=now, priority=priority)


def _order_of_image(
    image: FashionImage,
    *,
    by: Client,
    crop: Box | None,
    terms: Terms,
    now: datetime,
    priority: Annotation.Priority,
) -> Annotation:
    same = image.annotations.filter(hint=terms.hint, product=terms.product)
    # To a JSON field, "= None" means the JSON null.
    same = same.filter(crop=list(crop.as_tuple())) if crop else same.filter(crop__isnull=True)
    found = same.exclude(state=Annotation.State.FAILED).order_by("-created_at").first()
    if found is not None:
        return found
    return services.request_annotation(
        image=image, requested_by=by.user, now=now, crop=crop, priority=priority, terms=terms
    )
