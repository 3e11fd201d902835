"""From which confidence on nobody has to look: per attribute key and category of a shop."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from accounts.models import Tenant
from annotations.models import Annotation, AnnotationQuerySet, ReviewThreshold
from inference import taxonomy
from inference.contract import Alternative, Garment

CATEGORY = "category"
# Confidences are calibrated: what is more likely right than wrong is published as it is. What a
# key's own calibration refuses, the model does not say in the first place (its floor).
DEFAULT_ATTRIBUTE = 0.5

# Of the answers for a photo or crop, only the last one counts.
NEWEST = """NOT EXISTS (
    SELECT FROM annotations_annotation AS newer
    WHERE newer.image_id = a.image_id AND newer.state IN ('done', 'abstained')
        AND newer.crop IS NOT DISTINCT FROM a.crop
        AND (newer.created_at, newer.id) > (a.created_at, a.id))"""

# Like `Thresholds.find_least` and `find_doubt`, for annotations that nobody has reviewed. What only
# the sub-select asks is not asked again of a row that somebody changes at this moment.
_RECOUNT = f"""
    UPDATE annotations_annotation AS a
    SET needs_review = d.least IS NOT NULL, least_confidence = d.least
    FROM (
        SELECT a.id, a.version, min(v.confidence) FILTER (WHERE v.confidence < coalesce(
            own.value, shared.value,
            CASE WHEN v.key = 'category' THEN %(category)s ELSE %(attribute)s END)) AS least
        FROM annotations_annotation AS a
        LEFT JOIN annotations_garment AS g ON g.annotation_id = a.id AND g."primary"
        CROSS JOIN LATERAL (
            SELECT 'category' AS key, g.category_confidence AS confidence
            WHERE g.category_origin = 'model'
            UNION ALL
            SELECT l.key, l.confidence FROM annotations_label AS l
            WHERE l.garment_id = g.id AND l.origin = 'model'
            UNION ALL
            SELECT 'category', 1 - coalesce(sum((o ->> 'confidence')::numeric), 0)
            FROM jsonb_array_elements(a.alternatives) AS o
            HAVING a.state = 'abstained'
        ) AS v
        LEFT JOIN annotations_reviewthreshold AS own
            ON own.tenant_id = a.tenant_id AND own.key = v.key AND own.category = g.category
        LEFT JOIN annotations_reviewthreshold AS shared
            ON shared.tenant_id = a.tenant_id AND shared.key = v.key AND shared.category = ''
        WHERE a.id = ANY(%(ids)s) AND a.state IN ('done', 'abstained') AND a.reviewed_at IS NULL
            AND NOT EXISTS (SELECT FROM annotations_reviewtask AS t
                            WHERE t.annotation_id = a.id AND t.note <> '')
            AND {NEWEST}
        GROUP BY a.id, a.version
    ) AS d
    WHERE a.id = d.id AND a.version = d.version
        AND a.state IN ('done', 'abstained') AND a.reviewed_at IS NULL
        AND (a.needs_review, a.least_confidence) IS DISTINCT FROM (d.least IS NOT NULL, d.least)
"""  # noqa: S608 - a part from here


Place = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class Recounted:
    """`last` is where the next batch goes on; None where there is none."""

    looked_at: int
    changed: int
    last: Place | None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Of one shop; `values` by (key, category), the category empty for all."""

    category: float
    values: Mapping[tuple[str, str], float]

    def find(self, key: str, category: str) -> float:
        for each in (category, ""):
            if (key, each) in self.values:
                return self.values[key, each]
        return self.category if key == CATEGORY else DEFAULT_ATTRIBUTE

    def find_least(self, garments: Iterable[Garment]) -> float | None:
        """The least confidence among what waits for a person; None where nothing does.

        What the shop sells is the main garment; the others of an outfit are beside it.
        """
        doubts = [
            confidence
            for garment in garments
            if garment.primary
            for key, confidence in (
                (CATEGORY, garment.category.confidence),
                *((label.key, label.confidence) for label in garment.attributes),
            )
            if confidence < self.find(key, garment.category.name)
        ]
        return min(doubts, default=None)

    def find_doubt(self, alternatives: Iterable[Alternative]) -> float | None:
        """How sure it is that a photo shows no garment, if a person is to look; None if not.

        What is left of certainty beside what it may be nevertheless.
        """
        confidence = round(1 - sum(each.confidence for each in alternatives), 4)
        return confidence if confidence < self.find(CATEGORY, "") else None


def read_thresholds(*, tenant: Tenant) -> Thresholds:
    """One query."""
    rows = ReviewThreshold.objects.for_tenant(tenant).values_list("key", "category", "value")
    return Thresholds(tenant.review_threshold, {(key, name): value for key, name, value in rows})


@transaction.atomic
def change_thresholds(*, tenant: Tenant, values: Mapping[tuple[str, str], float | None]) -> None:
    """Set these, None for the default; the caller recounts the queue.

    Raises taxonomy.UnknownLabel.
    """
    known = taxonomy.load()
    rows = ReviewThreshold.objects.for_tenant(tenant)
    for (key, category), value in values.items():
        if key != CATEGORY:
            known.attribute(key)
        if category:
            known.category(category)
        if value is None:
            rows.filter(key=key, category=category).delete()
        else:
            rows.update_or_create(
                tenant=tenant, key=key, category=category, defaults={"value": value}
            )


def recount_batch(*, tenant: Tenant, after: Place | None, most: int) -> Recounted:
    """Decide anew what of the next `most` answers waits for a person, the newest first."""
    rows = filter_unreviewed(tenant=tenant)
    if after:
        rows = rows.filter(created_at__lte=after[0])
        rows = rows.filter(Q(created_at__lt=after[0]) | Q(id__lt=after[1]))
    places = list(rows.order_by("-created_at", "-id").values_list("created_at", "id")[:most])
    with connection.cursor() as cursor:
        cursor.execute(
            _RECOUNT,
            {
                "ids": [annotation_id for _at, annotation_id in places],
                "category": tenant.review_threshold,
                "attribute": DEFAULT_ATTRIBUTE,
            },
        )
        last = places[-1] if len(places) == most else None
        return Recounted(len(places), int(cursor.rowcount), last)


def filter_unreviewed(*, tenant: Tenant) -> AnnotationQuerySet:
    return Annotation.objects.for_tenant(tenant).filter(
        state__in=(Annotation.State.DONE, Annotation.State.ABSTAINED), reviewed_at=None
    )
