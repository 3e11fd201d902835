import pytest
from django.utils import timezone

from accounts.models import Role
from accounts.tests.factories import make_member
from annotations.models import Annotation, Review
from annotations.reviewing import claims
from annotations.reviewing.services import Reviewer, review_annotation
from annotations.tests.factories import make_done_annotation, make_result

pytestmark = pytest.mark.django_db
GRID = "/review/grid/"


@pytest.fixture
def dresses(tenant):
    return [
        make_done_annotation(tenant=tenant, result=make_result(category="dress", confidence=0.5))
        for _ in range(3)
    ]


def choose(annotations, **data):
    return {"item": [f"{a.id}:{a.version}" for a in annotations], **data}


def shown(response):
    return {str(annotation.id) for annotation in response.context["page_obj"].object_list}


def ids(annotations):
    return {str(annotation.id) for annotation in annotations}


def test_shows_the_photos_of_one_value(page, tenant, dresses):
    sure = make_done_annotation(tenant=tenant, result=make_result(category="dress"))
    make_done_annotation(tenant=tenant, result=make_result(confidence=0.1))
    make_done_annotation(
        tenant=make_member().tenant, result=make_result(category="dress", confidence=0.1)
    )

    assert shown(page.get(GRID, {"value": "category:dress"})) == ids(dresses)
    assert shown(page.get(GRID)) == ids(dresses)  # what waits most
    everything = page.get(GRID, {"value": "category:dress", "all": "on"})
    assert shown(everything) == ids([*dresses, sure])
    assert len(shown(page.get(GRID, {"value": "pattern:striped"}))) == 4
    assert shown(page.get(GRID, {"value": "nonsense"})) == ids(dresses)


def test_leaves_out_what_somebody_works_on(page, tenant, dresses):
    other = make_member(tenant=tenant, role=Role.REVIEWER)
    claims.claim_next(tenant=tenant, reviewer=other.user, number=1, now=timezone.now())

    assert len(shown(page.get(GRID, {"value": "category:dress"}))) == 2


def test_asks_as_much_for_one_as_for_many(page, dresses, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        page.get(GRID, {"value": "category:dress"})


def test_says_first_how_many_change(page, tenant, dresses):
    skirt = make_done_annotation(tenant=tenant, result=make_result(category="skirt"))
    stale = choose([dresses[2]])["item"]
    review_annotation(tenant=tenant, annotation_id=dresses[2].id, by=Reviewer(), now=timezone.now())
    data = choose([dresses[0], dresses[1], skirt], set="category:skirt")
    data["item"] += stale

    html = page.post(f"{GRID}preview/", data, headers={"HX-Request": "true"}).content.decode()

    assert "2 photos change" in html
    assert "1 is that already" in html
    assert "1 was reviewed by somebody else meanwhile" in html
    assert Review.objects.count() == 1


@pytest.mark.parametrize(
    ("what", "category", "labels", "state"),
    [
        ("accept", "dress", {"striped"}, "done"),
        ("category:skirt", "skirt", {"striped"}, "done"),
        ("pattern:checked", "dress", {"checked"}, "done"),
        ("pattern:", "dress", set(), "done"),
        ("verdict:not-a-garment", None, set(), "abstained"),
    ],
)
def test_does_it_to_all_and_undoes_all(page, dresses, member, what, category, labels, state):
    page.post(f"{GRID}apply/", choose(dresses, set=what))

    for annotation in Annotation.objects.filter(id__in=[a.id for a in dresses]):
        garment = annotation.garments.first()
        assert (annotation.state, annotation.needs_review) == (state, False)
        assert (garment.category if garment else None) == category
        assert {x.name for x in garment.labels.all()} == labels if garment else True
    assert {(r.source, r.reviewer) for r in Review.objects.all()} == {("grid", member.user)}
    page.post(f"{GRID}undo/")
    assert Annotation.objects.filter(needs_review=True, garments__category="dress").count() == 3


def test_leaves_what_cannot_be_that(page, dresses):
    html = page.post(f"{GRID}preview/", choose(dresses, set="rise:high-rise")).content.decode()
    response = page.post(f"{GRID}apply/", choose(dresses, set="rise:high-rise"), follow=True)

    assert "3 can't be that" in html or "Choose what" in html
    assert not Review.objects.exists()
    assert response.status_code == 200


@pytest.mark.parametrize(
    "data", [{}, {"set": "category:dress"}, {"set": "x", "item": ["a:b"]}, {"item": ["1", ":"]}]
)
def test_nothing_chosen_does_nothing(page, data):
    assert page.post(f"{GRID}preview/", data).status_code == 200
    assert page.post(f"{GRID}apply/", {**data, "next": "https://evil.example/"}).url == GRID
    assert not Review.objects.exists()


def test_another_shops_photos_stay_as_they_are(page):
    foreign = make_done_annotation(tenant=make_member().tenant)

    page.post(f"{GRID}apply/", choose([foreign], set="category:skirt"))

    assert foreign.garments.get().category == "t-shirt"


def test_only_reviewers(client, tenant, dresses):
    client.force_login(make_member(tenant=tenant, role=Role.DEVELOPER).user)

    assert client.get(GRID).status_code == 403
    assert client.post(f"{GRID}apply/", choose(dresses, set="accept")).status_code == 403
