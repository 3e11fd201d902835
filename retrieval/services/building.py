"""What the engines' models have not looked at yet gets its vectors by jobs.

Two engines may run: the one that annotates, and meanwhile one with a new model
(`INDEX_INFERENCE_URL`). The indexes of both are kept complete. An index whose model no engine runs
any more cannot follow what is new: the shop goes over to the complete one, unless it went back, or
an engine is away, which may be the one that runs it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from accounts.models import Tenant
from annotations import files
from annotations.models import Garment
from inference import client
from inference.contract import EngineHealth, InvalidImage, ObjectType
from retrieval import jobs
from retrieval.models import ActiveIndex, IndexVersion, ProductImage, UnseenPhoto
from retrieval.services import calibration
from retrieval.services.indexes import (
    Model,
    get_or_begin,
    list_missing,
    write_vector,
)

logger = logging.getLogger(__name__)

State = IndexVersion.State
# Photos in one job, so that a long build takes turns with other jobs.
PART = 50
TIMEOUT_S = 60.0
AN_HOUR_S = 3600
A_DAY_S = 24 * AN_HOUR_S


@dataclass(frozen=True, slots=True)
class Engines:
    """Those that answer by the model that they run, the one that indexes are built with first."""

    by_model: Mapping[Model, client.Client]
    all_answered: bool
    """Else one that is away may run any model."""


class OtherModel(Exception):
    """The engine runs another model than the one that the index is of."""


class FamilyGone(client.Unavailable):
    """All engines answered, and none has the shop's family any more."""


def begin_build(*, tenant: Tenant, now: datetime) -> IndexVersion:
    """Let a job make the vectors that the index of the newest engine's model lacks.

    What that model saw nothing on is tried again. Raises client.Unavailable.
    """
    model = next(iter(find_engines(family=tenant.model_family).by_model))
    with transaction.atomic():
        index = get_or_begin(tenant.id, model, now=now, build=False)
        index.unseen.all().delete()
        _go_on(index)
    return index


def follow_engines(*, now: datetime) -> None:
    """Let jobs complete the indexes of all shops that have any, for the models that engines run.

    Raises client.Unavailable where none runs.
    """
    engines = find_engines()
    by_family: dict[str, Engines] = {"": engines}
    actives = ActiveIndex.objects.select_related("tenant", "index").order_by("tenant_id")
    for active in actives.iterator():
        try:
            family = active.tenant.model_family
            if family not in by_family:
                by_family[family] = find_engines(family=family)
            _follow(active, by_family[family], now=now)
        except FamilyGone as error:
            if cache.add(f"family-gone.{active.tenant_id}.{family}", True, A_DAY_S):
                logger.warning("The index of %s stands still: %s", active.tenant_id, error)
        except Exception:  # of one shop: the others' go on
            logger.exception("The indexes of %s could not be followed", active.tenant_id)


def build_part(*, index_id: UUID, now: datetime) -> bool:
    """Make the vectors of the next photos that lack one; False when there are no more.

    Any number of times: what is there is not made again. Raises client.Overloaded,
    client.Unavailable and files.StorageAway to go on later.
    """
    indexes = IndexVersion.objects.filter(id=index_id).exclude(state=State.FAILED)
    index = indexes.select_related("tenant").first()
    if index is None:
        return False
    engines = find_engines(family=index.tenant.model_family)
    photos = list(_list_next(index)[:PART])
    unseen: list[ProductImage] = []
    for photo in photos:
        try:
            vector = _find_vector(index, photo, engines)
        except OtherModel as error:
            _fail(index, str(error))
            return False
        if vector is None:
            unseen.append(photo)
        else:
            write_vector(index, photo, vector)
    if photos:
        _note_unseen(index, unseen)
        IndexVersion.objects.filter(id=index.id).update(built_to=photos[-1].id)
        return True
    _finish(index, engines.by_model.get(_model_of(index)), now=now)
    return False


def recalibrate_all() -> None:
    """Shops grow: what is similar in each is measured anew."""
    try:
        engines = find_engines().by_model
    except client.Unavailable:
        engines = {}
    for index in IndexVersion.objects.filter(state=State.READY).iterator():
        try:
            calibration.calibrate(index=index, engine=engines.get(_model_of(index)))
        except Exception:  # of one shop: the others' go on
            logger.exception("The index %s of %s was not calibrated", index, index.tenant_id)


def find_engines(*, family: str = "") -> Engines:
    """Those of a shop of this family, which is one model of an engine; else the engines' own.

    Raises client.Unavailable where none answers, FamilyGone where none has the family.
    """
    found: dict[Model, client.Client] = {}
    all_answered = True
    for url in filter(None, (settings.INDEX_INFERENCE_URL, settings.INFERENCE_URL)):
        engine = client.Client(url)
        health = _ask_health(engine)
        if health is None or health.model is None:
            all_answered = False
        elif family:
            for other in health.others:
                if other.choice == family:
                    model = Model(other.name, other.version)
                    found.setdefault(model, client.Client(url, model=family))
        else:
            found.setdefault(Model(health.model.name, health.model.version), engine)
    if not found and family and all_answered:
        raise FamilyGone(f"no engine has the model {family!r}; import it again or choose another.")
    if not found:
        raise client.Unavailable("No engine answers.")
    return Engines(found, all_answered)


def count_missing(index: IndexVersion) -> int:
    """Photos that the index lacks and its model has not looked at; one query."""
    return list_missing(index).count()


@transaction.atomic
def _note_unseen(index: IndexVersion, photos: Sequence[ProductImage]) -> None:
    """Of those that are still there as they were asked about."""
    asked = {photo.id: photo.garment_id for photo in photos}
    there = ProductImage.objects.filter(id__in=asked).select_for_update(of=("self",), no_key=True)
    UnseenPhoto.objects.bulk_create(
        [
            UnseenPhoto(
                tenant_id=index.tenant_id, index=index, photo=photo, garment_id=photo.garment_id
            )
            for photo in there.order_by("id")
            if photo.garment_id and photo.garment_id == asked[photo.id]
        ],
        update_conflicts=True,
        unique_fields=["index", "photo"],
        update_fields=["garment"],
    )


def _ask_health(engine: client.Client) -> EngineHealth | None:
    try:
        return engine.health()
    except client.Unavailable:
        return None


def _model_of(index: IndexVersion) -> Model:
    return Model(index.model_name, index.model_version)


def _follow(active: ActiveIndex, engines: Engines, *, now: datetime) -> None:
    complete = [
        index for model in engines.by_model if (index := _complete(active.tenant, model, now=now))
    ]
    for index in complete:
        # A shop's first index has grown product by product; a small one may never have enough.
        if index.words_cut_off is None and cache.add(f"calibrated.{index.id}", True, AN_HOUR_S):
            calibration.calibrate(index=index, engine=engines.by_model[_model_of(index)])
    lost = engines.all_answered and _model_of(active.index) not in engines.by_model
    if complete and lost and not active.kept:
        _take_over(active, complete[0], now=now)


def _complete(tenant: Tenant, model: Model, *, now: datetime) -> IndexVersion | None:
    """The shop's index of this model if it lacks nothing, else a job goes on with it."""
    with transaction.atomic():
        index = get_or_begin(tenant.id, model, now=now, build=False)
        if index.state == State.READY and not list_missing(index).exists():
            return index
        _go_on(index)
    return None


def _go_on(index: IndexVersion) -> None:
    """From the beginning, unless it is being built: what is there is not made again."""
    if index.state != State.BUILDING:
        state = State.READY if index.state == State.READY else State.BUILDING
        IndexVersion.objects.filter(id=index.id).update(built_to=None, error="", state=state)
    jobs.defer_index_part(index)


def _take_over(active: ActiveIndex, index: IndexVersion, *, now: datetime) -> None:
    """Only where something is missing: else what is found stays as it is until the shop wants."""
    if count_missing(active.index):
        ActiveIndex.objects.filter(pk=active.pk, index=active.index, kept=False).update(
            index=index, switched_at=now
        )
        logger.info("%s is searched by %s: its old index can't follow", active.tenant_id, index)


def _finish(index: IndexVersion, engine: client.Client | None, *, now: datetime) -> None:
    """Everything has its vector: the index can be searched from here on."""
    calibration.calibrate(index=index, engine=engine)
    IndexVersion.objects.filter(id=index.id, state=State.BUILDING).update(
        state=State.READY, ready_at=now
    )


def _list_next(index: IndexVersion) -> "QuerySet[ProductImage]":
    photos = list_missing(index)
    if index.built_to:
        photos = photos.filter(id__gt=index.built_to)
    garments = Garment.objects.select_related("annotation")
    photos = photos.select_related("image").prefetch_related(Prefetch("garment", garments))
    return photos.order_by("id")


def _find_vector(
    index: IndexVersion, photo: ProductImage, engines: Engines
) -> Sequence[float] | None:
    """From its annotation where the same model made it, else from the engine.

    None where the engine sees nothing. Raises OtherModel, and client.Unavailable while the model's
    engine may be one that is away.
    """
    garment, image = photo.garment, photo.image
    assert garment is not None  # noqa: S101 - `list_searchable_photos`
    assert image is not None  # noqa: S101
    model = _model_of(index)
    made_by = Model(garment.annotation.model_name, garment.annotation.model_version)
    if made_by == model and garment.embedding is not None:
        vector: Sequence[float] = garment.embedding
        return vector
    engine = engines.by_model.get(model)
    if engine is None and not engines.all_answered:
        raise client.Unavailable(f"No engine that answers runs {model}.")
    if engine is None:
        raise _other_model(next(iter(engines.by_model)), model)
    try:
        result = engine.annotate(
            files.read_photo(image),
            crop=garment.box,
            hint=_to_hint(garment.object_type),
            timeout=TIMEOUT_S,
        )
    except (FileNotFoundError, InvalidImage, ValueError) as error:
        logger.warning("The photo %s got no vector: %s", photo.id, error)
        return None
    if (found := Model(result.model.name, result.model.version)) != model:
        raise _other_model(found, model)
    seen = [each for each in result.garments if each.embedding]
    best = max(seen, key=lambda each: (each.primary, each.confidence), default=None)
    return best.embedding if best else None


def _other_model(found: Model, wanted: Model) -> OtherModel:
    return OtherModel(
        _("The engine runs %(found)s, not %(wanted)s.")
        % {"found": str(found), "wanted": str(wanted)}
    )


def _to_hint(object_type: str) -> ObjectType:
    return object_type  # type: ignore[return-value]  # the column's choices are these


def _fail(index: IndexVersion, reason: str) -> None:
    """What was searched with stays searchable."""
    state = State.READY if index.state == State.READY else State.FAILED
    IndexVersion.objects.filter(id=index.id).update(state=state, error=reason[:300])
