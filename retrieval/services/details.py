"""The details of a shop's photos, made by jobs once a search of the shop has asked for them."""

import logging
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from accounts.models import Tenant
from annotations import files
from annotations.models import Annotation
from inference import client
from inference.contract import Box, InvalidImage
from kalas.lib.shared_connections.base import lend_connection
from retrieval import jobs
from retrieval.details import Asked
from retrieval.models import PhotoDetails, Product, ProductImage
from retrieval.services.indexes import list_searchable_photos

logger = logging.getLogger(__name__)

PART = 20
TIMEOUT_S = 30.0


def ask_engine(data: bytes, box: Box | None, *, timeout: float = TIMEOUT_S) -> Asked:
    """Raises client.NoDetails, Overloaded, Unavailable, InvalidImage, ValueError."""
    lend_connection()
    return Asked.of(client.Client(settings.INFERENCE_URL).find_details(data, box, timeout=timeout))


def ask_annotation(annotation: Annotation, box: Box | None) -> Asked:
    """Those of a garment that the shop has; raises as `ask_engine`, and FileNotFoundError."""
    return ask_engine(files.read_photo(annotation.image), box)


def ask_product(product: Product) -> Asked | None:
    """Those of its best photo; None where it has none. Raises as `ask_annotation`."""
    photos = list_searchable_photos(product.tenant_id).filter(product=product)
    photo = photos.select_related("image", "garment").order_by("-verdict", "position").first()
    if photo is None or photo.garment is None or photo.image is None:
        return None
    kept = PhotoDetails.objects.filter(photo=photo, garment=photo.garment).first()
    if kept is not None and kept.vectors:
        return Asked(kept.model, bytes(kept.vectors))
    return ask_engine(files.read_photo(photo.image), photo.garment.box)


def find_share(*, tenant: Tenant, model: str) -> float:
    """The part (0 to 1) of the shop's photos whose details are known; a job makes the rest."""
    whole = list_searchable_photos(tenant.id).count()
    missing = list_missing(tenant.id, model).count()
    if missing:
        with transaction.atomic():
            jobs.defer_details(tenant.id, model)
    return 1 - missing / whole if whole else 1.0


def list_missing(tenant_id: UUID, model: str) -> "QuerySet[ProductImage]":
    """Photos without details by this model of the garment that they show now."""
    photos = list_searchable_photos(tenant_id)
    known = photos.filter(details__model=model, details__garment=F("garment"))
    return photos.exclude(id__in=known.values("id"))


def build_part(*, tenant_id: UUID, model: str) -> bool:
    """Make the next photos' details; False when there are no more, or the engine has other weights.

    Any number of times. Raises client.Overloaded, client.Unavailable, client.NoDetails and
    files.StorageAway to go on later.
    """
    photos = list_missing(tenant_id, model).select_related("image", "garment").order_by("id")
    parts = list(photos[:PART])
    for photo in parts:
        found = _look(photo) or Asked(model, b"")
        if found.model != model:
            return False
        _keep(photo, found)
    return bool(parts)


def _look(photo: ProductImage) -> Asked | None:
    assert photo.image is not None  # noqa: S101 - `list_searchable_photos`
    assert photo.garment is not None  # noqa: S101
    try:
        return ask_engine(files.read_photo(photo.image), photo.garment.box)
    except (FileNotFoundError, InvalidImage, ValueError) as error:
        logger.warning("The photo %s got no details: %s", photo.id, error)
        return None


def _keep(photo: ProductImage, found: Asked) -> None:
    assert photo.garment is not None  # noqa: S101 - `list_searchable_photos`
    with transaction.atomic():
        # Else it was judged anew or deleted meanwhile.
        still = ProductImage.objects.filter(id=photo.id, garment=photo.garment)
        if still.select_for_update(of=("self",), no_key=True).exists():
            PhotoDetails.objects.update_or_create(
                photo=photo,
                defaults={
                    "tenant_id": photo.tenant_id,
                    "garment": photo.garment,
                    "model": found.model,
                    "vectors": found.vectors,
                },
            )
