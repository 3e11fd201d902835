"""What a threshold would do: how much is published, how much of it right, how much to review.

Computed from this shop's own photos and reviews. Where few of them were reviewed, the model's
calibrated confidence stands in: each hundredth of confidence counts as if PRIOR values had been
reviewed and were right as often as the model expects.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from accounts.models import Tenant
from annotations.reviewing.quality import LAST
from annotations.reviewing.thresholds import CATEGORY, NEWEST

STEPS = 100
PRIOR = 10.0

_VALUES = {
    True: f"""SELECT g.category_confidence AS confidence FROM annotations_garment AS g
        JOIN annotations_annotation AS a ON a.id = g.annotation_id
        WHERE a.tenant_id = %(tenant)s AND a.state = 'done' AND g."primary"
            AND g.category_origin = 'model' AND {NEWEST}""",  # noqa: S608 - a part from here
    False: f"""SELECT l.confidence FROM annotations_label AS l
        JOIN annotations_garment AS g ON g.id = l.garment_id
        JOIN annotations_annotation AS a ON a.id = g.annotation_id
        WHERE a.tenant_id = %(tenant)s AND a.state = 'done' AND g."primary"
            AND l.key = %(key)s AND l.origin = 'model' AND {NEWEST}""",  # noqa: S608 - a part from here
}


@dataclass(frozen=True, slots=True)
class Step:
    """Of confidences from number / 100 on: values of this shop, and how many of them are expected
    to be right; `reviewed` of them were."""

    number: int
    values: int
    right: float
    reviewed: int


@dataclass(frozen=True, slots=True)
class Plan:
    published: int
    right: float
    """Expected number among the published."""
    to_review: int

    @property
    def published_share(self) -> float:
        return self.published / (self.published + self.to_review or 1)

    @property
    def right_share(self) -> float:
        return self.right / (self.published or 1)


def list_steps(*, tenant: Tenant, key: str = CATEGORY) -> list[Step]:
    """Two queries."""
    values = _count(
        f"""SELECT least(floor(confidence * {STEPS})::int, {STEPS - 1}), count(*), 0
            FROM ({_VALUES[key == CATEGORY]}) AS v GROUP BY 1""",  # noqa: S608 - parts from here
        tenant,
        key,
    )
    reviewed = _count(
        f"""SELECT least(floor(confidence * {STEPS})::int, {STEPS - 1}), count(*),
            count(*) FILTER (WHERE "right")
            FROM ({LAST}) AS last
            WHERE key = %(key)s AND confidence IS NOT NULL GROUP BY 1""",  # noqa: S608
        tenant,
        key,
    )
    return [
        _build_step(number, values.get(number, (0, 0))[0], *reviewed.get(number, (0, 0)))
        for number in range(STEPS)
    ]


def plan(steps: Sequence[Step], *, threshold: float) -> Plan:
    first = round(threshold * STEPS)
    above = [step for step in steps if step.number >= first]
    return Plan(
        published=sum(step.values for step in above),
        right=sum(step.right for step in above),
        to_review=sum(step.values for step in steps if step.number < first),
    )


def _build_step(number: int, of_model: int, reviewed: int, right: int) -> Step:
    middle = (number + 0.5) / STEPS
    expected = (right + PRIOR * middle) / (reviewed + PRIOR)
    # What was corrected is a person's by now, and was a value of the model as well.
    values = of_model + reviewed - right
    return Step(number, values, values * expected, reviewed)


def _count(sql: str, tenant: Tenant, key: str) -> dict[int, tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tenant": tenant.id, "key": key, "since": None})
        return {number: (n, right) for number, n, right in cursor.fetchall()}
