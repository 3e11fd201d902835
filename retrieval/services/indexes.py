"""The vectors that similar items are found by: one index for each version of a model.

The index of the model that annotates is kept while products are judged. That of another model is
built beside it by a job, from the same photos; searching with it is then one update, as is going
back. Vectors of different models are never compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import Tenant
from annotations.models import Annotation, Garment
from retrieval import jobs
from retrieval.models import ActiveIndex, Embedding, IndexVersion, ProductImage, UnseenPhoto

State = IndexVersion.State
# Photos that show their product; the others' vectors would lead to what is not sold.
SHOWING = (ProductImage.Verdict.BEST, ProductImage.Verdict.AGREES)


@dataclass(frozen=True, slots=True)
class Model:
    """Which model's vectors can be compared with which."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class NotReady(Exception):
    """Only an index that is built can be searched."""


class InUse(Exception):
    """The index that is searched can't be deleted."""


def sync_photos(
    *,
    photos: Sequence[ProductImage],
    garments: Mapping[UUID, Garment],
    annotations: Mapping[UUID, Annotation],
    now: datetime,
) -> None:
    """Keep the vectors of products' judged photos, all of one shop; the products' rows are locked
    by the caller.

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
    # A photo that is being annotated again keeps its vectors until the answer: those of models
    # that no engine runs any more could not be made again.
    answered = (p for p in photos if p.image_id is None or _is_answered(annotations, p.image_id))
    _forget(photo.id for photo in answered if photo.id not in shown)
    for model, pairs in by_model.items():
        _write(get_or_begin(pairs[0][0].tenant_id, model, now=now), pairs)


@transaction.atomic
def switch_to(*, tenant: Tenant, index_id: UUID, now: datetime) -> IndexVersion:
    """Search with this index from now on. Raises IndexVersion.DoesNotExist and NotReady."""
    index = IndexVersion.objects.for_tenant(tenant).get(id=index_id)
    if index.state != State.READY:
        raise NotReady
    newer = IndexVersion.objects.for_tenant(tenant).filter(created_at__gt=index.created_at)
    ActiveIndex.objects.update_or_create(
        tenant=tenant,
        defaults={
            "index": index,
            "switched_at": now,
            "kept": newer.filter(state=State.READY).exists(),
        },
    )
    return index


@transaction.atomic
def delete_index(*, tenant: Tenant, index_id: UUID) -> None:
    """With its vectors. Raises IndexVersion.DoesNotExist and InUse."""
    index = IndexVersion.objects.for_tenant(tenant).get(id=index_id)
    if ActiveIndex.objects.filter(index=index).exists():
        raise InUse
    index.delete()


def to_unit(vector: Sequence[float]) -> list[float]:
    """Of length 1, so that L2 and cosine order alike."""
    length = sqrt(sum(x * x for x in vector)) or 1.0
    return [x / length for x in vector]


def list_searchable_photos(tenant_id: UUID) -> QuerySet[ProductImage]:
    """The shop's photos that an index holds when it is complete."""
    return ProductImage.objects.filter(
        tenant_id=tenant_id, verdict__in=SHOWING, garment__isnull=False, image__isnull=False
    )


def list_missing(index: IndexVersion) -> QuerySet[ProductImage]:
    """Those of them that the index's model has not looked at yet."""
    own = Embedding.objects.filter(index=index, photo=OuterRef("id"))
    unseen = UnseenPhoto.objects.filter(
        index=index, photo=OuterRef("id"), garment=OuterRef("garment")
    )
    return list_searchable_photos(index.tenant_id).filter(~Exists(own), ~Exists(unseen))


def get_or_begin(
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


def write_vector(index: IndexVersion, photo: ProductImage, vector: Sequence[float]) -> None:
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


def _is_answered(annotations: Mapping[UUID, Annotation], image_id: UUID) -> bool:
    newest = annotations.get(image_id)
    return newest is None or newest.state == Annotation.State.DONE


def _forget(photo_ids: Iterable[UUID]) -> None:
    if gone := list(photo_ids):
        Embedding.objects.filter(photo__in=gone).delete()
