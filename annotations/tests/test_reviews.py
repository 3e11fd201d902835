from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import Tenant
from accounts.tests.factories import make_member
from annotations import recording, services
from annotations.models import Annotation, Label, Review
from annotations.reviewing.corrections import (
    Addition,
    Correction,
    CorrectionRefused,
    Corrections,
)
from annotations.reviewing.services import (
    NotReviewable,
    NotUndoable,
    Remark,
    ReviewedMeanwhile,
    Reviewer,
    review_annotation,
    review_many,
    undo_review,
)
from annotations.reviewing.snapshots import read_snapshot
from annotations.tests.factories import (
    make_annotation,
    make_done_annotation,
    make_garment,
    make_result,
)
from inference.contract import Box

pytestmark = pytest.mark.django_db


@pytest.fixture
def annotation(tenant):
    return make_done_annotation(tenant=tenant, result=make_result(confidence=0.4))


@pytest.fixture
def say(tenant, member):
    """Review an annotation as the member."""

    def review(annotation, *garments, remark=None, by=None, **said):
        return review_annotation(
            tenant=tenant,
            annotation_id=annotation.id,
            by=by or Reviewer(user=member.user),
            now=timezone.now(),
            corrections=Corrections(garments=garments, **said),
            **({"remark": remark} if remark else {}),
        )

    return review


@pytest.fixture
def undo(tenant, member):
    return lambda review, **said: undo_review(
        tenant=tenant,
        review_id=review.id,
        by=Reviewer(user=member.user),
        now=timezone.now(),
        **said,
    )


def read(annotation):
    return read_snapshot(Annotation.objects.get(id=annotation.id))


def diff(review):
    return [(x["key"], x["from"], x["to"]) for x in review.changes]


def test_accepts_what_is_right(annotation, say, member):
    assert annotation.needs_review

    review = say(annotation)

    annotation.refresh_from_db()
    assert (annotation.needs_review, annotation.version) == (False, 1)
    assert annotation.reviewed_at == review.created_at
    assert (review.reviewer, review.changes) == (member.user, [])
    assert annotation.garments.get().category_origin == "model"


def test_another_category_takes_away_what_it_cannot_have(annotation, say):
    garment = annotation.garments.get()
    for key, name in (("sleeve-length", "short-sleeve"), ("of-another-taxonomy", "thing")):
        Label.objects.create(garment=garment, key=key, name=name, confidence=0.9)

    review = say(annotation, Correction(garment.id, category="jeans"))

    kept = set(garment.labels.values_list("key", flat=True))
    assert kept == {"pattern", "of-another-taxonomy"}
    assert diff(review) == [
        ("category", "t-shirt", "jeans"),
        ("sleeve-length", "short-sleeve", None),
    ]
    assert review.changes[0]["confidence"] == 0.4


def test_says_of_each_value_whose_it_is_and_since_when(annotation, say, member):
    garment = annotation.garments.get()

    say(
        annotation,
        Correction(
            garment.id,
            attributes={"pattern": "checked", "sleeve-length": "short-sleeve"},
            box=Box(5, 6, 40, 50),
            colours=["white", "red"],
        ),
    )

    garment.refresh_from_db()
    assert {x.name: x.origin for x in garment.labels.all()} == {
        "checked": "human",
        "short-sleeve": "human",
    }
    assert [(x.name, x.origin) for x in garment.colours.order_by("position")] == [
        ("white", "model"),
        ("red", "human"),
    ]
    assert sum(x.share for x in garment.colours.all()) == pytest.approx(1)
    assert garment.box == Box(5, 6, 40, 50)
    assert set(garment.decisions) == {"pattern", "sleeve-length", "box", "colours"}
    assert garment.decisions["pattern"]["by"] == member.user.pk
    assert garment.category_origin == "model"


def test_adds_a_garment_and_takes_another_away(annotation, say, undo):
    first = annotation.garments.get()
    added = Addition(category="jeans", box=Box(1, 40, 30, 80), attributes={"pattern": "solid"})

    review = say(annotation, Correction(first.id, removed=True), added=[added])

    garment = Annotation.objects.get(id=annotation.id).garments.get()
    assert (garment.category, garment.object_type, garment.primary) == (
        "jeans",
        "lower-body",
        True,
    )
    assert garment.category_origin == "human"
    assert {("garment", "t-shirt", None), ("garment", None, "jeans")} <= set(diff(review))
    undo(review)
    back = Annotation.objects.get(id=annotation.id).garments.get()
    assert back.id == first.id
    assert list(back.embedding) == list(first.embedding)


@pytest.mark.parametrize(
    ("verdict", "reason"), [("not-a-garment", "no-garment"), ("bad-photo", "unreadable")]
)
def test_a_verdict_is_the_answer(annotation, say, undo, verdict, reason):
    before = read(annotation)

    review = say(annotation, verdict=Review.Verdict(verdict))

    annotation.refresh_from_db()
    assert (annotation.state, annotation.abstained) == ("abstained", reason)
    assert annotation.garments.count() == 0
    undo(review)
    assert read(annotation) == before


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"category": "spaceship"}, "garments.0.category"),
        ({"object_type": "head"}, "garments.0.object"),
        ({"attributes": {"wings": "two"}}, "garments.0.attributes.wings"),
        ({"attributes": {"rise": "high"}}, "garments.0.attributes.rise"),
        ({"box": Box(10, 10, 61, 20)}, "garments.0.box"),
        ({"box": Box(10, 10, 11, 20)}, "garments.0.box"),
        ({"colours": ["red", "red"]}, "garments.0.colours"),
        ({"colours": ["nocolour"]}, "garments.0.colours"),
    ],
)
def test_names_what_is_wrong_and_changes_nothing(annotation, say, said, field):
    before = read(annotation)

    with pytest.raises(CorrectionRefused) as refused:
        say(annotation, Correction(annotation.garments.get().id, **said))

    assert refused.value.field == field
    assert read(annotation) == before
    assert not Review.objects.exists()


def test_refuses_another_photos_garment(annotation, say, tenant):
    other = make_done_annotation(tenant=tenant).garments.get()

    with pytest.raises(CorrectionRefused):
        say(annotation, Correction(other.id, category="jeans"))


def test_what_waits_has_no_answer_yet(tenant, say):
    with pytest.raises(NotReviewable):
        say(make_annotation(tenant=tenant))


def test_an_answer_that_is_none_can_be_given(tenant, say):
    annotation = make_done_annotation(tenant=tenant, result=make_result(abstained="no-garment"))

    say(annotation, added=[Addition(category="dress", box=Box(5, 5, 50, 70))])

    annotation.refresh_from_db()
    assert (annotation.state, annotation.abstained) == ("done", "")
    assert annotation.garments.get().category == "dress"


def test_the_same_review_twice_counts_once(annotation, say):
    remark = Remark(review_id=uuid4(), version=0)

    first, second = (say(annotation, remark=remark) for _ in range(2))

    assert first == second
    assert Review.objects.count() == 1


def test_of_two_who_saw_the_same_one_wins(annotation, say):
    garment = annotation.garments.get()
    other = make_member(tenant=annotation.tenant).user
    first = say(annotation, Correction(garment.id, category="dress"), remark=Remark(version=0))

    with pytest.raises(ReviewedMeanwhile) as told:
        say(
            annotation,
            Correction(garment.id, category="jeans"),
            remark=Remark(version=0),
            by=Reviewer(user=other),
        )

    assert (told.value.version, told.value.latest) == (1, first)
    garment.refresh_from_db()
    assert garment.category == "dress"


def test_undoes_thirty_steps_of_two_days_ago(tenant, say, undo):
    annotations = [
        make_done_annotation(tenant=tenant, result=make_result(confidence=0.3)) for _ in range(30)
    ]
    before = [read(annotation) for annotation in annotations]
    reviews = [
        say(annotation, Correction(annotation.garments.get().id, category="dress"))
        for annotation in annotations
    ]
    Review.objects.update(created_at=timezone.now() - timedelta(days=2))

    for review in reversed(reviews):
        undo(review)

    assert [read(annotation) for annotation in annotations] == before
    assert Annotation.objects.filter(needs_review=True).count() == 30
    assert Review.objects.count() == 60


def test_undo_is_a_step_that_can_be_undone(annotation, say, undo):
    garment = annotation.garments.get()
    review = say(annotation, Correction(garment.id, category="dress"))
    after = read(annotation)
    undone = undo(review)
    assert read(annotation)["garments"][0]["category"] == "t-shirt"

    undo(undone)

    assert read(annotation) == after
    annotation.refresh_from_db()
    assert annotation.reviewed_at == review.created_at


def test_what_stands_on_a_review_is_undone_first(annotation, say, undo):
    garment = annotation.garments.get()
    first = say(annotation, Correction(garment.id, category="dress"))
    second = say(annotation, Correction(garment.id, category="skirt"))

    with pytest.raises(NotUndoable):
        undo(first)
    undo(second)
    undo(first)
    with pytest.raises(NotUndoable):
        undo(first)

    garment.refresh_from_db()
    assert garment.category == "t-shirt"


def test_many_at_once_leaves_out_what_changed_meanwhile(tenant, say, member):
    one, two = (make_done_annotation(tenant=tenant) for _ in range(2))
    foreign = make_done_annotation(tenant=make_member().tenant)
    say(two)
    said = [
        (each.id, 0, Corrections([Correction(each.garments.get().id, category="dress")]))
        for each in (one, two, foreign)
    ]

    reviews, left = review_many(
        tenant=tenant, said=said, by=Reviewer(user=member.user), now=timezone.now()
    )

    assert [review.annotation_id for review in reviews] == [one.id]
    assert left == [two.id, foreign.id]
    assert foreign.garments.get().category == "t-shirt"


def test_what_a_person_said_survives_another_model(tenant, say):
    """The new answer is another annotation of the same photo."""
    result = make_result(make_garment(category="t-shirt", confidence=0.4))
    annotation = make_done_annotation(tenant=tenant, result=result)
    garment = annotation.garments.get()
    added = Addition(category="jeans", box=Box(0, 70, 20, 80))
    say(
        annotation,
        Correction(garment.id, category="dress", attributes={"pattern": None}),
        added=[added],
    )

    again = services.request_annotation(
        image=annotation.image, requested_by=None, now=timezone.now()
    )
    recording.record_result(
        annotation=again,
        result=make_result(make_garment(category="skirt", confidence=0.3)),
        now=timezone.now(),
    )

    again.refresh_from_db()
    found = {g.category: g for g in again.garments.all()}
    assert set(found) == {"dress", "jeans"}
    assert found["dress"].category_origin == "human"
    assert list(found["dress"].embedding) == [1.0, 0.0]
    assert not found["dress"].labels.exists()  # that there is no pattern was said too
    assert (again.needs_review, again.reviewed_at) == (
        False,
        Annotation.objects.get(id=annotation.id).reviewed_at,
    )


def test_not_a_garment_stays_so_for_another_model(tenant, say):
    annotation = make_done_annotation(tenant=tenant)
    say(annotation, verdict=Review.Verdict.NOT_A_GARMENT)
    again = services.request_annotation(
        image=annotation.image, requested_by=None, now=timezone.now()
    )

    recording.record_result(annotation=again, result=make_result(), now=timezone.now())

    again.refresh_from_db()
    assert (again.state, again.abstained, again.garments.count()) == ("abstained", "no-garment", 0)


def test_another_shops_annotation_is_a_missing_one(say):
    stranger = make_done_annotation(tenant=make_member().tenant)

    with pytest.raises(Annotation.DoesNotExist):
        say(stranger)
    assert Tenant.objects.count() == 2


def test_an_added_garment_has_an_id_of_its_own(annotation, say, tenant):
    taken = make_done_annotation(tenant=tenant).garments.get().id
    twice = uuid4()
    box = Box(5, 5, 20, 20)

    for ids in ([taken], [twice, twice]):
        with pytest.raises(CorrectionRefused):
            say(annotation, added=[Addition("dress", box, garment_id=each) for each in ids])

    assert annotation.garments.count() == 1
