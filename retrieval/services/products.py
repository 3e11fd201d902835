"""Every write of products, alone or many at once."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.models import Tenant, User
from annotations import jobs as annotation_jobs
from annotations import services as annotation_services
from annotations.models import Annotation, FashionImage, TenantQuerySet
from retrieval.models import Product, ProductImage

# What a person or a file says of a product; the rest is judged.
FIELDS = ("title", "description", "url", "price", "currency", "stock", "listed")


class IdTaken(ValueError):
    """The shop has another product with this id."""


def create_product(
    *,
    tenant: Tenant,
    values: Mapping[str, object],
    now: datetime,
    external_id: str = "",
    store_id: UUID | None = None,
) -> Product:
    """A product without photos; without an id it gets one. Raises IdTaken."""
    product_id = uuid4()
    try:
        with transaction.atomic():
            return Product.objects.create(
                id=product_id,
                tenant=tenant,
                store_id=store_id,
                external_id=external_id or f"K-{product_id.hex[:10].upper()}",
                created_at=now,
                updated_at=now,
                **_trim({name: values[name] for name in FIELDS if name in values}),
            )
    except IntegrityError as error:
        raise IdTaken(external_id) from error


def hold_product(*, tenant: Tenant, product_id: UUID) -> None:
    """Let it stay as it is, with its photos, until the transaction ends.

    Raises Product.DoesNotExist for another shop's product.
    """
    images = FashionImage.objects.for_tenant(tenant).filter(product_images__product=product_id)
    list(images.order_by("id").select_for_update(of=("self",), no_key=True).values_list("id"))
    Product.objects.for_tenant(tenant).select_for_update(of=("self",)).get(id=product_id)


@transaction.atomic
def change_product(
    *,
    tenant: Tenant,
    product_id: UUID,
    values: Mapping[str, object],
    now: datetime,
    external_id: str = "",
) -> tuple[Product, list[str]]:
    """Set what differs; return the product and the names of the fields that did.

    Raises Product.DoesNotExist for another shop's product, and IdTaken.
    """
    product = Product.objects.for_tenant(tenant).select_for_update(of=("self",)).get(id=product_id)
    wanted = {name: values[name] for name in FIELDS if name in values}
    if external_id:
        wanted["external_id"] = external_id
    changed = set_values(product, wanted)
    if changed:
        product.updated_at = now
        try:
            with transaction.atomic():
                product.save(update_fields=[*changed, "updated_at"])
        except IntegrityError as error:
            raise IdTaken(external_id) from error
    return product, changed


def set_values(product: Product, values: Mapping[str, object]) -> list[str]:
    """Set on the object what differs and return those fields' names; nothing is saved."""
    trimmed = _trim(values)
    changed = [name for name, value in trimmed.items() if getattr(product, name) != value]
    for name in changed:
        setattr(product, name, trimmed[name])
    return changed


def _trim(values: Mapping[str, object]) -> dict[str, object]:
    """Without the spaces around words, which files and stores keep or lose at will."""
    return {name: v.strip() if isinstance(v, str) else v for name, v in values.items()}


@transaction.atomic
def delete_products(*, tenant: Tenant, product_ids: Collection[UUID]) -> int:
    """With the photos that no other product has; return how many products there were."""
    mine = Product.objects.for_tenant(tenant).filter(id__in=product_ids)
    shared = ProductImage.objects.filter(image=None) | ProductImage.objects.for_tenant(
        tenant
    ).exclude(product__in=product_ids)
    photos = ProductImage.objects.for_tenant(tenant).filter(product__in=mine, image__isnull=False)
    images = set(photos.values_list("image", flat=True)) - set(
        shared.filter(image__in=photos.values("image")).values_list("image", flat=True)
    )
    image_ids = list(filter(None, images))
    annotation_services.hold_images(tenant=tenant, image_ids=image_ids)
    _hold(mine | Product.objects.for_tenant(tenant).filter(photos__image__in=image_ids))
    annotation_services.delete_images(tenant=tenant, image_ids=image_ids)
    _total, by_model = mine.delete()
    return by_model.get(Product._meta.label, 0)


@transaction.atomic
def publish_products(*, tenant: Tenant, product_ids: Collection[UUID], now: datetime) -> int:
    """Mark as published; return how many were not before."""
    products = Product.objects.for_tenant(tenant).filter(id__in=product_ids)
    unpublished = _hold(products.exclude(state=Product.State.PUBLISHED))
    return Product.objects.filter(id__in=unpublished).update(
        state=Product.State.PUBLISHED, updated_at=now
    )


@transaction.atomic
def annotate_products_again(
    *, tenant: Tenant, product_ids: Iterable[UUID], requested_by: User, now: datetime
) -> int:
    """Ask anew for all photos of these products, behind what pages asked for.

    Photos that wait already are left out; return how many were asked for.
    """
    products = Product.objects.for_tenant(tenant).filter(id__in=product_ids)
    asked = 0
    for annotation_id in _newest_annotations(products):
        try:
            annotation_services.annotate_again(
                tenant=tenant,
                annotation_id=annotation_id,
                requested_by=requested_by,
                now=now,
                priority=Annotation.Priority.BULK,
            )
        except (
            annotation_services.StillWaiting,
            Annotation.DoesNotExist,
            FashionImage.DoesNotExist,
        ):
            continue
        asked += 1
    with_photos = _hold(products.filter(~Q(photos=None)))
    Product.objects.filter(id__in=with_photos).update(state=Product.State.NEW, updated_at=now)
    annotation_jobs.wake_shop(tenant.id, at=now)
    return asked


def _hold(products: TenantQuerySet[Product]) -> list[UUID]:
    """Their ids, locked in the order in which everybody locks them."""
    # A subquery, as rows that are joined for a condition may come twice.
    rows = Product.objects.filter(id__in=products.values("id")).order_by("id")
    return list(rows.select_for_update(of=("self",)).values_list("id", flat=True))


def _newest_annotations(products: TenantQuerySet[Product]) -> list[UUID]:
    """Of each photo the newest annotation of the whole photo, in the order of the photos' ids."""
    rows = (
        Annotation.objects.filter(image__product_images__product__in=products, crop__isnull=True)
        .order_by("image_id", "-created_at", "-id")
        .distinct("image_id")
    )
    return list(rows.values_list("id", flat=True))
