"""Annotations that other software asks for."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts import usage
from accounts.models import ApiKey, Tenant, User
from annotations import asking, engine, photos, services
from annotations.models import Annotation, FashionImage
from annotations.services import Terms
from inference.contract import Box, ModelName
from kalas.lib.shared_connections.base import lend_connection

# How much longer than the client everybody else waits for the result to be there.
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


@dataclass(frozen=True, slots=True)
class Order:
    """`is_new` where everybody waits for whoever ordered it to ask the engine first; `question` is
    there where it was asked already."""

    annotation: Annotation
    is_new: bool = False
    question: asking.Question | None = None


def order_photo(
    *,
    tenant: Tenant,
    data: bytes,
    name: str,
    wish: Wish,
    by: Client,
    now: datetime,
    wait_s: float = 0,
    priority: Annotation.Priority = Annotation.Priority.UPLOAD,
) -> Order:
    """The annotation of this file with this wish: the one that is there, else a new one.

    So a request that is sent again costs nothing, until another model answers: a known file is not
    even decoded. Raises photos.PhotoRefused, services.CropRefused and QuotaUsedUp.
    """
    upload_sha256 = hashlib.sha256(data).hexdigest()
    order = partial(
        _order_known, tenant=tenant, wish=wish, by=by, now=now, wait_s=wait_s, priority=priority
    )
    if same := services.find_same_id(tenant=tenant, upload_sha256=upload_sha256):
        try:
            return order(image_id=same)
        except FashionImage.DoesNotExist:
            pass  # deleted this very moment
    usage.check_quota(tenant=tenant, now=now)
    # Large photos wait for each other.
    lend_connection()
    with asking.Question(
        crop=wish.crop, hint=wish.hint, timeout_s=wait_s, family=tenant.model_family
    ) as question:

        def go_on(stored: bytes, width: int, height: int) -> None:
            if wish.crop:
                services.check_crop(wish.crop, width=width, height=height)
            if wait_s:
                question.ask(stored)

        photo = photos.check_photo(data, with_thumbnail=False, when_encoded=go_on)
        try:
            annotation = services.store_new_photo(
                tenant=tenant,
                photo=photo,
                name=name,
                uploaded_by=by.user,
                now=now,
                priority=priority,
                crop=wish.crop,
                terms=_build_terms(wish, by, now, wait_s),
            )
        except IntegrityError:
            # The same file came twice at the same moment, and the other request was first.
            if same := services.find_same_id(tenant=tenant, upload_sha256=upload_sha256):
                return order(image_id=same)
            raise
        return Order(annotation, is_new=True, question=question.keep())


def order_image(
    *,
    tenant: Tenant,
    image_id: UUID,
    wish: Wish,
    by: Client,
    now: datetime,
    priority: Annotation.Priority = Annotation.Priority.UPLOAD,
) -> Order:
    """Of a photo that the shop has; raises FashionImage.DoesNotExist and as `order_photo`."""
    return _order_known(
        tenant=tenant, image_id=image_id, wish=wish, by=by, now=now, wait_s=0, priority=priority
    )


def _order_known(
    *,
    tenant: Tenant,
    image_id: UUID,
    wish: Wish,
    by: Client,
    now: datetime,
    wait_s: float,
    priority: Annotation.Priority,
) -> Order:
    # Asked of the engine, so before anything is locked.
    model = engine.read_model(family=tenant.model_family)
    with transaction.atomic():
        # Twins find what the first of them ordered.
        image = services.keep_image(tenant=tenant, image_id=image_id)
        if wish.crop:
            services.check_crop(wish.crop, width=image.width, height=image.height)
        found = _find_same(image, wish)
        if found is not None and _is_current(found, model):
            return Order(found)
        annotation = services.request_annotation(
            image=image,
            requested_by=by.user,
            now=now,
            crop=wish.crop,
            priority=priority,
            terms=_build_terms(wish, by, now, wait_s),
        )
    return Order(annotation, is_new=True)


def _find_same(image: FashionImage, wish: Wish) -> Annotation | None:
    same = image.annotations.filter(hint=wish.hint, product=wish.product)
    # To a JSON field, "= None" means the JSON null.
    crop = list(wish.crop.as_tuple()) if wish.crop else None
    same = same.filter(crop=crop) if crop else same.filter(crop__isnull=True)
    return same.exclude(state=Annotation.State.FAILED).order_by("-created_at").first()


def _is_current(annotation: Annotation, model: ModelName | None) -> bool:
    """Whether the engine would say the same again, or a person has said more."""
    if annotation.is_pending or annotation.reviews.exists():
        return True
    return model is None or (annotation.model_name, annotation.model_version) == (
        model.name,
        model.version,
    )


def _build_terms(wish: Wish, by: Client, now: datetime, wait_s: float) -> Terms:
    return Terms(
        hint=wish.hint,
        product=wish.product,
        is_counted=True,
        key=by.key,
        awaited_until=now + timedelta(seconds=wait_s) + JOB_MARGIN if wait_s else None,
    )
