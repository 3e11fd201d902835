"""What a product is, judged from all of its photos together and kept in its row."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Model

from accounts.models import Tenant
from annotations.models import Annotation, Garment
from kalas.lib.row_updates import update_each
from retrieval import judging
from retrieval.describing import describe
from retrieval.models import Product, ProductImage
from retrieval.services import audits, indexes

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


def _find_state(*, waiting: bool, unsure: bool) -> Product.State:
    if waiting:
        return Product.State.NEW
    return Product.State.IN_REVIEW if unsure else Product.State.ANNOTATED


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
        alternatives=tuple(
            each["name"] for each in garment.alternatives if each["confidence"] >= judging.PLAUSIBLE
        ),
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
