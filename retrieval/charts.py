"""A shop's self-tests of its search, over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Tenant
from retrieval.models import SearchTest

CHARTED_TESTS = 60
# In the units of the chart's SVG.
_SIZE = (300, 100)


@dataclass(frozen=True, slots=True)
class Chart:
    """Points of two lines, from the oldest test to the newest, 100 % at the top."""

    first: str
    among_20: str
    since: datetime
    until: datetime


def list_tests(*, tenant: Tenant) -> list[SearchTest]:
    """The newest first."""
    tests = SearchTest.objects.for_tenant(tenant).select_related("index")
    return list(tests.order_by("-tested_at", "-id")[:CHARTED_TESTS])


def draw_chart(newest: Sequence[SearchTest]) -> Chart | None:
    """None of a single one."""
    if len(newest) < 2:
        return None
    tests = newest[::-1]
    return Chart(
        first=_draw_line([test.recall_1 for test in tests]),
        among_20=_draw_line([test.recall_20 for test in tests]),
        since=tests[0].tested_at,
        until=tests[-1].tested_at,
    )


def _draw_line(values: Sequence[float]) -> str:
    """At least two of them, 0 to 1."""
    width, height = _SIZE
    step = width / (len(values) - 1)
    return " ".join(f"{i * step:.1f},{height * (1 - v):.1f}" for i, v in enumerate(values))
