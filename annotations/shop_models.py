"""Which family of the engine's models answers for a shop; old photos are asked again by jobs."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from accounts.models import Tenant, User
from annotations import engine, jobs, services
from annotations.models import Annotation, FashionImage
from inference.contract import ModelName, OtherModel

PART = 100


class NotOffered(ValueError):
    """The engine has no family of this name, or is away."""


def list_families() -> list[OtherModel]:
    """Beside the engine's own; none while it is away."""
    return engine.find_others("family")


@transaction.atomic
def choose_family(*, tenant: Tenant, choice: str) -> None:
    """Let it annotate from now on; empty: the engine's own model. Raises NotOffered."""
    if choice and choice not in {family.choice for family in list_families()}:
        raise NotOffered
    tenant.model_family = choice
    tenant.save(update_fields=["model_family"])


def list_older(*, tenant: Tenant) -> QuerySet[FashionImage]:
    """Photos whose newest annotation another model made; none while the engine is away."""
    model = engine.read_model(family=tenant.model_family)
    images = FashionImage.objects.for_tenant(tenant)
    return _by_another(images, model) if model else images.none()


def begin_again(*, tenant: Tenant, by: User) -> None:
    """Let a job ask the chosen model for all photos that another one annotated."""
    jobs.defer_shop_again(tenant.id, by.id)


@transaction.atomic
def ask_part_again(*, tenant_id: UUID, by: User, now: datetime) -> bool:
    """The next photos; False when there are no more. Any number of times: what waits is left."""
    tenant = Tenant.objects.get(id=tenant_id)
    ids = list(list_older(tenant=tenant).order_by("id").values_list("id", flat=True)[:PART])
    kept = FashionImage.objects.for_tenant(tenant).filter(id__in=ids).order_by("id")
    images = list(kept.select_for_update(of=("self",), no_key=True))
    services.request_annotations(tenant=tenant, images=images, requested_by=by, now=now)
    if images:
        jobs.wake_shop(tenant.id, at=now)
    return bool(ids)


def _by_another(images: QuerySet[FashionImage], model: ModelName) -> QuerySet[FashionImage]:
    whole = Annotation.objects.filter(image=OuterRef("id"), crop__isnull=True)
    newest = whole.order_by("-created_at", "-id")
    found = images.annotate(
        newest_state=Subquery(newest.values("state")[:1]),
        newest_name=Subquery(newest.values("model_name")[:1]),
        newest_version=Subquery(newest.values("model_version")[:1]),
    )
    same = Q(newest_name=model.name, newest_version=model.version)
    answered = Q(newest_state__in=[Annotation.State.DONE, Annotation.State.ABSTAINED])
    return found.filter(answered).exclude(same).select_related("tenant").order_by(F("id"))
