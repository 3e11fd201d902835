"""What waits for a person, and in which order it is given out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypedDict
from uuid import UUID

from django.db.models import Count, Exists, F, OrderBy, OuterRef, Q, QuerySet

from accounts.models import Membership, Role, Tenant, User
from annotations import sources
from annotations.models import (
    Annotation,
    AnnotationQuerySet,
    FashionImage,
    Garment,
    Label,
    Origin,
    Review,
    ReviewSettings,
    ReviewTask,
)
from annotations.reviewing.thresholds import CATEGORY, read_thresholds

# Who corrects what the model says; the admin and the pages ask here.
REVIEWERS = (Role.OWNER, Role.MANAGER, Role.REVIEWER)
Order = Literal["unsure", "oldest", "newest", "product"]
ORDERS: dict[str, tuple[str, ...]] = {
    "unsure": ("least_confidence", "id"),
    "oldest": ("created_at", "id"),
    "newest": ("-created_at", "-id"),
    "product": ("product", "created_at", "id"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the queue: empty means all of it."""

    category: str = ""
    key: str = ""
    store: UUID | None = None
    product: str = ""
    older_than: timedelta | None = None
    only_mine: bool = False
    order: str = "unsure"
    # Of the catalogue: a product whose photos come first.
    of: UUID | None = None


ALL = Wanted()


class QueueCounts(TypedDict):
    waiting: int
    claimed: int
    mine: int
    suggested: int


def filter_queue(*, tenant: Tenant, wanted: Wanted = ALL, now: datetime) -> AnnotationQuerySet:
    """In the wanted order, with what others have claimed."""
    rows = Annotation.objects.for_tenant(tenant).filter(needs_review=True)
    if wanted.category:
        garments = Garment.objects.filter(annotation=OuterRef("id"), primary=True)
        rows = rows.filter(Exists(garments.filter(category=wanted.category)))
    if wanted.key:
        rows = only_unsure_of(rows, tenant=tenant, key=wanted.key)
    if wanted.store:
        rows = rows.filter(sources.of_store(wanted.store))
    if wanted.product:
        rows = rows.filter(product=wanted.product)
    if wanted.older_than:
        rows = rows.filter(created_at__lt=now - wanted.older_than)
    order = list[str | OrderBy](ORDERS.get(wanted.order, ORDERS["unsure"]))
    if order[0] == "least_confidence":
        # What a person has suggested has no confidence and comes first.
        order[0] = F("least_confidence").asc(nulls_first=True)
    if wanted.of:
        rows = rows.alias(is_of_product=_is_of(wanted.of))
        order.insert(0, "-is_of_product")
    return rows.order_by(*order)


def _is_of(product: UUID) -> Exists:
    """The catalogue is the layer above: its rows are known here by their names alone."""
    of = {"product_images__product": product}
    return Exists(FashionImage.objects.filter(id=OuterRef("image_id"), **of))


def only_unsure_of(rows: AnnotationQuerySet, *, tenant: Tenant, key: str) -> AnnotationQuerySet:
    """Whose main garment has a value of this key (or category) below the shop's threshold; a query
    for these. That there is a garment at all is a question of its category."""
    thresholds = read_thresholds(tenant=tenant)
    field, category = ("confidence", "garment__category")
    if key == CATEGORY:
        field, category = ("category_confidence", "category")
    own = {name: value for (each, name), value in thresholds.values.items() if each == key and name}
    below = Q(**{f"{field}__lt": thresholds.find(key, "")}) & ~Q(**{f"{category}__in": list(own)})
    for name, value in own.items():
        below |= Q(**{category: name, f"{field}__lt": value})
    if key == CATEGORY:
        garments = Garment.objects.filter(annotation=OuterRef("id"), primary=True)
        none = Q(state=Annotation.State.ABSTAINED, least_confidence__isnull=False)
        return rows.filter(Exists(garments.filter(below, category_origin=Origin.MODEL)) | none)
    labels = Label.objects.filter(garment__annotation=OuterRef("id"), garment__primary=True)
    return rows.filter(Exists(labels.filter(below, key=key, origin=Origin.MODEL)))


def free_for(rows: AnnotationQuerySet, *, user: User, now: datetime) -> AnnotationQuerySet:
    """Without what somebody else works on or is meant to."""
    tasks = ReviewTask.objects.filter(annotation=OuterRef("id"))
    others = Q(claimed_until__gt=now) & ~Q(claimed_by=user)
    meant = Q(assigned_to__isnull=False) & ~Q(assigned_to=user)
    return rows.exclude(Exists(tasks.filter(others | meant)))


def claimed_by(rows: AnnotationQuerySet, *, user: User, now: datetime) -> AnnotationQuerySet:
    return rows.filter(task__claimed_by=user, task__claimed_until__gt=now)


def assigned_to(rows: AnnotationQuerySet, *, user: User) -> AnnotationQuerySet:
    return rows.filter(task__assigned_to=user)


def skipped(*, user: User) -> Exists:
    return Exists(
        ReviewTask.objects.filter(annotation=OuterRef("id"), skipped_by__contains=[user.pk])
    )


def count_queue(*, tenant: Tenant, user: User, now: datetime, wanted: Wanted = ALL) -> QueueCounts:
    """Of the wanted part; one query."""
    rows = filter_queue(tenant=tenant, wanted=wanted, now=now).order_by()
    if wanted.only_mine:
        rows = assigned_to(rows, user=user)
    claimed = Q(task__claimed_until__gt=now) & ~Q(task__claimed_by=user)
    counts = rows.aggregate(
        waiting=Count("id"),
        claimed=Count("id", filter=claimed),
        mine=Count("id", filter=Q(task__assigned_to=user)),
        suggested=Count("id", filter=~Q(task__note="") & Q(task__isnull=False)),
    )
    return QueueCounts(
        waiting=counts["waiting"],
        claimed=counts["claimed"],
        mine=counts["mine"],
        suggested=counts["suggested"],
    )


def count_done(*, tenant: Tenant, user: User, since: datetime) -> int:
    """Reviews of this person that count; one query."""
    rows = Review.objects.for_tenant(tenant).filter(reviewer=user, created_at__gte=since)
    rows = rows.exclude(kind__in=[Review.Kind.UNDO, Review.Kind.CARRIED])
    return rows.filter(undone_by=None).count()


def count_categories(*, tenant: Tenant) -> list[tuple[str, int]]:
    """The categories that wait, the most frequent first; one query."""
    rows = Garment.objects.filter(
        annotation__tenant=tenant, annotation__needs_review=True, primary=True
    )
    counted = rows.values_list("category").annotate(n=Count("id")).order_by("-n", "category")
    return list(counted)


def list_reviewers(*, tenant: Tenant) -> QuerySet[User]:
    """Whom something can be assigned to."""
    members = Membership.objects.filter(tenant=tenant, role__in=REVIEWERS)
    return User.objects.filter(memberships__in=members, is_active=True).order_by("name", "email")


def list_people(*, tenant: Tenant) -> QuerySet[User]:
    """Who reviews or has reviewed here, though they may have left."""
    members = Membership.objects.filter(tenant=tenant, role__in=REVIEWERS)
    said = Review.objects.for_tenant(tenant).filter(reviewer=OuterRef("id"))
    rows = User.objects.filter(Q(id__in=members.values("user")) | Exists(said))
    return rows.order_by("name", "email")


def read_settings(*, tenant: Tenant) -> ReviewSettings:
    """As saved, else as they are without a row; one query."""
    found = ReviewSettings.objects.for_tenant(tenant).first()
    return found or ReviewSettings(tenant=tenant)


def list_undoable(*, tenant: Tenant, user: User, since: datetime, most: int) -> Sequence[Review]:
    """This person's reviews that are not undone, the newest first; one query."""
    rows = Review.objects.for_tenant(tenant).filter(reviewer=user, created_at__gte=since)
    rows = rows.filter(kind=Review.Kind.REVIEW, undone_by=None, version__gt=0).select_related(
        "annotation__image"
    )
    return list(rows.defer("before", "after").order_by("-created_at", "-id")[:most])
