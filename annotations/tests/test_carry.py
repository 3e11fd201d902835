"""Another model answers for a photo that people review, before or after they do."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from accounts.models import Tenant
from accounts.tests.factories import make_member
from annotations import recording, services
from annotations.models import Annotation, Review, ReviewTask
from annotations.reviewing import queue, suggestions, thresholds
from annotations.reviewing.carry import merge
from annotations.reviewing.corrections import Correction, Corrections
from annotations.reviewing.services import Reviewer, review_annotation, undo_review
from annotations.reviewing.snapshots import read_snapshot
from annotations.reviewing.thresholds import Thresholds
from annotations.tests.factories import make_done_annotation, make_garment, make_result
from inference.contract import Box, Label

pytestmark = pytest.mark.django_db

UNSURE = make_result(confidence=0.4)
DEFAULT = Thresholds(0.6, {})


@pytest.fixture
def old(tenant):
    return make_done_annotation(tenant=tenant, result=UNSURE)


@pytest.fixture
def answer_again(tenant, member):
    def answer(annotation, result=UNSURE, later=timedelta(seconds=1)):
        again = services.annotate_again(
            tenant=tenant,
            annotation_id=annotation.id,
            requested_by=member.user,
            now=annotation.created_at + later,
        )
        recording.record_result(annotation=again, result=result, now=timezone.now())
        return Annotation.objects.get(id=again.id)

    return answer


@pytest.fixture
def say(tenant, member):
    def review(annotation, **said):
        garments = [Correction(annotation.garments.get().id, **said)] if said else []
        return review_annotation(
            tenant=tenant,
            annotation_id=annotation.id,
            by=Reviewer(user=member.user),
            now=timezone.now(),
            corrections=Corrections(garments=garments),
        )

    return review


def name(annotation):
    return Annotation.objects.get(id=annotation.id).garments.get().category


def list_waiting(tenant):
    return [each.id for each in queue.filter_queue(tenant=tenant, now=timezone.now())]


@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_a_review_holds_whenever_the_new_answer_comes(tenant, old, answer_again, say, is_first):
    if is_first:
        say(old, category="dress")
    new = answer_again(old)
    if not is_first:
        say(old, category="dress")

    assert (name(old), name(new)) == ("dress", "dress")
    new.refresh_from_db()
    assert (new.needs_review, new.reviewed_at is not None) == (False, True)
    assert list_waiting(tenant) == []


def test_only_the_newest_answer_waits(tenant, old, answer_again):
    new = answer_again(old)

    assert list_waiting(tenant) == [new.id]
    tenant.review_threshold = 0.99
    thresholds.recount_batch(tenant=tenant, after=None, most=10)
    assert list_waiting(tenant) == [new.id]


def test_what_a_member_noted_comes_along(tenant, old, answer_again):
    note = {"tenant": tenant, "by": None, "now": timezone.now()}
    suggestions.suggest_review(annotation_id=old.id, note="A dress!", **note)

    new = answer_again(old, make_result())

    assert list_waiting(tenant) == [new.id]
    assert ReviewTask.objects.get(annotation=new).note == "A dress!"


def test_a_suggestion_about_an_earlier_answer_is_about_the_newest(tenant, old, answer_again):
    new = answer_again(old, make_result())

    suggestions.suggest_review(
        tenant=tenant, annotation_id=old.id, by=None, note="A dress!", now=timezone.now()
    )

    assert list_waiting(tenant) == [new.id]


def test_what_is_carried_over_is_in_the_history_and_can_be_undone(
    tenant, old, answer_again, say, member
):
    said = say(old, category="dress")
    new = answer_again(old)
    carried = new.reviews.get()

    assert (carried.kind, carried.about, carried.reviewer) == ("carried", said, member.user)
    assert [each["key"] for each in carried.changes] == ["category"]
    undo_review(
        tenant=tenant,
        review_id=carried.id,
        by=Reviewer(user=member.user),
        now=timezone.now(),
    )
    assert name(new) == "t-shirt"
    assert list_waiting(tenant) == [new.id]


def test_undone_there_is_undone_here(tenant, old, answer_again, say, member):
    said = say(old, category="dress")
    new = answer_again(old)
    by = Reviewer(user=member.user)

    undo = undo_review(tenant=tenant, review_id=said.id, by=by, now=timezone.now())

    assert (name(old), name(new)) == ("t-shirt", "t-shirt")
    assert list_waiting(tenant) == [new.id]
    undo_review(tenant=tenant, review_id=undo.id, by=by, now=timezone.now())
    assert (name(old), name(new)) == ("dress", "dress")


def test_what_was_said_about_the_newest_itself_counts_more(old, answer_again, say):
    new = answer_again(old)
    say(new, category="skirt")

    say(old, category="dress")

    assert name(new) == "skirt"


def test_what_was_accepted_stays_where_the_new_model_sees_nothing(tenant, old, answer_again, say):
    say(old)

    new = answer_again(old, make_result(abstained="no-garment"))

    assert (new.state, new.abstained, name(new)) == ("done", "", "t-shirt")


def test_the_second_garment_of_an_outfit_stays(tenant, answer_again, say):
    shoes = make_garment(category="sneakers", object_type="footwear")
    shoes = type(shoes)(**{**vars_of(shoes), "primary": False, "box": Box(10, 71, 50, 79)})
    outfit = make_done_annotation(tenant=tenant, result=make_result(make_garment(), shoes))
    review_annotation(tenant=tenant, annotation_id=outfit.id, by=Reviewer(), now=timezone.now())

    new = answer_again(outfit)

    assert {garment.category for garment in new.garments.all()} == {"t-shirt", "sneakers"}


def test_a_corrected_garment_takes_no_attribute_that_it_cannot_have(tenant, old, say):
    say(old, category="jeans")
    said = read_snapshot(Annotation.objects.get(id=old.id))
    new = read_snapshot(make_done_annotation(tenant=tenant, result=with_sleeves(0.9)))

    after = merge(new, said, removed=[], at="", thresholds=DEFAULT)

    (garment,) = after["garments"]
    assert [label["key"] for label in garment["labels"]] == ["pattern"]
    assert not after["needs_review"]


def test_a_doubtful_value_that_nobody_has_seen_waits(tenant, old, say):
    say(old)
    said = read_snapshot(Annotation.objects.get(id=old.id))
    new = read_snapshot(make_done_annotation(tenant=tenant, result=with_sleeves(0.3)))

    after = merge(new, said, removed=[], at="", thresholds=DEFAULT)

    assert (after["needs_review"], after["least_confidence"]) == (True, 0.3)


def with_sleeves(confidence):
    garment = make_garment()
    labels = (*garment.attributes, Label("sleeve-length", "short-sleeve", confidence))
    return make_result(type(garment)(**{**vars_of(garment), "attributes": labels}))


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0


def vars_of(garment):
    return {name: getattr(garment, name) for name in garment.__dataclass_fields__}


@pytest.mark.django_db(transaction=True)
def test_a_review_at_the_moment_of_the_new_answer_is_not_lost():
    member = make_member()
    tenant = Tenant.objects.get(id=member.tenant_id)
    old = make_done_annotation(tenant=tenant, result=UNSURE)
    again = services.annotate_again(
        tenant=tenant, annotation_id=old.id, requested_by=member.user, now=timezone.now()
    )
    garment = old.garments.get()

    def review() -> None:
        try:
            review_annotation(
                tenant=tenant,
                annotation_id=old.id,
                by=Reviewer(user=member.user),
                now=timezone.now(),
                corrections=Corrections([Correction(garment.id, category="dress")]),
            )
        finally:
            connections.close_all()

    thread = threading.Thread(target=review)
    with transaction.atomic():
        recording.record_result(annotation=again, result=UNSURE, now=timezone.now())
        thread.start()
        while thread.is_alive() and not waits_for_a_lock():
            pass
    thread.join()

    assert (name(old), name(again)) == ("dress", "dress")
    assert Review.objects.filter(annotation=again, kind="carried").count() == 1
