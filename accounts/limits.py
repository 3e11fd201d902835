"""How many requests a key and its shop may make: GCRA, counted in PostgreSQL.

A bucket holds one minute's requests and runs dry steadily. All of a request's counting is one
statement: the row locks of its upserts make it exact however many processes serve the shop. Its
commit does not wait for the disk, since a crash may forget the last requests.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import F

from accounts.models import ApiKey, RateBucket, Tenant

WINDOW = timedelta(minutes=1)

# The caller's bucket first: where it is full, the shop's is not touched.
_TAKE = """
WITH quickly AS (SELECT set_config('synchronous_commit', 'off', true)),
caller AS (
    INSERT INTO accounts_ratebucket AS b (name, tenant_id, empty_at)
    SELECT %(caller)s, %(tenant)s, %(now)s + %(caller_step)s FROM quickly
    ON CONFLICT (name) DO UPDATE
    SET empty_at = greatest(b.empty_at, %(now)s) + %(caller_step)s
    WHERE greatest(b.empty_at, %(now)s) + %(caller_step)s <= %(full)s
    RETURNING empty_at
),
shop AS (
    INSERT INTO accounts_ratebucket AS b (name, tenant_id, empty_at)
    SELECT %(shop)s, %(tenant)s, %(now)s + %(shop_step)s FROM caller
    ON CONFLICT (name) DO UPDATE
    SET empty_at = greatest(b.empty_at, %(now)s) + %(shop_step)s
    WHERE greatest(b.empty_at, %(now)s) + %(shop_step)s <= %(full)s
    RETURNING empty_at
),
passed AS (SELECT count(*)::int AS n FROM shop),
counted AS (
    INSERT INTO accounts_dailyusage AS used (key_id, day, requests, refused, annotations)
    SELECT %(key)s, %(day)s, n, 1 - n, 0 FROM passed WHERE %(key)s::uuid IS NOT NULL
    ON CONFLICT (key_id, day) DO UPDATE
    SET requests = used.requests + excluded.requests, refused = used.refused + excluded.refused
)
SELECT (SELECT empty_at FROM caller), (SELECT empty_at FROM shop)
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit after a request: `remaining` of `quota`, all of it again in `reset_s`."""

    name: str
    quota: int
    remaining: int
    reset_s: int


class TooManyRequests(Exception):
    def __init__(self, limits: Sequence[Limit], retry_after_s: int) -> None:
        super().__init__("Too many requests.")
        self.limits = limits
        self.retry_after_s = retry_after_s


def take(*, tenant: Tenant, caller: str, key: ApiKey | None, now: datetime) -> list[Limit]:
    """Count one request of `caller`; raises TooManyRequests. One query, where refused a few."""
    quotas = {"key" if key else "user": settings.API_REQUESTS_PER_KEY}
    quotas["shop"] = settings.API_REQUESTS_PER_SHOP
    steps = [WINDOW / quota for quota in quotas.values()]
    shop = f"shop:{tenant.id}"
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            {
                "caller": caller,
                "shop": shop,
                "tenant": tenant.id,
                "key": key.id if key else None,
                "day": now.astimezone(UTC).date(),
                "now": now,
                "full": now + WINDOW,
                "caller_step": steps[0],
                "shop_step": steps[1],
            },
        )
        empty_at: list[datetime | None] = list(cursor.fetchone())
        if None in empty_at:
            if empty_at[0] is not None:  # the shop refused what the caller had left
                _give_back(caller, steps[0])
            buckets = RateBucket.objects.filter(name__in=[caller, shop])
            found = dict(buckets.values_list("name", "empty_at"))
            now_full = [found.get(name, now) for name in (caller, shop)]
            limits = _describe(quotas, now_full, now)
            refused = 0 if empty_at[0] is None else 1
            wait = now_full[refused] + steps[refused] - WINDOW - now
            raise TooManyRequests(limits, max(1, math.ceil(wait.total_seconds())))
    return _describe(quotas, [at or now for at in empty_at], now)


def build_headers(limits: Sequence[Limit]) -> dict[str, str]:
    """As draft-ietf-httpapi-ratelimit-headers has them since its version 08."""
    window = int(WINDOW.total_seconds())
    return {
        "RateLimit-Policy": ", ".join(f'"{x.name}";q={x.quota};w={window}' for x in limits),
        "RateLimit": ", ".join(f'"{x.name}";r={x.remaining};t={x.reset_s}' for x in limits),
    }


def _give_back(caller: str, step: timedelta) -> None:
    RateBucket.objects.filter(name=caller).update(empty_at=F("empty_at") - step)


def _describe(quotas: dict[str, int], empty_at: Sequence[datetime], now: datetime) -> list[Limit]:
    limits = []
    for (name, quota), at in zip(quotas.items(), empty_at, strict=True):
        used = max(at - now, timedelta())
        # A microsecond of rounding is not a request.
        left = math.floor((WINDOW - used) / (WINDOW / quota) + 1e-4)
        limits.append(Limit(name, quota, max(0, left), math.ceil(used.total_seconds())))
    return limits
