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

from accounts.models import ApiKey, RateBucket, Tenant

WINDOW = timedelta(minutes=1)

# Both buckets are held before either is filled, so that what one refuses costs the other nothing,
# not even for a moment. `known` is false, and nothing was done, where one does not exist yet.
_TAKE = """
WITH quickly AS (SELECT set_config('synchronous_commit', 'off', true)),
held AS (
    SELECT name, empty_at FROM accounts_ratebucket, quickly
    WHERE name IN (%(caller)s, %(shop)s) ORDER BY name FOR UPDATE OF accounts_ratebucket
),
wanted AS (
    SELECT
        count(*) = 2 AS known,
        greatest(max(empty_at) FILTER (WHERE name = %(caller)s), %(now)s) + %(caller_step)s
            AS caller,
        greatest(max(empty_at) FILTER (WHERE name = %(shop)s), %(now)s) + %(shop_step)s AS shop
    FROM held
),
passed AS (
    SELECT caller, shop, (caller <= %(full)s AND shop <= %(full)s)::int AS n
    FROM wanted WHERE known
),
filled AS (
    UPDATE accounts_ratebucket AS b
    SET empty_at = CASE b.name WHEN %(caller)s THEN passed.caller ELSE passed.shop END
    FROM passed WHERE b.name IN (%(caller)s, %(shop)s) AND n = 1
),
counted AS (
    INSERT INTO accounts_dailyusage AS used (key_id, day, requests, refused, annotations)
    SELECT %(key)s, %(day)s, n, 1 - n, 0 FROM passed WHERE %(key)s::uuid IS NOT NULL
    ON CONFLICT (key_id, day) DO UPDATE
    SET requests = used.requests + excluded.requests, refused = used.refused + excluded.refused
)
SELECT n, caller, shop FROM passed
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
    """Count one request of `caller`; raises TooManyRequests. One query, for the first one three."""
    quotas = {"key" if key else "user": settings.API_REQUESTS_PER_KEY}
    quotas["shop"] = settings.API_REQUESTS_PER_SHOP
    if key and key.is_publishable:  # everybody can read it: it must not use up the shop's own
        quotas = dict.fromkeys(("key", "pages"), settings.API_REQUESTS_OF_PAGES)
    steps = [WINDOW / quota for quota in quotas.values()]
    shop = f"{list(quotas)[1]}:{tenant.id}"
    values = {
        "caller": caller,
        "shop": shop,
        "key": key.id if key else None,
        "day": now.astimezone(UTC).date(),
        "now": now,
        "full": now + WINDOW,
        "caller_step": steps[0],
        "shop_step": steps[1],
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        row = cursor.fetchone()
        if row is None:
            RateBucket.objects.bulk_create(
                (RateBucket(name=name, tenant=tenant, empty_at=now) for name in (caller, shop)),
                ignore_conflicts=True,
            )
            cursor.execute(_TAKE, values)
            row = cursor.fetchone()
    has_passed, *wanted = row
    if has_passed:
        return _describe(quotas, wanted, now)
    limits = _describe(quotas, [at - step for at, step in zip(wanted, steps, strict=True)], now)
    wait = max(wanted) - WINDOW - now
    raise TooManyRequests(limits, max(1, math.ceil(wait.total_seconds())))


def build_headers(limits: Sequence[Limit]) -> dict[str, str]:
    """As draft-ietf-httpapi-ratelimit-headers has them since its version 08."""
    window = int(WINDOW.total_seconds())
    return {
        "RateLimit-Policy": ", ".join(f'"{x.name}";q={x.quota};w={window}' for x in limits),
        "RateLimit": ", ".join(f'"{x.name}";r={x.remaining};t={x.reset_s}' for x in limits),
    }


def _describe(quotas: dict[str, int], empty_at: Sequence[datetime], now: datetime) -> list[Limit]:
    limits = []
    for (name, quota), at in zip(quotas.items(), empty_at, strict=True):
        used = max(at - now, timedelta())
        # A microsecond of rounding is not a request.
        left = math.floor((WINDOW - used) / (WINDOW / quota) + 1e-4)
        limits.append(Limit(name, quota, max(0, left), math.ceil(used.total_seconds())))
    return limits
