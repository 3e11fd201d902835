import threading
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from accounts import services
from accounts.models import Role, Tenant
from accounts.tests.factories import make_member
from annotations.models import Annotation, ReviewTask
from annotations.reviewing import bulk, claims, queue, suggestions, thresholds
from annotations.reviewing.queue import Wanted
from annotations.reviewing.services import Remark, ReviewedMeanwhile, Reviewer, review_annotation
from annotations.tests.factories import make_done_annotation, make_result
from inference.contract import Alternative

pytestmark = pytest.mark.django_db


def make_unsure(tenant, confidence=0.4, **fields):
    result = make_result(confidence=confidence, category=fields.pop("category", "t-shirt"))
    return make_done_annotation(tenant=tenant, result=result, **fields)


def make_abstained(tenant, may_be):
    alternatives = (Alternative("scarf", may_be),)
    result = make_result(abstained="no-garment", alternatives=alternatives)
    return make_done_annotation(tenant=tenant, result=result)


@pytest.fixture
def other(tenant):
    return make_member(tenant=tenant, role=Role.REVIEWER).user


@pytest.fixture
def claim(tenant, member):
    def ask(user=None, number=1, **options):
        return claims.claim_next(
            tenant=tenant,
            reviewer=user or member.user,
            number=number,
            now=options.pop("now", timezone.now()),
            **options,
        )

    return ask


def test_gives_out_the_least_sure_first_and_each_to_one(tenant, claim, other):
    ids = [make_unsure(tenant, confidence).id for confidence in (0.6, 0.2, 0.4)]
    make_done_annotation(tenant=tenant)
    make_unsure(make_member().tenant)

    assert claim(number=2) == [ids[1], ids[2]]
    assert claim(other, number=5) == [ids[0]]
    assert claim(make_member(tenant=tenant).user, number=5) == []


def test_gives_its_own_again_and_what_has_expired_to_others(tenant, claim, other):
    one, two = (make_unsure(tenant, confidence).id for confidence in (0.2, 0.4))
    claim(number=1)

    assert claim(number=1) == [one]  # the page was opened anew
    assert claim(number=1, without=[one]) == [two]
    later = timezone.now() + claims.CLAIM + timedelta(seconds=1)
    assert claim(other, number=5, now=later) == [one, two]
    assert claim(number=5, now=later) == []


def test_whoever_works_on_keeps_what_is_at_hand(tenant, claim, other):
    one = make_unsure(tenant, 0.2).id
    start = timezone.now()
    claim(now=start)

    claim(without=[one], now=start + claims.CLAIM - timedelta(seconds=5))

    assert claim(other, now=start + claims.CLAIM + timedelta(seconds=5)) == []


def test_an_open_page_keeps_what_it_has(tenant, member, claim, other):
    one, two = (make_unsure(tenant, confidence).id for confidence in (0.2, 0.4))
    start = timezone.now()
    claim(number=2, now=start)
    beat = start + claims.CLAIM - timedelta(minutes=1)

    kept = claims.keep(tenant=tenant, reviewer=member.user, annotation_ids=[one], now=beat)

    assert kept == {one}
    later = start + claims.CLAIM + timedelta(seconds=1)
    assert claim(other, number=5, now=later) == [two]  # which no open page holds any more
    slept = later + claims.CLAIM
    both = {"tenant": tenant, "reviewer": member.user, "annotation_ids": [one, two]}
    assert claims.keep(**both, now=later) == {one}
    assert claims.keep(**both, now=slept) == {one, two}
    review_annotation(tenant=tenant, annotation_id=one, by=Reviewer(user=other), now=slept)
    assert claims.keep(**both, now=slept) == {two}


def test_one_key_can_be_asked_for(tenant, claim):
    """What is below its threshold, not what has a value of it."""
    category = make_unsure(tenant, 0.4).id
    thresholds.change_thresholds(tenant=tenant, values={("pattern", ""): 0.9})
    pattern = make_done_annotation(tenant=tenant).id

    assert claim(number=5, wanted=Wanted(key="category")) == [category]
    assert set(claim(number=5, wanted=Wanted(key="pattern"))) == {category, pattern}
    thresholds.change_thresholds(tenant=tenant, values={("pattern", "t-shirt"): 0.1})
    assert claim(number=5, wanted=Wanted(key="pattern")) == []


def test_what_is_skipped_or_returned_goes_to_others(tenant, member, claim, other):
    one, two = (make_unsure(tenant, confidence).id for confidence in (0.2, 0.4))
    claim(number=2)

    claims.skip(tenant=tenant, reviewer=member.user, annotation_id=one, now=timezone.now())
    returned = claims.return_claims(tenant=tenant, reviewer=member.user, annotation_ids=[one, two])

    assert returned == 1
    assert claim(number=2) == [two, one]  # what was skipped comes last
    claims.return_claims(tenant=tenant, reviewer=member.user, annotation_ids=[one, two])
    assert claim(other, number=2) == [one, two]


def test_what_is_assigned_comes_first_and_to_nobody_else(tenant, member, claim, other):
    one, two = (make_unsure(tenant, confidence).id for confidence in (0.2, 0.4))
    claim(number=1)

    assert (
        claims.assign(tenant=tenant, annotation_ids=[one], reviewer=other, now=timezone.now()) == 1
    )

    assert claim(number=5) == [two]
    claims.return_claims(tenant=tenant, reviewer=member.user, annotation_ids=[two])
    assert claim(other, number=5, wanted=Wanted(only_mine=True)) == [one]
    assert claim(other, number=5) == [one, two]
    with pytest.raises(claims.NotAReviewer):
        claims.assign(
            tenant=tenant,
            annotation_ids=[one],
            reviewer=make_member(tenant=tenant, role=Role.DEVELOPER).user,
            now=timezone.now(),
        )


def test_another_shops_cannot_be_touched(tenant, member):
    foreign = make_unsure(make_member().tenant)
    now = timezone.now()

    with pytest.raises(Annotation.DoesNotExist):
        claims.skip(tenant=tenant, reviewer=member.user, annotation_id=foreign.id, now=now)
    with pytest.raises(Annotation.DoesNotExist):
        claims.claim_one(tenant=tenant, reviewer=member.user, annotation_id=foreign.id, now=now)
    ids = [foreign.id]
    assert claims.assign(tenant=tenant, annotation_ids=ids, reviewer=None, now=now) == 0
    claims.return_claims(tenant=tenant, reviewer=member.user, annotation_ids=ids)
    assert not ReviewTask.objects.exists()


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Wanted(category="dress"), ["b"]),
        (Wanted(product="A 1"), ["a"]),
        (Wanted(key="category"), ["a", "b"]),
        (Wanted(key="pattern"), []),
        (Wanted(older_than=timedelta(days=1)), ["b"]),
        (Wanted(order="newest"), ["a", "b"]),
        (Wanted(order="oldest"), ["b", "a"]),
        (Wanted(order="unsure"), ["a", "b"]),
    ],
)
def test_filters_and_sorts(tenant, wanted, names):
    now = timezone.now()
    a = make_unsure(tenant, 0.2, name="a")
    b = make_unsure(tenant, 0.3, name="b", category="dress")
    Annotation.objects.filter(id=a.id).update(product="A 1")
    Annotation.objects.filter(id=b.id).update(created_at=now - timedelta(days=2))

    found = queue.filter_queue(tenant=tenant, wanted=wanted, now=now)

    assert [annotation.image.name for annotation in found] == names


def test_counts(tenant, member, claim, other):
    one, _two, three = (make_unsure(tenant, 0.1 * number).id for number in (1, 2, 3))
    claim(other, number=1)
    claims.assign(tenant=tenant, annotation_ids=[three], reviewer=member.user, now=timezone.now())
    suggestions.suggest_review(
        tenant=tenant, annotation_id=one, by=None, note="That is no shirt.", now=timezone.now()
    )

    counts = queue.count_queue(tenant=tenant, user=member.user, now=timezone.now())

    assert counts == {"waiting": 3, "claimed": 1, "mine": 1, "suggested": 1}
    assert queue.count_categories(tenant=tenant) == [("t-shirt", 3)]


@pytest.mark.parametrize(
    ("wanted", "waiting"),
    [(Wanted(category="t-shirt"), 2), (Wanted(category="skirt"), 0), (Wanted(only_mine=True), 1)],
)
def test_counts_the_wanted_part(tenant, member, wanted, waiting):
    _one, two = (make_unsure(tenant, 0.1 * number).id for number in (1, 2))
    claims.assign(tenant=tenant, annotation_ids=[two], reviewer=member.user, now=timezone.now())

    counts = queue.count_queue(tenant=tenant, user=member.user, now=timezone.now(), wanted=wanted)

    assert counts["waiting"] == waiting


def test_a_review_leaves_the_queue(tenant, member, claim, other):
    one = make_unsure(tenant)
    claim()

    review_annotation(
        tenant=tenant,
        annotation_id=one.id,
        by=Reviewer(user=member.user),
        now=timezone.now(),
    )

    assert claim(other) == []
    assert ReviewTask.objects.get().claimed_by is None


def test_a_suggestion_comes_first(tenant, claim):
    unsure = make_unsure(tenant, 0.1)
    sure = make_done_annotation(tenant=tenant)

    suggestions.suggest_review(
        tenant=tenant, annotation_id=sure.id, by=None, note="Look", now=timezone.now()
    )

    assert claim(number=2) == [sure.id, unsure.id]


def test_what_may_show_a_garment_waits_and_can_be_left_as_it_is(tenant, member, claim):
    unsure, sure = make_abstained(tenant, 0.4), make_abstained(tenant, 0.1)
    make_abstained(make_member().tenant, 0.4)

    assert claim(number=3) == [unsure.id]
    assert claim(number=3, wanted=Wanted(key="category")) == [unsure.id]
    assert claim(number=3, wanted=Wanted(key="pattern")) == []
    review_annotation(
        tenant=tenant, annotation_id=unsure.id, by=Reviewer(user=member.user), now=timezone.now()
    )

    assert claim(number=3) == []
    for each in (unsure, sure):
        each.refresh_from_db()
        assert (each.state, each.abstained, each.needs_review) == ("abstained", "no-garment", False)


def test_who_accepts_a_moment_after_a_suggestion_is_told(tenant, member):
    annotation = make_unsure(tenant)
    suggestions.suggest_review(
        tenant=tenant, annotation_id=annotation.id, by=None, note="Look", now=timezone.now()
    )

    with pytest.raises(ReviewedMeanwhile):
        review_annotation(
            tenant=tenant,
            annotation_id=annotation.id,
            by=Reviewer(user=member.user),
            now=timezone.now(),
            remark=Remark(version=annotation.version),
        )


def test_a_second_note_stays_beside_the_first(tenant, member, other):
    annotation = make_unsure(tenant)
    for by, note in ((member.user, "A dress!"), (other, "And red.")):
        suggestions.suggest_review(
            tenant=tenant, annotation_id=annotation.id, by=by, note=note, now=timezone.now()
        )

    task = ReviewTask.objects.get()
    assert task.note == f"A dress!\n{other.get_full_name()}: And red."
    assert task.suggested_by == member.user


class TestThresholds:
    def change(self, tenant, **values):
        changed = {tuple(key.split("__")): value for key, value in values.items()}
        thresholds.change_thresholds(
            tenant=tenant, values={(key, c): v for (key, c), v in changed.items()}
        )
        return bulk.start_recount(tenant=tenant, by=None, now=timezone.now()).changed

    @pytest.mark.parametrize(
        ("values", "waits"),
        [
            ({}, False),
            ({"pattern__": 0.9}, True),
            ({"pattern__": 0.9, "pattern__t-shirt": 0.5}, False),
            ({"pattern__dress": 0.9}, False),
            ({"category__": 0.99}, True),
            ({"category__t-shirt": 0.99}, True),
        ],
    )
    def test_hold_by_key_and_category(self, tenant, values, waits):
        """For what is annotated from now on, and for what was."""
        before = make_done_annotation(tenant=tenant)

        changed = self.change(tenant, **values)

        before.refresh_from_db()
        after = make_done_annotation(tenant=tenant)
        assert (before.needs_review, after.needs_review, changed) == (waits, waits, int(waits))
        assert before.least_confidence == after.least_confidence

    @pytest.mark.parametrize(
        ("values", "waits"),
        [
            ({}, False),
            ({"category__": 0.9}, True),
            ({"category__scarf": 0.9}, False),
            ({"pattern__": 0.9}, False),
        ],
    )
    def test_hold_for_photos_without_a_garment(self, tenant, values, waits):
        """That there is none is a category, of which nothing is known but that."""
        before = make_abstained(tenant, 0.15)
        foreign = make_abstained(make_member().tenant, 0.15)

        changed = self.change(tenant, **values)

        after = make_abstained(tenant, 0.15)
        for each in (before, after, foreign):
            each.refresh_from_db()
        assert (before.needs_review, after.needs_review, changed) == (waits, waits, int(waits))
        assert before.least_confidence == after.least_confidence == (0.85 if waits else None)
        assert not foreign.needs_review

    def test_go_back_to_the_default(self, tenant):
        annotation = make_done_annotation(tenant=tenant)
        self.change(tenant, pattern__=0.9)

        self.change(tenant, pattern__=None)

        annotation.refresh_from_db()
        assert (annotation.needs_review, annotation.least_confidence) == (False, None)

    def test_leave_alone_what_people_have_said(self, tenant, member):
        reviewed, suggested, foreign = (
            make_done_annotation(tenant=each) for each in (tenant, tenant, make_member().tenant)
        )
        by = Reviewer(user=member.user)
        now = timezone.now()
        review_annotation(tenant=tenant, annotation_id=reviewed.id, by=by, now=now)
        suggestions.suggest_review(
            tenant=tenant, annotation_id=suggested.id, by=None, note="Look", now=now
        )

        self.change(tenant, pattern__=0.9)
        self.change(tenant, pattern__=None)

        waits = Annotation.objects.filter(needs_review=True)
        assert [annotation.id for annotation in waits] == [suggested.id]
        assert not Annotation.objects.get(id=foreign.id).needs_review


@pytest.mark.django_db(transaction=True)
def test_a_review_while_thresholds_change_stays_reviewed():
    member = make_member()
    tenant = Tenant.objects.get(id=member.tenant_id)
    annotation = make_done_annotation(tenant=tenant)

    def change() -> None:
        try:
            tenant.review_threshold = 0.99
            thresholds.recount_batch(tenant=tenant, after=None, most=10)
        finally:
            connections.close_all()

    thread = threading.Thread(target=change)
    with transaction.atomic():
        review_annotation(
            tenant=tenant,
            annotation_id=annotation.id,
            by=Reviewer(user=member.user),
            now=timezone.now(),
        )
        thread.start()
        while thread.is_alive() and not waits_for_a_lock():
            pass
    thread.join()

    annotation.refresh_from_db()
    assert not annotation.needs_review


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0


@pytest.mark.django_db(transaction=True)
def test_eight_who_ask_at_once_never_get_the_same():
    member = make_member()
    tenant = Tenant.objects.get(id=member.tenant_id)
    ids = {make_unsure(tenant, 0.01 * number).id for number in range(1, 41)}
    users = [make_member(tenant=tenant).user for _ in range(8)]
    got: list[object] = []
    start = threading.Barrier(len(users))

    def work(user) -> None:
        try:
            start.wait()
            for _ in range(4):
                got.extend(
                    claims.claim_next(
                        tenant=tenant, reviewer=user, number=2, now=timezone.now(), without=[]
                    )
                )
                mine = ReviewTask.objects.filter(claimed_by=user).values_list(
                    "annotation", flat=True
                )
                for annotation_id in mine:
                    review_annotation(
                        tenant=tenant,
                        annotation_id=annotation_id,
                        by=Reviewer(user=user),
                        now=timezone.now(),
                    )
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=[user]) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == len(set(got))
    assert set(got) <= ids
    assert len(got) == 40


def test_another_threshold_of_the_shop_moves_the_queue(member):
    annotation = make_done_annotation(tenant=member.tenant)

    services.change_settings(tenant=member.tenant, by=member, name="Shop", review_threshold=0.99)

    annotation.refresh_from_db()
    assert (annotation.needs_review, annotation.least_confidence) == (True, 0.93)
