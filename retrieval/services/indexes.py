"""The vectors that similar items are found by: one index for each version of a model.

The index of the model that annotates is kept while products are judged. That of another model is
built beside it by a job, from the same photos; searching with it is then one update, as is going
back. Vectors of different models are never compared.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from accounts.models import Tenant
from annotations import files
from annotations.models import Annotation, Garment
from inference import client
from inference.contract import InvalidImage, ObjectType
from retrieval import jobs
from retrieval.models import ActiveIndex, Embedding, IndexVersion, ProductImage

logger = logging.getLogger(__name__)

State = IndexVersion.State
# Photos that show their product; the others' vectors would lead to what is not sold.
SHOWING = (ProductImage.Verdict.BEST, ProductImage.Verdict.AGREES)
# Photos in one job, so that a long build takes turns with other jobs.
PART = 50
TIMEOUT_S = 60.0
# Of the demo shop's photos, 95 % of the pairs of different categories are less similar than this.
USUAL_CUT_OFF = 0.45
SURE_ENOUGH = 0.95
_SAMPLE = 600
_LEAST_PAIRS = 2_000


@dataclass(frozen=True, slots=True)
class Model:
    """Which model's vectors can be compared with which."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class OtherModel(Exception):
    """The engine runs another model than the one that the index is of."""


class NotReady(Exception):
    """Only an index that is built can be searched."""


class InUse(Exception):
    """The index that is searched can't be deleted."""


def sync_product(
    *,
    photos: Sequence[ProductImage],
    garments: Mapping[UUID, Garment],
    annotations: Mapping[UUID, Annotation],
    now: datetime,
) -> None:
    """Keep the vectors of a product's judged photos; the product's row is locked by the caller.

    `garments` by id and `annotations` by photo are the newest ones.
    """
    shown = {photo.id: photo for photo in photos if photo.verdict in SHOWING}
    by_model: dict[Model, list[tuple[ProductImage, Garment]]] = {}
    for photo in shown.values():
        garment = garments.get(photo.garment_id) if photo.garment_id else None
        if garment is not None and garment.embedding is not None and photo.image_id:
            annotation = annotations[photo.image_id]
            model = Model(annotation.model_name, annotation.model_version)
            by_model.setdefault(model, []).append((photo, garment))
    _forget(photo.id for photo in photos if photo.id not in shown)
    for model, pairs in by_model.items():
        _write(_get_or_begin(pairs[0][0].tenant_id, model, now=now), pairs)


def begin_build(*, tenant: Tenant, now: datetime) -> IndexVersion:
    """Let a job make the vectors that an index of the engine's model lacks.

    The engine is that of `INDEX_INFERENCE_URL`, else that of all photos. Raises client.Unavailable.
    """
    health = get_engine().health()
    if health.model is None:
        raise client.Unavailable("The engine is loading its model.")
    with transaction.atomic():
        index = _get_or_begin(
            tenant.id, Model(health.model.name, health.model.version), now=now, build=False
        )
        IndexVersion.objects.filter(id=index.id).update(
            built_to=None,
            error="",
            state=State.READY if index.state == State.READY else State.BUILDING,
        )
        jobs.defer_index_part(index)
    return index


def build_missing(*, now: datetime) -> None:
    """Begin the index of the engine's model for each shop that has only others.

    Else a photo could not be searched with after the engine got a new model. Switching what
    products are searched by stays the shop's. Raises client.Unavailable.
    """
    model = get_engine().health().model
    if model is None:
        return
    begun = IndexVersion.objects.filter(model_name=model.name, model_version=model.version)
    for tenant in Tenant.objects.filter(active_index__isnull=False).exclude(
        id__in=begun.values("tenant_id")
    ):
        begin_build(tenant=tenant, now=now)


def build_part(*, index_id: UUID, now: datetime) -> bool:
    """Make the vectors of the next photos that lack one; False when there are no more.

    Any number of times: what is there is not made again. Raises client.Overloaded,
    client.Unavailable and files.StorageAway to go on later.
    """
    index = IndexVersion.objects.filter(id=index_id).exclude(state=State.FAILED).first()
    if index is None:
        return False
    photos = list(_list_missing(index)[:PART])
    for photo in photos:
        try:
            vector = _find_vector(index, photo)
        except OtherModel as error:
            _fail(index, str(error))
            return False
        if vector is not None:
            _write_vector(index, photo, vector)
    if photos:
        IndexVersion.objects.filter(id=index.id).update(built_to=photos[-1].id)
        return True
    finish_build(index=index, now=now)
    return False


def finish_build(*, index: IndexVersion, now: datetime) -> None:
    """Everything has its vector: the index can be searched from here on."""
    index.cut_off = calibrate(index=index)
    if index.state != State.READY:
        index.state, index.ready_at = State.READY, now
    index.save(update_fields=["cut_off", "state", "ready_at"])


@transaction.atomic
def switch_to(*, tenant: Tenant, index_id: UUID, now: datetime) -> IndexVersion:
    """Search with this index from now on. Raises IndexVersion.DoesNotExist and NotReady."""
    index = IndexVersion.objects.for_tenant(tenant).get(id=index_id)
    if index.state != State.READY:
        raise NotReady
    ActiveIndex.objects.update_or_create(
        tenant=tenant, defaults={"index": index, "switched_at": now}
    )
    return index


@transaction.atomic
def delete_index(*, tenant: Tenant, index_id: UUID) -> None:
    """With its vectors. Raises IndexVersion.DoesNotExist and InUse."""
    index = IndexVersion.objects.for_tenant(tenant).get(id=index_id)
    if ActiveIndex.objects.filter(index=index).exists():
        raise InUse
    index.delete()


def calibrate(*, index: IndexVersion) -> float:
    """The similarity that few pairs of products of different categories reach.

    From a sample of the shop's own products; the usual one where there are too few of them.
    """
    rows = (
        index.embeddings.filter(photo__verdict=ProductImage.Verdict.BEST)
        .exclude(photo__product__category="")
        .order_by("photo_id")  # random, and the same each time
        .values_list("vector", "photo__product__category")[:_SAMPLE]
    )
    if not rows:
        return USUAL_CUT_OFF
    vectors = np.stack([np.asarray(vector, dtype=np.float32) for vector, _category in rows])
    categories = np.array([category for _vector, category in rows])
    differ = np.triu(categories[:, None] != categories[None], k=1)
    pairs = (vectors @ vectors.T)[differ]
    if len(pairs) < _LEAST_PAIRS:
        return USUAL_CUT_OFF
    return round(float(np.clip(np.quantile(pairs, SURE_ENOUGH), 0.2, 0.95)), 4)


def recalibrate_all() -> None:
    """Shops grow: what is similar in each is measured anew."""
    for index in IndexVersion.objects.filter(state=State.READY).iterator():
        IndexVersion.objects.filter(id=index.id).update(cut_off=calibrate(index=index))


def to_unit(vector: Sequence[float]) -> list[float]:
    """Of length 1, so that L2 and cosine order alike."""
    length = sqrt(sum(x * x for x in vector)) or 1.0
    return [x / length for x in vector]


def list_searchable_photos(tenant_id: UUID) -> QuerySet[ProductImage]:
    """The shop's photos that an index holds when it is complete."""
    return ProductImage.objects.filter(
        tenant_id=tenant_id, verdict__in=SHOWING, garment__isnull=False, image__isnull=False
    )


def _get_or_begin(
    tenant_id: UUID, model: Model, *, now: datetime, build: bool = True
) -> IndexVersion:
    """A shop's first index is searched at once. A later one comes when the engine got another
    model: it is built from the photos that were there before."""
    index, is_new = IndexVersion.objects.get_or_create(
        tenant_id=tenant_id,
        model_name=model.name,
        model_version=model.version,
        defaults={"created_at": now},
    )
    if not is_new:
        return index
    _active, is_first = ActiveIndex.objects.get_or_create(
        tenant_id=tenant_id, defaults={"index": index, "switched_at": now}
    )
    if is_first:
        index.state, index.ready_at = State.READY, now
        index.save(update_fields=["state", "ready_at"])
    elif build:
        jobs.defer_index_part(index)
    return index


def _write(index: IndexVersion, pairs: Sequence[tuple[ProductImage, Garment]]) -> None:
    known = dict(
        index.embeddings.filter(photo__in=[photo.id for photo, _garment in pairs]).values_list(
            "photo_id", "garment_id"
        )
    )
    _upsert(
        Embedding(
            tenant_id=index.tenant_id,
            index=index,
            photo=photo,
            garment=garment,
            vector=to_unit(garment.embedding),
        )
        for photo, garment in pairs
        if known.get(photo.id) != garment.id
    )


def _write_vector(index: IndexVersion, photo: ProductImage, vector: Sequence[float]) -> None:
    with transaction.atomic():
        still = ProductImage.objects.filter(id=photo.id, garment=photo.garment)
        # Else it was judged anew meanwhile: the next build finds it.
        if still.select_for_update(of=("self",), no_key=True).exists():
            _upsert(
                [
                    Embedding(
                        tenant_id=index.tenant_id,
                        index=index,
                        photo=photo,
                        garment=photo.garment,
                        vector=to_unit(vector),
                    )
                ]
            )


def _upsert(embeddings: Iterable[Embedding]) -> None:
    Embedding.objects.bulk_create(
        embeddings,
        update_conflicts=True,
        unique_fields=["index", "photo"],
        update_fields=["garment", "vector"],
    )


def _forget(photo_ids: Iterable[UUID]) -> None:
    if gone := list(photo_ids):
        Embedding.objects.filter(photo__in=gone).delete()


def _list_missing(index: IndexVersion) -> QuerySet[ProductImage]:
    photos = list_searchable_photos(index.tenant_id).exclude(embeddings__index=index)
    if index.built_to:
        photos = photos.filter(id__gt=index.built_to)
    garments = Garment.objects.select_related("annotation")
    photos = photos.select_related("image").prefetch_related(Prefetch("garment", garments))
    return photos.order_by("id")


def _find_vector(index: IndexVersion, photo: ProductImage) -> Sequence[float] | None:
    """From its annotation where the same model made it, else from the engine.

    None where the engine sees nothing. Raises OtherModel.
    """
    garment, image = photo.garment, photo.image
    assert garment is not None  # noqa: S101 - `list_searchable_photos`
    assert image is not None  # noqa: S101
    model = Model(index.model_name, index.model_version)
    made_by = Model(garment.annotation.model_name, garment.annotation.model_version)
    if made_by == model and garment.embedding is not None:
        vector: Sequence[float] = garment.embedding
        return vector
    try:
        result = get_engine().annotate(
            files.read_photo(image),
            crop=garment.box,
            hint=_to_hint(garment.object_type),
            timeout=TIMEOUT_S,
        )
    except (FileNotFoundError, InvalidImage, ValueError) as error:
        logger.warning("The photo %s got no vector: %s", photo.id, error)
        return None
    if Model(result.model.name, result.model.version) != model:
        raise OtherModel(
            _("The engine runs %(found)s, not %(wanted)s.")
            % {"found": f"{result.model.name} {result.model.version}", "wanted": str(model)}
        )
    seen = [each for each in result.garments if each.embedding]
    best = max(seen, key=lambda each: (each.primary, each.confidence), default=None)
    return best.embedding if best else None


def get_engine() -> client.Client:
    """The one that indexes are built with."""
    return client.Client(settings.INDEX_INFERENCE_URL or settings.INFERENCE_URL)


def _to_hint(object_type: str) -> ObjectType:
    return object_type  # type: ignore[return-value]  # the column's choices are these


def _fail(index: IndexVersion, reason: str) -> None:
    """What was searched with stays searchable."""
    state = State.READY if index.state == State.READY else State.FAILED
    IndexVersion.objects.filter(id=index.id).update(state=state, error=reason[:300])
