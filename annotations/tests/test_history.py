from datetime import UTC, datetime, timedelta

import pytest

from accounts.tests.factories import make_tenant
from annotations import recording
from annotations.models import Annotation
from annotations.tests.factories import (
    make_annotation,
    make_done_annotation,
    make_garment,
    make_result,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def found(page):
    """The names on the history page for this query, in its order."""

    def find(query: str) -> list[str]:
        response = page.get(f"/annotations/?{query}")
        assert response.status_code == 200
        return [card.annotation.image.name for card in response.context["cards"]]

    return find


@pytest.fixture
def shop(tenant):
    """A waiting, a failed, an unanswered photo, and two with garments; the newest is last."""
    make_annotation(tenant=tenant, name="waiting.png", now=NOW)
    failed = make_annotation(tenant=tenant, name="failed.png", now=NOW + timedelta(hours=1))
    recording.record_failure(annotation=failed, reason="It broke.", now=NOW)
    make_done_annotation(
        tenant=tenant,
        name="wall.png",
        now=NOW + timedelta(days=1),
        result=make_result(abstained="no-garment"),
    )
    make_done_annotation(
        tenant=tenant,
        name="Jeans.png",
        now=NOW + timedelta(days=2),
        result=make_result(
            category="jeans", object_type="lower-body", colour="blue", confidence=0.4
        ),
    )
    outfit = make_result(
        make_garment(category="t-shirt", colour="red", confidence=0.9),
        make_garment(category="shorts", object_type="lower-body", colour="black", confidence=0.85),
    )
    make_done_annotation(
        tenant=tenant, name="outfit.png", now=NOW + timedelta(days=3), result=outfit
    )


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["outfit.png", "Jeans.png", "wall.png", "failed.png", "waiting.png"]),
        ("sort=oldest", ["waiting.png", "failed.png", "wall.png", "Jeans.png", "outfit.png"]),
        ("sort=unsure", ["Jeans.png", "outfit.png"]),
        ("state=pending", ["waiting.png"]),
        ("state=failed", ["failed.png"]),
        ("state=abstained", ["wall.png"]),
        ("review=on", ["Jeans.png"]),
        ("category=shorts", ["outfit.png"]),
        ("object=lower-body", ["outfit.png", "Jeans.png"]),
        ("colour=black", ["outfit.png"]),
        ("object=upper-body&colour=red", ["outfit.png"]),
        ("object=upper-body&colour=black", []),  # of two different garments
        ("q=jean", ["Jeans.png"]),
        ("q=%25", []),
        ("since=2026-11-22", ["outfit.png", "Jeans.png"]),
        ("until=2026-11-20", ["failed.png", "waiting.png"]),
        ("since=2026-11-21&until=2026-11-21", ["wall.png"]),
    ],
)
def test_filters_and_sorts(shop, found, query, names):
    assert found(query) == names


@pytest.mark.parametrize(
    "query",
    [
        "state=none",
        "since=yesterday",
        "since=0001-01-01",
        "until=9999-12-31",
        "category=%00",
        "page=99",
        "sort=x",
        "q=" + "x" * 999,
    ],
)
def test_leaves_out_what_is_wrong_in_the_address(shop, found, query):
    assert len(found(query)) == 5


def test_shows_the_own_shop_only(found, tenant):
    make_annotation(tenant=make_tenant())

    assert found("") == []


def test_has_pages(page, tenant):
    for number in range(25):
        make_annotation(tenant=tenant, name=f"{number:02}.png", now=NOW + timedelta(hours=number))

    first = page.get("/annotations/?sort=oldest")
    second = page.get("/annotations/?sort=oldest&page=2")

    assert len(first.context["cards"]) == 24
    assert [c.annotation.image.name for c in second.context["cards"]] == ["24.png"]
    assert "sort=oldest&amp;page=2" in first.content.decode()


def test_makes_the_same_queries_for_one_and_for_many(page, tenant, django_assert_max_num_queries):
    for _ in range(6):
        make_done_annotation(tenant=tenant)
        make_annotation(tenant=tenant)

    with django_assert_max_num_queries(10):
        page.get("/annotations/")


def test_says_what_to_do_when_there_is_nothing(page, shop):
    assert "Nothing matches" in page.get("/annotations/?q=nowhere").content.decode()

    Annotation.objects.all().delete()

    assert "No photos yet" in page.get("/annotations/").content.decode()
