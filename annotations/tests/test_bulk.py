"""Work on many answers that a job does in batches."""

from functools import partial

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.tests.factories import make_member
from annotations.models import Annotation, Review, ReviewJob, ReviewTask
from annotations.reviewing import bulk, grid, services, thresholds
from annotations.reviewing.services import Reviewer, review_annotation
from annotations.tests.factories import make_done_annotation, make_result

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(bulk, "RECOUNTED", 2)
    monkeypatch.setattr(bulk, "REVIEWED", 2)


@pytest.fixture
def dresses(tenant):
    result = make_result(category="dress", confidence=0.5)
    return [make_done_annotation(tenant=tenant, result=result) for _ in range(5)]


@pytest.fixture
def set_all(tenant, member, dresses):
    def start(setting="skirt"):
        return bulk.start_grid(
            tenant=tenant,
            chosen=[(each.id, each.version) for each in dresses],
            setting=grid.Setting("category", setting),
            by=member.user,
            now=timezone.now(),
        )

    return start


def count_waiting(tenant):
    return Annotation.objects.for_tenant(tenant).filter(needs_review=True).count()


class TestThresholds:
    @pytest.fixture
    def start(self, tenant):
        def change(value):
            thresholds.change_thresholds(tenant=tenant, values={("category", ""): value})
            return bulk.start_recount(tenant=tenant, by=None, now=timezone.now())

        return change

    def test_hold_for_many_bit_by_bit(self, tenant, dresses, start):
        assert count_waiting(tenant) == 5

        job = start(0.1)

        assert (job.state, job.done, job.total) == ("running", 2, 5)
        assert count_waiting(tenant) == 3
        bulk.run_job(job_id=job.id)
        job.refresh_from_db()
        assert (job.state, job.done, job.changed) == ("done", 5, 5)
        assert count_waiting(tenant) == 0

    def test_of_few_hold_at_once(self, tenant, start):
        make_done_annotation(tenant=tenant, result=make_result(confidence=0.5))

        job = start(0.1)

        assert (job.state, job.changed, count_waiting(tenant)) == ("done", 1, 0)

    def test_that_change_meanwhile_begin_anew(self, tenant, dresses, start):
        first = start(0.1)

        again = start(0.9)

        assert again.id == first.id
        bulk.run_job(job_id=first.id)
        assert count_waiting(tenant) == 5
        bulk.run_job(job_id=first.id)  # it has ended: nothing happens
        assert ReviewJob.objects.get().done == 5

    def test_a_killed_one_goes_on_where_it_was(self, tenant, dresses, start, monkeypatch):
        job = start(0.1)
        recount, asked = thresholds.recount_batch, []

        def die_once(**options):
            asked.append(options["after"])
            if len(asked) == 1:
                raise KeyboardInterrupt
            return recount(**options)

        monkeypatch.setattr(thresholds, "recount_batch", die_once)
        with pytest.raises(KeyboardInterrupt):
            bulk.run_job(job_id=job.id)
        bulk.run_job(job_id=job.id)

        assert asked[0] == asked[1]
        assert ReviewJob.objects.get().done == 5

    def test_the_page_shows_how_far_it_is(self, page, tenant, dresses):
        data = {f"all-{key}": "" for key in ("category", "pattern")} | {"all-category": "10"}
        html = page.post(
            reverse("review_settings"), data | {"second_review_percent": "5"}, follow=True
        ).content.decode()

        assert "2 of 5 photos" in html
        assert "every 1s" in html
        bulk.run_job(job_id=ReviewJob.objects.get().id)
        html = page.get(reverse("review_job"), {"about": "recount"}).content.decode()
        assert "5 joined or left the queue" in html
        assert "every 1s" not in html


class TestGrid:
    def test_reviews_hundreds_and_takes_them_back(self, page, tenant, member, dresses, set_all):
        review_annotation(
            tenant=tenant, annotation_id=dresses[4].id, by=Reviewer(), now=timezone.now()
        )
        job = set_all()

        bulk.run_job(job_id=job.id)

        job.refresh_from_db()
        assert (job.state, job.done, job.changed, job.left) == ("done", 5, 4, 1)
        found = Review.objects.filter(id__in=job.reviews)
        assert {(r.source, r.reviewer) for r in found} == {("grid", member.user)}
        html = page.get(reverse("review_grid")).content.decode()
        assert "4 photos were reviewed" in html
        page.post(reverse("undo_review_job", args=[job.id]))
        undo = ReviewJob.objects.get(kind="undo")
        bulk.run_job(job_id=undo.id)
        undo.refresh_from_db()
        assert (undo.state, undo.changed) == ("done", 4)
        assert count_waiting(tenant) == 4
        assert page.post(reverse("undo_review_job", args=[job.id])).status_code == 404

    def test_says_nothing_twice_though_it_is_killed(self, set_all, monkeypatch):
        job = set_all()
        said = partial(services.review_annotation)
        calls = []

        def die_in_the_middle(**options):
            calls.append(1)
            if len(calls) == 4:
                raise KeyboardInterrupt
            return said(**options)

        monkeypatch.setattr(services, "review_annotation", die_in_the_middle)
        with pytest.raises(KeyboardInterrupt):
            bulk.run_job(job_id=job.id)
        assert Review.objects.count() == 2
        bulk.run_job(job_id=job.id)

        assert Review.objects.count() == 5
        assert ReviewJob.objects.get().changed == 5

    def test_one_that_breaks_says_so(self, set_all, monkeypatch):
        job = set_all()
        monkeypatch.setattr(grid, "apply_setting", lambda **_options: 1 / 0)

        with pytest.raises(ZeroDivisionError):
            bulk.run_job(job_id=job.id)

        assert ReviewJob.objects.get().state == "failed"

    def test_takes_more_than_a_page(self, page, dresses, monkeypatch):
        monkeypatch.setattr("annotations.views.review_grid.PAGE", 2)
        monkeypatch.setattr("annotations.views.review_grid.AT_ONCE", 2)
        path = reverse("review_grid")
        assert "All 5 of all pages" in page.get(path, {"value": "category:dress"}).content.decode()

        preview = page.post(
            f"{path}preview/", {"everything": "category:dress", "set": "category:skirt"}
        )
        assert "5 photos change" in preview.content.decode()
        page.post(f"{path}apply/", {"item": preview.context["chosen"], "set": "category:skirt"})

        job = ReviewJob.objects.get()
        assert (job.total, job.done) == (5, 0)
        assert "0 of 5 photos" in page.get(path).content.decode()

    def test_assigns(self, page, tenant, dresses):
        other = make_member(tenant=tenant, role=Role.REVIEWER)
        items = {"item": [f"{each.id}:0" for each in dresses[:3]]}
        path = reverse("review_grid_assign")

        html = page.post(path, {**items, "reviewer": other.user.pk}, follow=True).content.decode()

        assert "3 photos were assigned" in html
        assert ReviewTask.objects.filter(assigned_to=other.user).count() == 3
        stranger = make_member().user
        page.post(path, {**items, "reviewer": stranger.pk})
        assert not ReviewTask.objects.filter(assigned_to=stranger).exists()
        page.post(path, {**items, "reviewer": ""})
        assert not ReviewTask.objects.filter(assigned_to__isnull=False).exists()
