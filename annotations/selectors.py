"""Composed reads for the pages; each says how many queries it makes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Exists, Min, OuterRef, Prefetch, Q, QuerySet

from accounts.models import Membership, Tenant
from annotations.models import (
    Annotation,
    AnnotationQuerySet,
    Batch,
    BatchItem,
    Colour,
    DemoShop,
    FashionImage,
    Garment,
    Label,
)
from kalas.lib.tenant_rows import rows_of_all

RECENT = 12
GARMENT_FIELDS = (
    *("id", "annotation_id", "object_type", "confidence", "primary"),
    *("left", "top", "right", "bottom"),
    *("category", "category_confidence", "category_origin", "alternatives"),
)


@dataclass(frozen=True, slots=True)
class DashboardNumbers:
    """Counts of annotations: those of the day, and of all time where somebody has to act."""

    requested: int
    done: int
    abstained: int
    pending: int
    needs_review: int
    failed: int


@dataclass(frozen=True, slots=True)
class FirstSteps:
    has_own_photo: bool
    has_colleague: bool
    has_demo_photos: bool

    @property
    def finished(self) -> bool:
        return self.has_own_photo and self.has_colleague


@dataclass(frozen=True, slots=True)
class Found:
    """A garment with its labels and colours: rows of the model, or with the same names."""

    garment: Any
    labels: Iterable[Any]
    colours: Iterable[Any]


def with_everything(annotations: AnnotationQuerySet) -> AnnotationQuerySet:
    """Annotations with what their cards show; four queries however many there are."""
    return annotations.select_related("image").prefetch_related(
        Prefetch(
            "garments", Garment.objects.defer("embedding").order_by("-primary", "-confidence", "id")
        ),
        Prefetch("garments__colours", Colour.objects.order_by("position")),
        Prefetch("garments__labels", Label.objects.order_by("id")),
    )


def read_garments(*, annotation_ids: Sequence[UUID]) -> dict[UUID, list[Found]]:
    """What was found in each, as `with_everything` orders it; three queries.

    Rows instead of models, which would take most of the time of a long list.
    """
    garments = Garment.objects.filter(annotation__in=annotation_ids)
    garments = garments.order_by("-primary", "-confidence", "id")
    rows = list(garments.values_list(*GARMENT_FIELDS, named=True))
    ids = [row.id for row in rows]
    labels, colours = defaultdict(list), defaultdict(list)
    for label in (
        Label.objects.filter(garment__in=ids)
        .order_by("id")
        .values_list("garment_id", "key", "name", "confidence", "origin", named=True)
    ):
        labels[label.garment_id].append(label)
    for colour in (
        Colour.objects.filter(garment__in=ids)
        .order_by("position")
        .values_list("garment_id", "name", "hex", "share", "origin", named=True)
    ):
        colours[colour.garment_id].append(colour)
    found = defaultdict(list)
    for row in rows:
        found[row.annotation_id].append(Found(row, labels[row.id], colours[row.id]))
    return found


def get_annotation(*, tenant: Tenant, annotation_id: UUID) -> Annotation:
    """With everything; raises Annotation.DoesNotExist, also for another shop's."""
    return with_everything(Annotation.objects.for_tenant(tenant)).get(id=annotation_id)


def list_of_image(*, tenant: Tenant, image_id: UUID) -> list[Annotation]:
    """All annotations of a photo, newest first, crops among them."""
    annotations = Annotation.objects.for_tenant(tenant).filter(image_id=image_id)
    return list(with_everything(annotations).order_by("-created_at", "-id"))


def list_recent(*, tenant: Tenant) -> list[Annotation]:
    """The newest requests, for the annotate page."""
    annotations = Annotation.objects.for_tenant(tenant).order_by("-created_at", "-id")
    return list(with_everything(annotations)[:RECENT])


def list_feed(*, tenant: Tenant) -> list[Annotation]:
    """What the engine answered last, for the dashboard."""
    annotations = Annotation.objects.for_tenant(tenant).exclude(finished_at=None)
    return list(with_everything(annotations).order_by("-finished_at", "-id")[:RECENT])


def open_items() -> QuerySet[BatchItem]:
    """Photos of batches that still wait for something."""
    waits = Q(taken_at=None) | Q(annotation__state=Annotation.State.PENDING)
    return BatchItem.objects.filter(waits, batch__finished_at=None)


def list_items(*, batch: Batch) -> QuerySet[BatchItem]:
    """With the state of their annotations."""
    items = BatchItem.objects.filter(batch=batch).select_related("annotation")
    return items.order_by("position")


def find_places(*, annotations: Sequence[Annotation]) -> dict[UUID, int]:
    """The place in the engine's line (1 is next) of each waiting one; one query, or none."""
    ids = [annotation.id for annotation in annotations if annotation.is_pending]
    if not ids:
        return {}
    # The line is that of all shops, and the ORM would filter before it counts.
    with rows_of_all(), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, place FROM (
                SELECT id, row_number() OVER (ORDER BY priority DESC, created_at, id) AS place
                FROM annotations_annotation WHERE state = 'pending'
            ) AS line WHERE id = ANY(%s)
            """,
            [ids],
        )
        return dict(cursor.fetchall())


def count_for_dashboard(*, tenant: Tenant, since: datetime) -> DashboardNumbers:
    """One query."""
    today = Q(created_at__gte=since)
    counts = Annotation.objects.for_tenant(tenant).aggregate(
        requested=Count("id", filter=today),
        done=Count("id", filter=today & Q(state="done")),
        abstained=Count("id", filter=today & Q(state="abstained")),
        pending=Count("id", filter=Q(state="pending")),
        needs_review=Count("id", filter=Q(needs_review=True)),
        failed=Count("id", filter=Q(state="failed")),
    )
    return DashboardNumbers(**counts)


def read_first_steps(*, tenant: Tenant) -> FirstSteps:
    """Three queries."""
    own = FashionImage.objects.for_tenant(tenant).exclude(source=FashionImage.Source.DEMO)
    return FirstSteps(
        has_own_photo=own.exists(),
        has_colleague=Membership.objects.filter(tenant=tenant).count() > 1,
        has_demo_photos=DemoShop.objects.filter(tenant=tenant, removed_at=None).exists(),
    )


def filter_history(
    *,
    tenant: Tenant,
    state: str = "",
    review: bool = False,
    object_type: str = "",
    category: str = "",
    colour: str = "",
    attribute: str = "",
    product: str = "",
    image_id: UUID | None = None,
    text: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    sort: str = "newest",
) -> AnnotationQuerySet:
    """The shop's annotations that match all of it; an attribute is key:value, `until` exclusive."""
    annotations = Annotation.objects.for_tenant(tenant)
    if state:
        annotations = annotations.filter(state=state)
    if review:
        annotations = annotations.filter(needs_review=True)
    if product:
        annotations = annotations.filter(product=product)
    if image_id:
        annotations = annotations.filter(image_id=image_id)
    if text:
        annotations = annotations.filter(image__name__icontains=text)
    if since:
        annotations = annotations.filter(created_at__gte=since)
    if until:
        annotations = annotations.filter(created_at__lt=until)
    annotations = _filter_garments(annotations, object_type, category, colour, attribute)
    return _sort(annotations, sort)


def _filter_garments(
    annotations: AnnotationQuerySet, object_type: str, category: str, colour: str, attribute: str
) -> AnnotationQuerySet:
    """All of it must hold for the same garment."""
    if not (object_type or category or colour or attribute):
        return annotations
    garments = Garment.objects.filter(annotation=OuterRef("id"))
    if object_type:
        garments = garments.filter(object_type=object_type)
    if category:
        garments = garments.filter(category=category)
    if colour:
        garments = garments.filter(colours__name=colour)
    if attribute:
        key, _colon, value = attribute.partition(":")
        garments = garments.filter(labels__key=key, labels__name=value)
    return annotations.filter(Exists(garments))


def _sort(annotations: AnnotationQuerySet, sort: str) -> AnnotationQuerySet:
    if sort == "oldest":
        return annotations.order_by("created_at", "id")
    if sort == "name":
        return annotations.order_by("image__name", "-created_at", "id")
    if sort == "unsure":
        return (
            annotations.filter(state=Annotation.State.DONE)
            .annotate(least=Min("garments__category_confidence"))
            .order_by("least", "-created_at", "id")
        )
    return annotations.order_by("-created_at", "-id")
