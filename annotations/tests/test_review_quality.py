import json
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.tests.factories import make_key, make_member
from annotations.models import Annotation, Review, ReviewSettings, ReviewTask, ReviewThreshold
from annotations.reviewing import planner, quality, seconds
from annotations.reviewing.corrections import Correction, Corrections
from annotations.reviewing.services import Reviewer, review_annotation, undo_review
from annotations.reviewing.statistics import Share, measure_agreement
from annotations.tests.factories import make_done_annotation, make_result

pytestmark = pytest.mark.django_db


@pytest.fixture
def say(tenant, member):
    def review(category="", confidence=0.4, user=None, **said):
        annotation = make_done_annotation(tenant=tenant, result=make_result(confidence=confidence))
        garment = annotation.garments.get()
        correction = Correction(garment.id, category=category, **said)
        return review_annotation(
            tenant=tenant,
            annotation_id=annotation.id,
            by=Reviewer(user=user or member.user, source=Review.Source.QUEUE),
            now=timezone.now(),
            corrections=Corrections([correction]),
        )

    return review


class TestNumbers:
    def test_wilson(self):
        """As in Newcombe 1998, table I: 81 of 263, method 3."""
        share = Share(263, 81)

        assert (round(share.low, 4), round(share.high, 4)) == (0.2553, 0.3662)
        assert (Share(0, 0).low, Share(0, 0).high, Share(0, 0).value) == (0, 1, None)
        assert Share(10, 10).high == pytest.approx(1)
        assert 0.7 < Share(10, 10).low < 0.75

    def test_kappa(self):
        """Cohen's example: 20 and 15 alike of 50, so observed 0.7, by chance 0.5."""
        pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5
        pairs += [("no", "yes")] * 10 + [("no", "no")] * 15

        agreement = measure_agreement(pairs)

        assert (agreement.pairs, agreement.same) == (50, 35)
        assert agreement.kappa == pytest.approx(0.4)
        assert measure_agreement([]).kappa is None
        assert measure_agreement([("a", "a")]).kappa is None


def test_counts_what_was_right(tenant, say):
    say()
    say("dress")
    undone = say("dress")
    undo_review(tenant=tenant, review_id=undone.id, by=Reviewer(), now=timezone.now())
    say(attributes={"pattern": "checked", "sleeve-length": "short-sleeve"})

    (row,) = quality.count_by_category(tenant=tenant)
    assert (row.name, row.share.number, row.share.right) == ("t-shirt", 3, 2)
    attributes = {row.name: row for row in quality.count_by_attribute(tenant=tenant)}
    pattern = attributes["pattern"].share
    assert (pattern.number, pattern.right) == (3, 2)
    assert attributes["sleeve-length"].missed == 1
    assert quality.count_confusions(tenant=tenant) == [("t-shirt", "dress", 1)]
    work = quality.measure_work(tenant=tenant)
    assert (work.reviews, work.accepted, work.people) == (3, 1, 1)


def test_the_last_word_counts(tenant, say, member):
    """Accepted first and corrected later: the model was wrong, once."""
    review = say()
    garment = review.annotation.garments.get()
    review_annotation(
        tenant=tenant,
        annotation_id=review.annotation_id,
        by=Reviewer(user=member.user),
        now=timezone.now(),
        corrections=Corrections([Correction(garment.id, category="dress")]),
    )

    (row,) = quality.count_by_category(tenant=tenant)
    assert (row.share.number, row.share.right) == (1, 0)


def test_a_bad_photo_says_nothing_about_the_model(tenant):
    annotation = make_done_annotation(tenant=tenant)
    review_annotation(
        tenant=tenant,
        annotation_id=annotation.id,
        by=Reviewer(),
        now=timezone.now(),
        corrections=Corrections(verdict=Review.Verdict.BAD_PHOTO),
    )

    assert quality.count_by_category(tenant=tenant) == []


def test_plans_from_what_is_there(tenant, say):
    for _ in range(3):
        say(confidence=0.95)
    say("dress", confidence=0.25)
    make_done_annotation(tenant=tenant, result=make_result(confidence=0.85))
    make_done_annotation(tenant=make_member().tenant, result=make_result(confidence=0.85))

    steps = planner.list_steps(tenant=tenant)
    plan = planner.plan(steps, threshold=0.8)

    assert (plan.published, plan.to_review) == (4, 1)
    assert 3.6 < plan.right < 4
    assert planner.plan(steps, threshold=0).published == 5
    assert planner.plan(steps, threshold=1).to_review == 5
    # What was seen counts: three right ones at 95 % raise what is expected there.
    assert steps[95].right / steps[95].values > 0.955
    assert steps[25].right / steps[25].values < 0.255


class TestSecondOpinions:
    @pytest.fixture(autouse=True)
    def all_twice(self, tenant):
        ReviewSettings.objects.create(tenant=tenant, second_review_percent=100)

    @pytest.fixture
    def other(self, tenant):
        return make_member(tenant=tenant, role=Role.REVIEWER).user

    def give(self, tenant, user, review, category=""):
        garment = review.before["garments"][0]["id"]
        return seconds.give_second(
            tenant=tenant,
            annotation_id=review.annotation_id,
            reviewer=user,
            corrections=Corrections([Correction(garment, category=category)]),
            review_id=uuid4(),
            seconds=2,
            comment="",
            now=timezone.now(),
        )

    def test_are_asked_of_somebody_else(self, tenant, member, other, say):
        review = say("dress")
        now = timezone.now()

        asked = [
            seconds.list_asked(tenant=tenant, user=user, now=now, most=5)
            for user in (member.user, other)
        ]

        assert asked == [[], [review.annotation_id]]

    def test_are_never_asked_of_who_has_reviewed_it(self, tenant, member, other, say):
        review = say("dress")
        third = make_member(tenant=tenant, role=Role.REVIEWER).user
        now = timezone.now()
        review_annotation(
            tenant=tenant,
            annotation_id=review.annotation_id,
            by=Reviewer(user=other, source=Review.Source.QUEUE),
            now=now,
        )

        asked = [
            seconds.list_asked(tenant=tenant, user=user, now=now, most=5)
            for user in (member.user, other, third)
        ]

        assert asked == [[], [], [review.annotation_id]]
        first = seconds.find_first(tenant=tenant, annotation_id=review.annotation_id, user=third)
        assert first == review
        assert self.give(tenant, third, review).about == review

    def test_see_what_the_model_said_and_change_nothing(self, tenant, other, say, client):
        review = say("dress")
        client.force_login(other)
        post = lambda name, *args, **data: client.post(  # noqa: E731
            reverse(name, args=args), json.dumps(data), content_type="application/json"
        )

        (item,) = post("review_claim", number=5, without=[]).json()["items"]
        assert item["garments"][0]["category"] == "t-shirt"
        assert item["second"] is True
        change = {"id": item["garments"][0]["id"], "category": "skirt"}
        said = {"review": str(uuid4()), "second": True, "garments": [change], "version": 1}
        saved, again = (post("review_save", item["id"], **said) for _ in range(2))

        assert saved.status_code == again.status_code == 200
        assert review.annotation.garments.get().category == "dress"
        assert Annotation.objects.get().version == 1
        second = Review.objects.get(kind="second")
        assert second.after["garments"][0]["category"] == "skirt"
        assert post("review_claim", number=5, without=[]).json()["items"] == []
        late = post("review_save", item["id"], **(said | {"review": str(uuid4())}))
        assert late.status_code == 422

    def test_measure_how_far_reviewers_agree(self, tenant, other, say):
        for first, second in (("dress", "dress"), ("skirt", "skirt"), ("dress", "skirt")):
            self.give(tenant, other, say(first), second)

        agreed = quality.measure_agreement_of(tenant=tenant)

        assert (agreed.category.pairs, agreed.category.same) == (3, 2)
        assert agreed.category.kappa == pytest.approx(0.4)
        assert [(x.first, x.second) for x in agreed.disagreements] == [("dress", "skirt")]

    def test_are_not_asked_of_who_gave_the_first(self, tenant, member, say):
        with pytest.raises(seconds.NotAsked):
            self.give(tenant, member.user, say("dress"))

    def test_are_a_sample(self, tenant, say):
        assert [seconds.is_in_sample(uuid4(), percent=p) for p in (0, 100)] == [False, True]
        hits = sum(seconds.is_in_sample(uuid4(), percent=20) for _ in range(2000))
        assert 300 < hits < 500
        ReviewSettings.objects.update(second_review_percent=0)
        say("dress")
        assert not ReviewTask.objects.filter(second_of__isnull=False).exists()


def test_the_page_shows_numbers_and_the_planner(page, say):
    say("dress", confidence=0.3)
    say()

    html = page.get("/review/quality/").content.decode()

    assert '<svg class="reliability"' in html
    assert "kalas-planner" in html
    assert "T-shirt → <strong>Dress</strong>" in html
    for query in ("key=pattern", "days=7", "key=nonsense", "days=x"):
        assert page.get(f"/review/quality/?{query}").status_code == 200


def test_the_page_of_an_empty_shop(page):
    assert "No reviews yet" in page.get("/review/quality/").content.decode()


def test_other_shops_reviews_are_not_counted(tenant, say):
    say("dress")
    stranger = make_member().tenant

    assert quality.count_by_category(tenant=stranger) == []
    assert planner.plan(planner.list_steps(tenant=stranger), threshold=0).published == 0
    assert quality.measure_work(tenant=stranger).reviews == 0


class TestSettings:
    PATH = "/review/settings/"

    def data(self, page, **changes):
        page = page.get(self.PATH)
        forms = (page.context["form"], page.context["other"])
        data = {f.html_name: f.value() for form in forms for f in form}
        return {k: v for k, v in (data | changes).items() if v not in (None, False)}

    def test_set_thresholds_and_move_the_queue(self, page, tenant, member):
        sure = make_done_annotation(tenant=tenant)
        changes = {"all-category": 99, "all-pattern": 60, "one-0-category": "dress"}
        changes |= {"one-0-key": "pattern", "one-0-value": 30, "training_consent": "on"}

        response = page.post(self.PATH, self.data(page, **changes), follow=True)

        assert "1 photo joins or leaves the queue" in response.content.decode()
        sure.refresh_from_db()
        tenant.refresh_from_db()
        assert (sure.needs_review, tenant.review_threshold) == (True, 0.99)
        rows = set(ReviewThreshold.objects.values_list("key", "category", "value"))
        assert rows == {("pattern", "", 0.6), ("pattern", "dress", 0.3)}
        settings = ReviewSettings.objects.get()
        assert (settings.training_consent, settings.consent_by) == (True, member.user)
        emptied = {"all-pattern": "", "one-0-value": "", "all-category": 80}
        page.post(self.PATH, self.data(page, **emptied))
        assert not ReviewThreshold.objects.exists()

    def test_refuse_what_is_no_percentage(self, page):
        response = page.post(self.PATH, self.data(page, **{"all-category": 101}))

        assert response.status_code == 422
        assert not ReviewSettings.objects.exists()

    def test_are_for_managers(self, client, tenant):
        client.force_login(make_member(tenant=tenant, role=Role.REVIEWER).user)

        assert client.get(self.PATH).status_code == 403


class TestApi:
    def ask(self, client, tenant, query=""):
        token = make_key(tenant=tenant).token
        return client.get(f"/api/v1/quality/{query}", headers={"Authorization": f"Bearer {token}"})

    def test_tells_the_same(self, client, tenant, say):
        say("dress")
        say()

        answer = self.ask(client, tenant, "?threshold=0.3&key=category").json()

        assert (answer["reviews"], answer["accepted"]) == (2, 1)
        assert answer["categories"][0]["name"] == "t-shirt"
        assert answer["categories"][0]["share"] == 0.5
        assert answer["plan"]["published"] == 2
        assert answer["reliability"][0]["number"] == 2

    @pytest.mark.parametrize("query", ["?key=wings", "?threshold=2", "?since=x", "?a=b"])
    def test_refuses_bad_input(self, client, tenant, query):
        assert self.ask(client, tenant, query).status_code == 422
