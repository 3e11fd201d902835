"""How good the model and the reviews are, counted from what reviewers of this shop said."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Aggregate, Count, FloatField, Q

from accounts.models import Tenant
from annotations.models import Review
from annotations.reviewing.outcomes import NOTHING
from annotations.reviewing.snapshots import Snapshot
from annotations.reviewing.statistics import Agreement, Share, measure_agreement
from annotations.reviewing.thresholds import CATEGORY

BINS = 10
# The last word about each value that is not taken back.
LAST = """
    SELECT DISTINCT ON (o.garment_id, o.key)
        o.annotation_id, o.key, o.category, o.value, o.said, o.confidence, o.right
    FROM annotations_reviewoutcome AS o
    WHERE o.tenant_id = %(tenant)s
        AND (%(since)s::timestamptz IS NULL OR EXISTS (
            SELECT FROM annotations_review AS r
            WHERE r.id = o.review_id AND r.created_at >= %(since)s))
        AND NOT EXISTS (SELECT FROM annotations_review AS u
            WHERE u.undoes_id = o.review_id
            AND NOT EXISTS (SELECT FROM annotations_review AS again WHERE again.undoes_id = u.id))
    ORDER BY o.garment_id, o.key, o.version DESC
"""


class Median(Aggregate):
    function = "percentile_cont"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True, slots=True)
class Row:
    """Of one category or attribute: what the model said that was right; `missed` are values that
    it did not say and a person did."""

    name: str
    share: Share
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Bin:
    """Of confidences from `low` to `high`."""

    low: float
    high: float
    confidence: float
    share: Share


@dataclass(frozen=True, slots=True)
class Work:
    reviews: int
    accepted: int
    seconds: float | None
    """The median of one review on the review page."""
    people: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    annotation_id: UUID
    image_id: UUID
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Agreed:
    category: Agreement
    attributes: Agreement
    disagreements: Sequence[Disagreement]


def count_by_category(*, tenant: Tenant, since: datetime | None = None) -> list[Row]:
    """How often what the model called so was so; the most frequent first. One query."""
    sql = f"""SELECT value, count(*), count(*) FILTER (WHERE "right") FROM ({LAST}) AS last
        WHERE key = 'category' GROUP BY 1 ORDER BY 2 DESC, 1"""  # noqa: S608 - parts from here
    return [Row(name, Share(n, right)) for name, n, right in _ask(sql, tenant, since)]


def count_by_attribute(*, tenant: Tenant, since: datetime | None = None) -> list[Row]:
    """One query."""
    sql = f"""SELECT key, count(*) FILTER (WHERE value <> ''),
            count(*) FILTER (WHERE value <> '' AND "right"), count(*) FILTER (WHERE value = '')
        FROM ({LAST}) AS last WHERE key <> 'category' GROUP BY 1 ORDER BY 2 DESC, 1"""  # noqa: S608
    return [Row(key, Share(n, right), missed) for key, n, right, missed in _ask(sql, tenant, since)]


def list_bins(*, tenant: Tenant, key: str = CATEGORY, since: datetime | None = None) -> list[Bin]:
    """Whether what the model is 80 % sure of is right in 80 % of cases; one query."""
    sql = f"""SELECT least(floor(confidence * {BINS})::int, {BINS - 1}), count(*),
            count(*) FILTER (WHERE "right"), avg(confidence)
        FROM ({LAST}) AS last WHERE key = %(key)s AND confidence IS NOT NULL
        GROUP BY 1 ORDER BY 1"""  # noqa: S608 - parts from here
    return [
        Bin(number / BINS, (number + 1) / BINS, float(mean), Share(n, right))
        for number, n, right, mean in _ask(sql, tenant, since, key=key)
    ]


def count_confusions(*, tenant: Tenant, most: int = 12) -> list[tuple[str, str, int]]:
    """What the model said, what it was, and how often; one query."""
    sql = f"""SELECT value, said, count(*) FROM ({LAST}) AS last
        WHERE key = 'category' AND NOT "right" GROUP BY 1, 2
        ORDER BY 3 DESC, 1, 2 LIMIT {int(most)}"""  # noqa: S608 - parts from here
    return [(value, said, n) for value, said, n in _ask(sql, tenant, None)]


def measure_work(*, tenant: Tenant, since: datetime | None = None) -> Work:
    """One query."""
    rows = Review.objects.for_tenant(tenant).filter(kind=Review.Kind.REVIEW, undone_by=None)
    if since:
        rows = rows.filter(created_at__gte=since)
    found = rows.aggregate(
        reviews=Count("id"),
        accepted=Count("id", filter=Q(changes=[])),
        median=Median("seconds"),
        people=Count("reviewer", distinct=True),
    )
    return Work(found["reviews"], found["accepted"], found["median"], found["people"])


def measure_people(*, tenant: Tenant, since: datetime | None = None) -> list[dict[str, Any]]:
    """Of each reviewer: how many reviews, how many accepted, the median of seconds; one query."""
    rows = Review.objects.for_tenant(tenant).filter(
        kind=Review.Kind.REVIEW, undone_by=None, reviewer__isnull=False
    )
    if since:
        rows = rows.filter(created_at__gte=since)
    counted = rows.values("reviewer__name", "reviewer__email").annotate(
        reviews=Count("id"), accepted=Count("id", filter=Q(changes=[])), median=Median("seconds")
    )
    return [dict(row) for row in counted.order_by("-reviews", "reviewer__email")]


def measure_agreement_of(*, tenant: Tenant, most: int = 1000) -> Agreed:
    """From the newest second opinions; one query."""
    seconds = Review.objects.for_tenant(tenant).filter(kind=Review.Kind.SECOND)
    seconds = seconds.filter(about__isnull=False, about__undone_by=None)
    found = seconds.select_related("annotation", "about").order_by("-created_at")[:most]
    categories, attributes, disagreements = [], [], []
    for second in found:
        first = second.about
        if first is None:
            continue
        said = _main(first.after), _main(second.after)
        categories.append((said[0][0], said[1][0]))
        keys = said[0][1].keys() | said[1][1].keys()
        attributes += [(f"{k}:{said[0][1].get(k)}", f"{k}:{said[1][1].get(k)}") for k in keys]
        if said[0][0] != said[1][0]:
            names = said[0][0], said[1][0]
            image_id = second.annotation.image_id
            disagreements.append(Disagreement(second.annotation_id, image_id, *names))
    return Agreed(measure_agreement(categories), measure_agreement(attributes), disagreements[:12])


def _main(snapshot: Snapshot) -> tuple[str, dict[str, str]]:
    """Category and labels of the main garment."""
    for garment in snapshot["garments"]:
        if garment["primary"]:
            return garment["category"], {x["key"]: x["name"] for x in garment["labels"]}
    return NOTHING, {}


def _ask(sql: str, tenant: Tenant, since: datetime | None, **more: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tenant": tenant.id, "since": since, **more})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
