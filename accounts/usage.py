"""What keys do, by day, and what a shop's monthly quota leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.db.models import Q, QuerySet, Sum

from accounts.models import ApiKey, DailyUsage, MonthlyUsage, Tenant

# The month's row is compared and raised in one statement: exact also when many ask at once.
_COUNT = """
WITH month AS (
    INSERT INTO accounts_monthlyusage AS used (tenant_id, month, annotations)
    SELECT %(tenant)s, %(month)s, %(number)s
    WHERE %(quota)s::int IS NULL OR %(number)s <= %(quota)s::int
    ON CONFLICT (tenant_id, month)
    DO UPDATE SET annotations = used.annotations + %(number)s
    WHERE %(quota)s::int IS NULL OR used.annotations + %(number)s <= %(quota)s::int
    RETURNING 1
),
day AS (
    INSERT INTO accounts_dailyusage AS used (key_id, day, requests, refused, annotations)
    SELECT %(key)s, %(day)s, 0, 0, %(number)s FROM month WHERE %(key)s::uuid IS NOT NULL
    ON CONFLICT (key_id, day)
    DO UPDATE SET annotations = used.annotations + excluded.annotations
)
SELECT count(*) FROM month
"""


class QuotaUsedUp(Exception):
    """The shop asked for as much as its month includes; `renewed_at` is the next one."""

    def __init__(self, quota: int, renewed_at: datetime) -> None:
        super().__init__(f"All {quota} annotations of this month are used.")
        self.quota = quota
        self.renewed_at = renewed_at


@dataclass(frozen=True, slots=True)
class DayOfUse:
    day: date
    requests: int
    refused: int
    annotations: int


@dataclass(frozen=True, slots=True)
class Month:
    month: date
    annotations: int
    quota: int | None
    renewed_at: datetime


def count_annotations(*, tenant: Tenant, key: ApiKey | None, number: int, now: datetime) -> None:
    """Count against quota and key in the running transaction, so that what fails costs nothing.

    One query; raises QuotaUsedUp.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {
                "tenant": tenant.id,
                "month": _first_day(now),
                "key": key.id if key else None,
                "day": now.astimezone(UTC).date(),
                "number": number,
                "quota": tenant.monthly_quota,
            },
        )
        (was_counted,) = cursor.fetchone()
    if tenant.monthly_quota is not None and not was_counted:
        raise QuotaUsedUp(tenant.monthly_quota, _next_month(now))


def read_month(*, tenant: Tenant, now: datetime) -> Month:
    """One query."""
    month = _first_day(now)
    used = MonthlyUsage.objects.filter(tenant=tenant, month=month).first()
    return Month(month, used.annotations if used else 0, tenant.monthly_quota, _next_month(now))


def check_quota(*, tenant: Tenant, now: datetime) -> None:
    """Before anything is done in vain; counted is later, with what is done. Raises QuotaUsedUp."""
    if tenant.monthly_quota is None:
        return
    month = read_month(tenant=tenant, now=now)
    if month.annotations >= tenant.monthly_quota:
        raise QuotaUsedUp(tenant.monthly_quota, month.renewed_at)


def list_days(
    *, tenant: Tenant, first: date, last: date, key: ApiKey | None = None
) -> Sequence[DayOfUse]:
    """Every day from first to last, also those without use; one query."""
    rows = DailyUsage.objects.filter(key__tenant=tenant, day__range=(first, last))
    if key is not None:
        rows = rows.filter(key=key)
    sums = rows.values("day").annotate(r=Sum("requests"), x=Sum("refused"), a=Sum("annotations"))
    known = {row["day"]: DayOfUse(row["day"], row["r"], row["x"], row["a"]) for row in sums}
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [known.get(day) or DayOfUse(day, 0, 0, 0) for day in days]


def with_requests(keys: QuerySet[ApiKey], *, since: date) -> QuerySet[ApiKey]:
    """The same keys, each with `requests`: how many it has sent since that day (UTC)."""
    sent = Sum("usage__requests", filter=Q(usage__day__gte=since), default=0)
    return keys.annotate(requests=sent)


def _first_day(now: datetime) -> date:
    return now.astimezone(UTC).date().replace(day=1)


def _next_month(now: datetime) -> datetime:
    later = _first_day(now) + timedelta(days=32)
    return datetime(later.year, later.month, 1, tzinfo=UTC)
