import csv
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Role
from accounts.tests.factories import make_member
from annotations.models import Review
from annotations.reviewing.corrections import Correction, Corrections
from annotations.reviewing.services import Remark, Reviewer, review_annotation
from annotations.tests.factories import make_done_annotation, make_result

pytestmark = pytest.mark.django_db
PAST = "/review/past/"


@pytest.fixture
def other(tenant):
    return make_member(tenant=tenant, role=Role.REVIEWER, name="Ayşe").user


@pytest.fixture
def say(tenant, member):
    def review(category="", user=None, source="queue", comment=""):
        annotation = make_done_annotation(tenant=tenant, result=make_result(confidence=0.4))
        garment = annotation.garments.get()
        return review_annotation(
            tenant=tenant,
            annotation_id=annotation.id,
            by=Reviewer(user=user or member.user, source=source),
            now=timezone.now(),
            corrections=Corrections([Correction(garment.id, category=category)]),
            remark=Remark(comment=comment),
        )

    return review


def shown(response):
    return [row["review"] for row in response.context["rows"]]


def test_says_who_said_what_and_what_the_model_had_said(page, say, other):
    say("dress", user=other, comment="It has no sleeves")

    html = page.get(PAST).content.decode()

    for words in ("T-shirt", "40 %", "Dress", "Ayşe", "It has no sleeves"):
        assert words in html


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "dac"),
        ({"outcome": "changed"}, "dc"),
        ({"outcome": "accepted"}, "a"),
        ({"key": "category"}, "dc"),
        ({"key": "box"}, ""),
        ({"source": "grid"}, "c"),
        ({"since": "2999-01-01"}, ""),
        ({"reviewer": "nobody@example.com", "since": "x"}, "dac"),
    ],
)
def test_filters(page, say, asked, expected):
    reviews = {"c": say("dress", source="grid"), "a": say(), "d": say("skirt")}

    assert shown(page.get(PAST, asked)) == [reviews[name] for name in expected]


def test_filters_by_reviewer(page, say, other):
    say()
    theirs = say(user=other)

    assert shown(page.get(PAST, {"reviewer": other.email})) == [theirs]


def test_asks_as_much_for_one_as_for_many(page, say, django_assert_max_num_queries):
    for _ in range(5):
        say("dress")

    with django_assert_max_num_queries(11):
        page.get(PAST)


def test_undoes_a_row_and_redoes_it(page, say):
    review = say("dress")
    garment = review.annotation.garments.get()

    page.post(f"{PAST}{review.id}/undo/", {"next": f"{PAST}?page=1"})
    garment.refresh_from_db()
    assert garment.category == "t-shirt"
    undo = Review.objects.get(kind="undo")
    assert [row["may_undo"] for row in page.get(PAST).context["rows"]] == [True, False]

    again = page.post(f"{PAST}{undo.id}/undo/", {"next": "//evil.example"})
    garment.refresh_from_db()
    assert (garment.category, again.url) == ("dress", PAST)
    refused = page.post(f"{PAST}{review.id}/undo/", follow=True)
    assert "be undone" in refused.content.decode()


def test_another_shops_reviews_are_not_there(page, say):
    stranger = make_member()
    review = say("dress")
    Review.objects.update(tenant=stranger.tenant)

    assert shown(page.get(PAST)) == []
    assert page.post(f"{PAST}{review.id}/undo/").status_code == 404


def test_exports_csv_with_the_same_filters(page, say):
    say()
    changed = say("dress", comment="=1+1")

    response = page.get(f"{PAST}reviews.csv", {"outcome": "changed"})

    lines = list(csv.DictReader(b"".join(response.streaming_content).decode().splitlines()))
    assert [(line["review"], line["key"], line["from"], line["to"]) for line in lines] == [
        (str(changed.id), "category", "t-shirt", "dress")
    ]
    assert (lines[0]["comment"], lines[0]["confidence"]) == ("'=1+1", "0.4")
    assert lines[0]["model"] == "kalas-mini 1"


def test_exports_ndjson_with_before_and_after(page, say):
    review = say("dress")

    response = page.get(f"{PAST}reviews.ndjson")

    (line,) = b"".join(response.streaming_content).decode().splitlines()
    said = json.loads(line)
    assert said["id"] == str(review.id)
    assert said["before"]["garments"][0]["category"] == "t-shirt"
    assert said["after"]["garments"][0]["category"] == "dress"
    assert "embedding" not in line


def test_keeps_what_people_said_who_have_left(page, say, other):
    say("dress", user=other)
    other.delete()

    assert "somebody who has left" in page.get(PAST).content.decode()


def test_a_day_is_a_whole_day(page, say):
    review = say()
    day = timezone.localdate(review.created_at)

    assert shown(page.get(PAST, {"since": day, "until": day})) == [review]
    assert shown(page.get(PAST, {"until": day - timedelta(days=1)})) == []


def test_who_has_left_can_still_be_asked_for(page, say, other, tenant):
    review = say("dress", user=other)
    tenant.memberships.filter(user=other).delete()

    assert shown(page.get(PAST, {"reviewer": other.email})) == [review]
