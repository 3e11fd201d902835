import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, User
from accounts.tests.factories import make_member, make_user
from annotations.models import Annotation, Review, ReviewTask
from annotations.reviewing import claims
from annotations.reviewing.corrections import Correction, Corrections
from annotations.reviewing.services import Reviewer, review_annotation
from annotations.tests.factories import make_done_annotation, make_result

pytestmark = pytest.mark.django_db
QUEUE = "/admin/annotations/reviewitem/"
AUDIT = "/admin/annotations/review/"


@pytest.fixture
def reviewer(tenant):
    return make_member(tenant=tenant, role=Role.REVIEWER, user=make_user(is_staff=True)).user


@pytest.fixture
def office(client, reviewer):
    """A reviewer, whom an operator has let into the admin."""
    client.force_login(reviewer)
    client.get("/shops/profile/")
    return client


@pytest.fixture
def unsure(tenant):
    return make_unsure(tenant)


def make_unsure(tenant, confidence=0.4):
    return make_done_annotation(tenant=tenant, result=make_result(confidence=confidence))


def act(client, action, annotations, query="", **data):
    return client.post(
        QUEUE + query,
        {"action": action, "_selected_action": [str(a.pk) for a in annotations], **data},
        follow=True,
    )


def names(response):
    return {row.image.name for row in response.context["cl"].result_list}


def test_shows_the_queue_with_boxes_and_nothing_else(office, unsure, tenant):
    make_done_annotation(tenant=tenant, name="sure.png")

    page = office.get(QUEUE)
    html = page.content.decode()

    assert names(page) == {"shirt.png"}
    assert f"/media/{unsure.image_id}/thumbnail" in html
    assert '<rect x="10" y="10" width="40" height="60"' in html
    assert set(office.get("/admin/").context["available_apps"][0]) >= {"models"}
    models = {
        m["object_name"]
        for app in office.get("/admin/").context["available_apps"]
        for m in app["models"]
    }
    assert models == {"Review", "ReviewItem"}


def test_sees_only_their_own_shops(office, tenant):
    foreign = make_unsure(make_member().tenant)
    review = review_annotation(
        tenant=foreign.tenant, annotation_id=foreign.id, by=Reviewer(), now=timezone.now()
    )
    elsewhere = make_unsure(foreign.tenant)

    assert names(office.get(QUEUE)) == set()
    assert office.get(f"{QUEUE}?shop={foreign.tenant_id}").status_code == 200
    assert office.get(f"{QUEUE}{elsewhere.id}/change/").status_code == 404
    act(office, "accept", [elsewhere])
    assert Annotation.objects.get(id=elsewhere.id).needs_review
    assert review.id not in {row.id for row in office.get(AUDIT).context["cl"].result_list}
    assert office.get(reverse("admin:annotations_annotation_changelist")).status_code == 403


@pytest.mark.parametrize("role", [Role.DEVELOPER, None])
def test_who_does_not_review_sees_nothing(client, tenant, unsure, role):
    user = make_user(is_staff=True)
    if role:
        make_member(tenant=tenant, role=role, user=user)
    client.force_login(user)

    assert client.get(QUEUE).status_code == 403
    assert client.get(AUDIT).status_code == 403


def test_a_reviewer_who_is_not_staff_stays_outside(client, tenant):
    client.force_login(make_member(tenant=tenant, role=Role.REVIEWER).user)

    assert client.get(QUEUE).status_code == 302


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True),
        ("?state=reviewed", False),
        ("?state=all", True),
        ("?confidence=1", True),
        ("?confidence=2", False),
        ("?confidence=x", True),
        ("?category=t-shirt", True),
        ("?category=dress", False),
        ("?assigned=nobody", True),
        ("?assigned=me", False),
        ("?assigned=somebody", False),
        ("?shop=nonsense", False),
        ("?q=shirt", True),
        ("?q=nothing", False),
    ],
)
def test_filters(office, unsure, query, found):
    assert bool(names(office.get(QUEUE + query))) == found


@pytest.mark.parametrize(
    ("action", "state"),
    [("accept", "done"), ("reject", "abstained"), ("bad_photo", "abstained")],
)
def test_reviews_many(office, tenant, unsure, reviewer, action, state):
    other = make_unsure(tenant)

    page = act(office, action, [unsure, other])

    assert "2 photos were reviewed." in page.content.decode()
    assert set(Annotation.objects.values_list("state", "needs_review")) == {(state, False)}
    assert {(r.reviewer, r.source) for r in Review.objects.all()} == {(reviewer, "admin")}


def test_leaves_what_is_reviewed_or_in_somebodys_hands(office, tenant, unsure):
    theirs, reviewed = make_unsure(tenant), make_unsure(tenant)
    colleague = make_member(tenant=tenant, role=Role.REVIEWER).user
    now = timezone.now()
    claims.claim_one(tenant=tenant, reviewer=colleague, annotation_id=theirs.id, now=now)
    by = Reviewer(user=colleague)
    review_annotation(tenant=tenant, annotation_id=reviewed.id, by=by, now=now)

    answer = act(office, "reject", [unsure, theirs, reviewed], "?state=all")

    states = {row.id: row.state for row in Annotation.objects.all()}
    assert states == {unsure.id: "abstained", theirs.id: "done", reviewed.id: "done"}
    assert "2 were left as they are" in answer.content.decode()


def test_assigns(office, tenant, unsure):
    colleague = make_member(tenant=tenant, role=Role.REVIEWER).user

    act(office, "reassign", [unsure], reviewer=colleague.email.upper())
    assert ReviewTask.objects.get().assigned_to == colleague
    act(office, "reassign", [unsure], reviewer="")
    assert ReviewTask.objects.get().assigned_to is None
    for stranger in (make_member().user.email, "nobody"):
        page = act(office, "reassign", [unsure], reviewer=stranger)
        assert "is no reviewer of the shop" in page.content.decode()


def test_changes_values_in_place(office, unsure, reviewer):
    address = f"{QUEUE}{unsure.id}/change/"
    form = office.get(address).context["form"]
    data = {field.html_name: str(field.value() or "") for field in form} | {"version": "0"}
    data |= {"0-category": "dress", "0-pattern": "checked", "comment": "Look"}

    response = office.post(address, {k: v for k, v in data.items() if v != ""})

    assert response.url == QUEUE
    review = Review.objects.get()
    assert [(c["key"], c["to"]) for c in review.changes] == [
        ("category", "dress"),
        ("pattern", "checked"),
    ]
    assert (review.reviewer, review.comment) == (reviewer, "Look")
    late = office.post(address, {k: v for k, v in data.items() if v != ""})
    assert "reviewed this photo meanwhile" in late.content.decode()
    assert "dress" in office.get(address).content.decode().lower()


def test_saving_leaves_what_another_taxonomy_named(office, unsure):
    garment = unsure.garments.get()
    garment.labels.filter(key="pattern").update(name="of-old")
    unsure.garments.update(category="poncho-of-old")
    address = f"{QUEUE}{unsure.id}/change/"
    form = office.get(address).context["form"]
    data = {field.html_name: str(field.value() or "") for field in form} | {"version": "0"}

    office.post(address, {k: v for k, v in data.items() if v != ""})

    assert Review.objects.get().changes == []
    garment.refresh_from_db()
    assert (garment.category, garment.labels.get().name) == ("poncho-of-old", "of-old")


def test_the_audit_can_be_read_and_undone_but_not_changed(office, unsure, tenant):
    garment = unsure.garments.get()
    review = review_annotation(
        tenant=tenant,
        annotation_id=unsure.id,
        by=Reviewer(),
        now=timezone.now(),
        corrections=Corrections([Correction(garment.id, category="dress")]),
    )

    page = office.get(f"{AUDIT}{review.id}/change/").content.decode()
    assert "T-shirt" in page
    assert 'name="_save"' not in page
    assert office.post(f"{AUDIT}{review.id}/change/", {"comment": "x"}).status_code == 403
    assert office.post(f"{AUDIT}{review.id}/delete/", {"post": "yes"}).status_code == 403
    office.post(AUDIT, {"action": "undo", "_selected_action": [str(review.id)]})
    garment.refresh_from_db()
    assert garment.category == "t-shirt"


def test_asks_as_much_for_fifty_as_for_one(office, tenant, django_assert_max_num_queries):
    for _ in range(50):
        annotation = make_unsure(tenant)
    review_annotation(tenant=tenant, annotation_id=annotation.id, by=Reviewer(), now=timezone.now())

    with django_assert_max_num_queries(16):
        assert len(names(office.get(QUEUE))) == 1  # all have one name
    with django_assert_max_num_queries(16):
        office.get(f"{QUEUE}?state=all&category=t-shirt&confidence=1")
    with django_assert_max_num_queries(14):
        office.get(AUDIT)


def test_operators_see_all_shops_and_who_holds_what(client, unsure):
    client.force_login(User.objects.create_superuser("operator@example.com", "x"))
    ReviewTask.objects.create(annotation=unsure, tenant=unsure.tenant)

    assert names(client.get(QUEUE)) == {"shirt.png"}
    page = client.get(f"/admin/annotations/reviewtask/{unsure.id}/change/")
    assert "admin-autocomplete" in page.content.decode()
    assert client.get("/admin/annotations/reviewtask/").status_code == 200
