"""The photos of a product: linked, judged together, and compared with those of other products."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from django.db import connection, transaction
from django.db.models import Case, Count, F, Max, Model, Value, When

from accounts import usage
from accounts.models import Tenant, User
from annotations import jobs as annotation_jobs
from annotations import services as annotation_services
from annotations.models import Annotation, FashionImage, Garment
from annotations.photos import Photo, check_photo
from kalas.lib.row_updates import update_each
from retrieval import hashing, jobs, judging
from retrieval.auditing.measures import Measures, measure_pixels
from retrieval.describing import describe
from retrieval.models import PhotoHash, Product, ProductImage
from retrieval.services import audits, indexes

# As many as a page shows and a judgement reads without being slow.
MOST_PHOTOS = 200
COLOURS_OF_PRODUCT = 3
_PRODUCTS_WITH = "SELECT DISTINCT product_id FROM retrieval_productimage WHERE image_id = ANY(%s)"
# What a judgement changes of a photo and of its product.
_VERDICT = ("verdict", "garment_id")
_JUDGEMENT = (
    "garment_id",
    "object_type",
    "category",
    "confidence",
    "colours",
    "photos_disagree",
    "photo_advice",
    "label_words",
    "state",
    "updated_at",
)


class TooManyPhotos(ValueError):
    """The product has as many photos as one may have."""


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
    with transaction.atomic():
        if counts and not _is_known(tenant, photo):
            usage.count_annotations(tenant=tenant, key=None, number=1, now=now)
        annotation, is_new = annotation_services.store_photo(
            tenant=tenant,
            photo=photo,
            name=name,
            uploaded_by=added_by,
            now=now,
            priority=priority,
        )
        if is_new and measures:
            audits.write_measures([(annotation.image, measures)])
        linked = link_image(
            tenant=tenant,
            product_id=product_id,
            image_id=annotation.image_id,
            now=now,
            waiting=waiting,
            source=source,
            is_new=is_new,
        )
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


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A checked photo, what was measured while it was decoded, whose it is, and the entry that
    waited for it if one did."""

    photo: Photo
    name: str
    measures: Measures
    product_id: UUID
    waiting: ProductImage | None = None


@transaction.atomic
def add_new_photos(
    *, tenant: Tenant, new: Sequence[NewPhoto], added_by: User | None, now: datetime
) -> list[ProductImage]:
    """As `add_photo` for many that the shop does not have yet, all or nothing: a fixed number of
    queries. The products' rows are locked by the caller.

    Raises IntegrityError where the shop has one of them already, TooManyPhotos and
    usage.QuotaUsedUp.
    """
    images = annotation_services.store_new_photos(
        tenant=tenant,
        photos=[(each.photo, each.name) for each in new],
        uploaded_by=added_by,
        now=now,
    )
    product_ids = {each.product_id for each in new}
    ends = _read_ends(product_ids)
    added, changed = [], []
    for each, image in zip(new, images, strict=True):
        entry = each.waiting
        if entry is None:
            number, position = ends.get(each.product_id, (0, 0))
            if number >= MOST_PHOTOS:
                raise TooManyPhotos
            ends[each.product_id] = number + 1, position + 1
            entry = ProductImage(
                tenant=tenant, product_id=each.product_id, position=position, created_at=now
            )
            added.append(entry)
        else:
            changed.append(entry)
        entry.image, entry.state = image, ProductImage.State.STORED
    ProductImage.objects.bulk_create(added)
    ProductImage.objects.bulk_update(changed, ["image", "state", "error"])
    write_hashes((image, each.photo.thumbnail) for image, each in zip(images, new, strict=True))
    jobs.defer_comparison(*added, *changed)
    audits.write_measures((image, each.measures) for image, each in zip(images, new, strict=True))
    _wait_for_answers(product_ids, now=now)
    # Last, as all of the shop's requests wait for this row until the commit.
    usage.count_annotations(tenant=tenant, key=None, number=len(new), now=now)
    annotation_jobs.wake_shop(tenant.id, at=now)
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
        judge_product(product, now=now)
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
        judge_product(product, now=now)
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
    judge_product(product, now=now)
    return photo


def judge_products_with(
    *,
    tenant_id: UUID,
    image_ids: Sequence[UUID],
    newest: Sequence[Annotation] = (),
    now: datetime,
) -> None:
    """Judge anew what these photos are of; called in the transaction that changed their
    annotations.

    `newest` are those of them that are known to be their photos' newest.
    """
    # Asked with every annotation, of which most are of no product.
    with connection.cursor() as cursor:
        cursor.execute(_PRODUCTS_WITH, [list(image_ids)])
        ids = [product_id for (product_id,) in cursor.fetchall()]
    if not ids:
        return
    products = Product.objects.filter(tenant_id=tenant_id, id__in=ids)
    held = products.order_by("id").select_for_update(of=("self",))
    judge_products(list(held), known=newest, now=now)


@transaction.atomic
def judge_again(
    *, tenant: Tenant, product_id: UUID, now: datetime, unpublish: bool = False
) -> None:
    """Judge a product by the photos it has come to; `unpublish` also takes back that it was
    published. Raises Product.DoesNotExist."""
    products = Product.objects.for_tenant(tenant).select_for_update(of=("self",))
    product = products.get(id=product_id)
    if unpublish and product.state == Product.State.PUBLISHED:
        product.state = Product.State.NEW
    judge_product(product, now=now)


def judge_product(product: Product, *, now: datetime) -> None:
    """Judge all photos of a product together; its row is locked by the caller.

    What a person has published stays so, whatever the photos say.
    """
    judge_products([product], now=now)


def judge_products(
    products: Sequence[Product], *, known: Sequence[Annotation] = (), now: datetime
) -> None:
    """The same of several of one shop, each by itself, by no more queries than one takes. What is
    `known` need not be read."""
    photos = ProductImage.objects.filter(product__in=[product.id for product in products])
    photos_of: dict[UUID, list[ProductImage]] = {product.id: [] for product in products}
    for photo in photos.in_order():
        photos_of[photo.product_id].append(photo)
    everything = [photo for each in photos_of.values() for photo in each]
    image_ids = {photo.image_id for photo in everything if photo.image_id}
    newest = {each.image_id: each for each in known if each.image_id in image_ids}
    newest |= read_newest_annotations([id_ for id_ in image_ids if id_ not in newest])
    garments = {g.id: g for a in newest.values() for g in a.garments.all()}
    measures = audits.read_measures(image_ids)
    before = {photo.id: (photo.verdict, photo.garment_id) for photo in everything}
    for product in products:
        of_product = photos_of[product.id]
        answered = [
            photo
            for photo in of_product
            if photo.image_id in newest and newest[photo.image_id].state != Annotation.State.PENDING
        ]
        judgement = judging.judge([_see(newest[photo.image_id]) for photo in answered])  # type: ignore[index]
        _note_verdicts(
            of_product, dict(zip((p.id for p in answered), judgement.photos, strict=True))
        )
        best = garments[judgement.best.id] if judgement.best else None  # type: ignore[index]
        _note_judgement(product, best, disagree=judgement.disagree)
        told = audits.audit(of_product, newest, object_type=product.object_type, measures=measures)
        product.photo_advice = audits.list_codes(told)
        waiting = len(answered) < sum(p.state in ("waiting", "stored") for p in of_product)
        unsure = any(newest[photo.image_id].needs_review for photo in answered)  # type: ignore[index]
        if product.state != Product.State.PUBLISHED:
            product.state = _find_state(
                waiting=waiting or not answered, unsure=unsure or judgement.disagree or best is None
            )
        product.updated_at = now
    _save(
        ProductImage, [p for p in everything if (p.verdict, p.garment_id) != before[p.id]], _VERDICT
    )
    indexes.sync_photos(photos=everything, garments=garments, annotations=newest, now=now)
    _save(Product, products, _JUDGEMENT)


def _save(model: type[Model], rows: Sequence[Model], names: Sequence[str]) -> None:
    update_each(model, [{name: getattr(row, name) for name in ("id", *names)} for row in rows])


def read_newest_annotations(image_ids: list[UUID]) -> dict[UUID, Annotation]:
    """The newest annotation of each whole photo with its garments and colours; three queries."""
    if not image_ids:
        return {}
    rows = (
        Annotation.objects.filter(image__in=image_ids, crop__isnull=True)
        .order_by("image_id", "-created_at", "-id")
        .distinct("image_id")
        .select_related("image")
        .prefetch_related("garments__colours")
    )
    return {annotation.image_id: annotation for annotation in rows}


def _wait_for_answers(product_ids: Collection[UUID], *, now: datetime) -> None:
    """What `judge_product` would make of products that got photos which are not annotated yet."""
    published = When(state=Product.State.PUBLISHED, then=F("state"))
    Product.objects.filter(id__in=product_ids).update(
        state=Case(published, default=Value(Product.State.NEW)), updated_at=now
    )


def _find_state(*, waiting: bool, unsure: bool) -> Product.State:
    if waiting:
        return Product.State.NEW
    return Product.State.IN_REVIEW if unsure else Product.State.ANNOTATED


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


def _see(annotation: Annotation) -> list[judging.SeenGarment]:
    area = annotation.image.width * annotation.image.height
    return [_describe(garment, area) for garment in annotation.garments.all()]


def _describe(garment: Garment, area: int) -> judging.SeenGarment:
    box = garment.box
    return judging.SeenGarment(
        id=garment.id,
        object_type=garment.object_type,
        category=garment.category,
        category_confidence=garment.category_confidence,
        box_confidence=garment.confidence,
        share=box.width * box.height / area,
        primary=garment.primary,
        alternatives=tuple(each["name"] for each in garment.alternatives),
    )


def _note_verdicts(
    photos: Iterable[ProductImage], judged: Mapping[UUID, judging.JudgedPhoto]
) -> None:
    """Set on the objects; the caller saves."""
    for photo in photos:
        found = judged.get(photo.id)
        photo.verdict = str(found.verdict) if found else ""
        photo.garment_id = found.garment.id if found and found.garment else None  # type: ignore[assignment]


def _note_judgement(product: Product, best: Garment | None, *, disagree: bool) -> None:
    """The same."""
    product.garment = best
    product.object_type = best.object_type if best else ""
    product.category = best.category if best else ""
    product.confidence = best.category_confidence if best else None
    colours = sorted(best.colours.all(), key=lambda colour: colour.position) if best else []
    product.colours = [colour.name for colour in colours[:COLOURS_OF_PRODUCT]]
    product.label_words = describe(
        object_type=product.object_type,
        category=product.category,
        colours=product.colours,
        attributes=[(label.key, label.name) for label in best.labels.all()] if best else (),
    )
    product.photos_disagree = disagree
