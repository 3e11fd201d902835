"""From reviews to a head in use; what a head learns is in test_heads."""

import io

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.tests.factories import make_member
from annotations import recording, services
from annotations.models import Garment, Review, ReviewSettings, TrainedHead
from annotations.reviewing import examples, heads, training
from annotations.reviewing.corrections import Correction, Corrections
from annotations.reviewing.services import Reviewer, review_annotation
from annotations.tests.factories import make_done_annotation, make_garment, make_result
from kalas.lib.tenant_rows import only_rows_of

pytestmark = pytest.mark.django_db
SIZE = 16
CENTRES = dict(zip(("shirt", "top", "dress"), np.eye(3, SIZE), strict=True))


def embed(kind, rng):
    vector = CENTRES[kind] + rng.normal(scale=0.15, size=SIZE)
    return tuple(float(x) for x in vector / np.linalg.norm(vector))


def review(tenant, *, kind, called, rng, pattern="striped"):
    """A garment of this kind, which the model calls so and striped, and what a person says."""
    garment = make_garment(category=called, confidence=0.7, embedding=embed(kind, rng))
    annotation = make_done_annotation(tenant=tenant, result=make_result(garment))
    row = annotation.garments.get()
    return review_annotation(
        tenant=tenant,
        annotation_id=annotation.id,
        by=Reviewer(),
        now=timezone.now(),
        corrections=Corrections(
            [Correction(row.id, category=kind, attributes={"pattern": pattern})]
        ),
    )


@pytest.fixture
def consent(tenant):
    return ReviewSettings.objects.create(tenant=tenant, training_consent=True)


@pytest.fixture
def reviewed(tenant, consent):
    """Tops are always called shirts; the rest is right."""
    rng = np.random.default_rng(1)
    for _ in range(30):
        review(tenant, kind="top", called="shirt", rng=rng)
        review(tenant, kind="shirt", called="shirt", rng=rng)
        review(tenant, kind="dress", called="dress", rng=rng)


def request(tenant):
    return training.request_training(tenant=tenant, by=None, now=timezone.now())


def train(tenant):
    head = request(tenant)
    training.run_training(head_id=head.id)
    head.refresh_from_db()
    return head


def annotate(tenant, kind, called):
    """A new photo, as the engine answers it."""
    garment = make_garment(
        category=called, confidence=0.7, embedding=embed(kind, np.random.default_rng(9))
    )
    return make_done_annotation(tenant=tenant, result=make_result(garment))


def test_learns_is_promoted_and_taken_back(tenant, reviewed):
    head = train(tenant)

    assert head.state == "ready", head.report
    (part,) = head.report["keys"]
    assert (part["key"], part["used"]) == ("category", True)
    assert part["after"] > part["before"]
    assert head.progress == 1
    before = annotate(tenant, "top", "shirt").garments.get()
    assert (before.category, before.model_said) == ("shirt", None)
    training.promote_head(tenant=tenant, head_id=head.id, now=timezone.now())
    annotation = annotate(tenant, "top", "shirt")
    garment = annotation.garments.get()
    assert (garment.category, garment.category_origin) == ("top", "model")
    assert garment.model_said["name"] == "shirt"
    assert annotation.head == head
    assert annotate(tenant, "dress", "dress").garments.get().category == "dress"
    assert training.roll_back(tenant=tenant) is None
    assert annotate(tenant, "top", "shirt").garments.get().category == "shirt"


def test_learns_attributes(tenant, consent):
    """Dresses are checked, whatever the model says."""
    rng = np.random.default_rng(1)
    for _ in range(30):
        review(tenant, kind="dress", called="dress", rng=rng, pattern="checked")
        review(tenant, kind="shirt", called="shirt", rng=rng)
        review(tenant, kind="top", called="top", rng=rng)

    head = train(tenant)

    assert (head.state, list(head.labels)) == ("ready", ["pattern"])
    waiting = annotate(tenant, "dress", "dress")
    (change,) = training.list_would_change(head)
    assert change.garment.annotation_id == waiting.id
    assert [each[:3] for each in change.changes] == [("pattern", "striped", "checked")]
    training.promote_head(tenant=tenant, head_id=head.id, now=timezone.now())
    dress = annotate(tenant, "dress", "dress").garments.get()
    assert [x.name for x in dress.labels.all()] == ["checked"]
    assert [x["name"] for x in dress.model_said["labels"]] == ["striped"]
    assert annotate(tenant, "shirt", "shirt").garments.get().labels.get().name == "striped"


class TestForAllShops:
    @pytest.fixture
    def shops(self, tenant, reviewed):
        """Another one whose reviews count, and one that has not consented."""
        other, silent = make_member().tenant, make_member().tenant
        ReviewSettings.objects.create(tenant=other, training_consent=True)
        rng = np.random.default_rng(2)
        for shop in (other, silent):
            for _ in range(10):
                review(shop, kind="dress", called="dress", rng=rng)
                review(shop, kind="top", called="shirt", rng=rng)
        return tenant, other, silent

    def test_learns_only_from_those_that_consented_and_serves_all(self, shops):
        tenant, other, silent = shops

        head = train(None)

        assert (head.state, head.report["examples"]) == ("ready", 110)
        of = set(Review.objects.filter(id__in=head.reviews).values_list("tenant", flat=True))
        assert of == {tenant.id, other.id}
        training.promote_head(tenant=None, head_id=head.id, now=timezone.now())
        with only_rows_of(silent.id):
            assert annotate(silent, "top", "shirt").garments.get().category == "top"
        assert training.roll_back(tenant=None) is None
        assert annotate(silent, "top", "shirt").garments.get().category == "shirt"

    def test_a_shops_own_comes_first(self, shops):
        tenant = shops[0]
        shared, own = train(None), train(tenant)
        training.promote_head(tenant=None, head_id=shared.id, now=timezone.now())
        training.promote_head(tenant=tenant, head_id=own.id, now=timezone.now())

        assert annotate(tenant, "top", "shirt").head == own
        assert annotate(shops[1], "top", "shirt").head == shared

    def test_no_shop_sees_or_promotes_it_as_its_own(self, shops, page):
        head = train(None)

        assert page.post(reverse("promote_head", args=[head.id])).status_code == 404
        assert page.get(reverse("head_changes", args=[head.id])).status_code == 404

    def test_is_refused_where_one_shop_would_pay(self, shops, monkeypatch):
        """The other shop calls shirts what the first calls tops."""
        other = shops[1]
        rng = np.random.default_rng(3)
        for _ in range(100):
            review(other, kind="top", called="shirt", rng=rng, pattern="striped")
        Garment.objects.filter(annotation__tenant=other, category="top").update(category="shirt")

        head = train(None)

        (part,) = head.report["keys"]
        assert len(part["shops"]) == 2
        assert head.state == "refused"

    def test_by_command(self, shops):
        out = io.StringIO()
        call_command("train_heads", "train", stdout=out)
        training.run_training(head_id=TrainedHead.objects.get().id)
        call_command("train_heads", "list", stdout=out)
        call_command("train_heads", "changes", "1", stdout=out)
        call_command("train_heads", "promote", "1", stdout=out)

        assert TrainedHead.objects.get().is_in_use
        assert "category" in out.getvalue()
        call_command("train_heads", "roll-back", stdout=out)
        assert not TrainedHead.objects.get().is_in_use
        with pytest.raises(CommandError, match="no version 9"):
            call_command("train_heads", "promote", "9")

    def test_in_the_admin(self, shops, client):
        operator = make_member().user
        operator.is_staff = operator.is_superuser = True
        operator.save()
        client.force_login(operator)
        path = reverse("admin:annotations_trainedhead_changelist")

        client.post(reverse("admin:annotations_trainedhead_train"))
        head = TrainedHead.objects.get()
        training.run_training(head_id=head.id)
        html = client.get(path).content.decode()
        assert "Train for all shops" in html
        client.post(path, {"action": "promote", "_selected_action": [str(head.id)]})
        head.refresh_from_db()
        assert head.is_in_use
        annotate(shops[2], "top", "shirt")
        one = client.get(reverse("admin:annotations_trainedhead_change", args=[head.id]))
        assert "reviews" in one.content.decode()
        client.post(path, {"action": "roll_back", "_selected_action": [str(head.id)]})
        head.refresh_from_db()
        assert not head.is_in_use


def test_is_the_shops_own(tenant, reviewed):
    head = train(tenant)
    training.promote_head(tenant=tenant, head_id=head.id, now=timezone.now())
    stranger = make_member().tenant

    assert annotate(stranger, "top", "shirt").garments.get().category == "shirt"
    with pytest.raises(TrainedHead.DoesNotExist):
        training.promote_head(tenant=stranger, head_id=head.id, now=timezone.now())


def test_what_people_said_stays(tenant, reviewed):
    head = train(tenant)
    training.promote_head(tenant=tenant, head_id=head.id, now=timezone.now())
    first = annotate(tenant, "top", "shirt")
    review_annotation(
        tenant=tenant,
        annotation_id=first.id,
        by=Reviewer(),
        now=timezone.now(),
        corrections=Corrections([Correction(first.garments.get().id, category="dress")]),
    )

    again = services.request_annotation(image=first.image, requested_by=None, now=timezone.now())
    found = make_garment(category="shirt", embedding=embed("top", np.random.default_rng(2)))
    recording.record_result(annotation=again, result=make_result(found), now=timezone.now())

    assert again.garments.get().category == "dress"


def test_a_dry_run_says_what_would_change(tenant, reviewed):
    changes = annotate(tenant, "top", "shirt")
    annotate(tenant, "dress", "dress")
    head = train(tenant)

    (found,) = training.list_would_change(head)

    assert found.garment.annotation_id == changes.id
    assert [change[:3] for change in found.changes] == [("category", "shirt", "top")]
    assert changes.garments.get().category == "shirt"


def test_is_refused_where_it_is_not_better(tenant, consent):
    rng = np.random.default_rng(1)
    for _ in range(30):
        for kind in ("top", "shirt", "dress"):
            review(tenant, kind=kind, called=kind, rng=rng)

    head = train(tenant)

    assert head.state == "refused"
    with pytest.raises(training.NotPromotable):
        training.promote_head(tenant=tenant, head_id=head.id, now=timezone.now())


def test_says_what_it_learned_from_and_what_was_erased_since(tenant, reviewed):
    head = train(tenant)
    assert head.reviews
    assert training.count_erased(head) == 0

    gone = Garment.objects.get(
        annotation=head.tenant.reviews.get(id=head.reviews[0]).annotation_id
    ).annotation
    services.delete_image(tenant=tenant, image_id=gone.image_id)

    assert training.count_erased(head) == 1
    model = examples.find_model(tenant=tenant)
    assert model
    left = {x.review_id for x in examples.list_examples(tenant=tenant, model=model)}
    assert head.reviews[0] not in left


def test_needs_consent_and_reviews(tenant, member):
    with pytest.raises(training.NoConsent):
        request(tenant)
    ReviewSettings.objects.create(tenant=tenant, training_consent=True)
    with pytest.raises(training.TooFewReviews) as told:
        request(tenant)
    assert told.value.number == 0


def test_one_at_a_time(tenant, reviewed):
    request(tenant)

    with pytest.raises(training.AlreadyTraining):
        request(tenant)


def test_a_killed_one_begins_anew_and_a_finished_one_is_left_alone(tenant, reviewed):
    head = request(tenant)
    TrainedHead.objects.filter(id=head.id).update(state="running", progress=0.5)

    training.run_training(head_id=head.id)
    training.run_training(head_id=head.id)

    head.refresh_from_db()
    assert head.state == "ready"


def test_one_that_breaks_says_so_and_can_be_asked_for_again(tenant, reviewed, monkeypatch):
    head = request(tenant)
    monkeypatch.setattr(heads, "train", lambda *_args, **_options: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        training.run_training(head_id=head.id)

    head.refresh_from_db()
    assert (head.state, bool(head.error)) == ("failed", True)
    monkeypatch.undo()
    assert train(tenant).number == 2


def test_the_job_is_deferred_with_its_row(tenant, reviewed):
    head = request(tenant)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT args FROM procrastinate_jobs WHERE task_name = 'annotations.train_head'"
        )
        assert str(head.id) in str(cursor.fetchall())


class TestPages:
    PATH = "/review/training/"

    def test_tell_what_is_missing(self, page, tenant):
        assert "may train the model" in page.get(self.PATH).content.decode()
        response = page.post(f"{self.PATH}start/", follow=True)
        assert "consent" in response.content.decode().lower()
        assert not TrainedHead.objects.exists()

    def test_train_promote_and_roll_back(self, page, tenant, reviewed):
        page.post(f"{self.PATH}start/")
        head = TrainedHead.objects.get()
        assert "hx-trigger" in page.get(self.PATH).content.decode()
        training.run_training(head_id=head.id)
        html = page.get(self.PATH).content.decode()
        assert "Learned from 90 reviewed garments" in html
        annotate(tenant, "top", "shirt")
        dry = page.get(reverse("head_changes", args=[head.id])).content.decode()
        assert "shirt.png" in dry

        page.post(reverse("promote_head", args=[head.id]))
        head.refresh_from_db()
        assert head.is_in_use
        page.post(f"{self.PATH}roll-back/")
        head.refresh_from_db()
        assert not head.is_in_use

    def test_are_for_managers(self, client, tenant):
        client.force_login(make_member(tenant=tenant, role=Role.REVIEWER).user)

        assert client.get(self.PATH).status_code == 403
        assert client.post(f"{self.PATH}start/").status_code == 403
