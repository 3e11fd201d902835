"""The review page's own answers; what people do on it is in tests/test_review_journey.py."""

import json
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.tests.factories import make_member
from annotations import live
from annotations.models import Annotation, Review, ReviewTask
from annotations.reviewing import suggestions
from annotations.reviewing.services import NotUndoable, Reviewer, undo_review
from annotations.tests.factories import make_annotation, make_done_annotation, make_result
from inference.contract import Alternative

pytestmark = pytest.mark.django_db


@pytest.fixture
def annotation(tenant):
    return make_done_annotation(tenant=tenant, result=make_result(confidence=0.4))


@pytest.fixture
def ask(page):
    return lambda name, *args, data=None, client=page, query="": client.post(
        reverse(name, args=args) + query, json.dumps(data or {}), content_type="application/json"
    )


def claim(ask, **options):
    number, without = options.pop("number", 5), options.pop("without", [])
    data = {"number": number, "without": without, **options.pop("data", {})}
    return ask("review_claim", data=data, **options).json()["items"]


def client_of(member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def test_shows_the_queue(page, annotation):
    html = page.get("/review/").content.decode()

    assert '<b data-count="waiting">1</b>' in html
    assert "kalas-review" in html


def test_developers_don_t_review(tenant, annotation):
    client = client_of(make_member(tenant=tenant, role=Role.DEVELOPER))

    assert client.get("/review/").status_code == 403
    assert client.post(reverse("review_save", args=[annotation.id])).status_code == 403


def test_gives_an_item_with_what_is_doubtful(ask, annotation, tenant):
    suggestions.suggest_review(
        tenant=tenant, annotation_id=annotation.id, by=None, note="A dress!", now=timezone.now()
    )

    (item,) = claim(ask)

    garment = annotation.garments.get()
    assert item["doubts"] == {str(garment.id): ["category"]}
    assert (item["version"], item["note"]) == (1, "A dress!")
    assert item["garments"][0]["box"] == [10, 10, 50, 70]
    assert "embedding" not in json.dumps(item)
    assert item["image"]["url"] == f"/media/{annotation.image_id}/photo"


def test_asks_as_much_for_one_as_for_many(ask, tenant, django_assert_max_num_queries):
    for _ in range(5):
        make_done_annotation(tenant=tenant, result=make_result(confidence=0.4))

    with django_assert_max_num_queries(32):
        assert len(claim(ask)) == 5


def test_follows_the_filters_of_the_address(ask, annotation, tenant):
    dress = make_done_annotation(
        tenant=tenant, result=make_result(category="dress", confidence=0.5)
    )

    (item,) = claim(ask, query="?category=dress")

    assert item["id"] == str(dress.id)


def test_the_item_of_the_address_comes_first_whatever_the_queue_says(ask, annotation, tenant):
    sure = make_done_annotation(tenant=tenant)

    found = claim(ask, data={"only": str(sure.id)})

    assert [item["id"] for item in found] == [str(sure.id), str(annotation.id)]


def test_two_reviewers_get_different_items(ask, tenant, annotation):
    other = make_done_annotation(tenant=tenant, result=make_result(confidence=0.5))
    colleague = client_of(make_member(tenant=tenant, role=Role.REVIEWER))

    mine = claim(ask, number=1)
    theirs = claim(ask, client=colleague)

    assert [item["id"] for item in mine] == [str(annotation.id)]
    assert [item["id"] for item in theirs] == [str(other.id)]


def test_saves_a_change(ask, annotation, member):
    garment = annotation.garments.get()
    change = {"id": str(garment.id), "category": "dress", "attributes": {"pattern": None}}
    data = {"review": str(uuid4()), "version": 0, "seconds": 1.5, "garments": [change]}

    first, again = (ask("review_save", annotation.id, data=data) for _ in range(2))

    assert first.status_code == again.status_code == 200, first.content
    assert first.json()["version"] == again.json()["version"] == 1
    review = Review.objects.get()
    assert (str(review.id), review.reviewer, review.seconds) == (
        data["review"],
        member.user,
        1.5,
    )
    assert (review.source, [each["key"] for each in review.changes]) == (
        "queue",
        ["category", "pattern"],
    )


def test_whoever_comes_second_is_told_and_gets_what_is_there_now(ask, annotation, tenant):
    colleague = make_member(tenant=tenant, role=Role.REVIEWER, name="Ayşe")
    garment = str(annotation.garments.get().id)
    theirs = {"id": garment, "category": "dress"}
    said = {"version": 0, "garments": [theirs]}
    ask(
        "review_save",
        annotation.id,
        data={"review": str(uuid4()), **said},
        client=client_of(colleague),
    )

    late = ask("review_save", annotation.id, data={"review": str(uuid4()), "version": 0})

    assert late.status_code == 409
    assert (late.json()["by"], late.json()["item"]["version"]) == ("Ayşe", 1)
    assert late.json()["item"]["garments"][0]["category"] == "dress"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ("no json", 400),
        ([], 422),
        ({}, 422),
        ({"review": "x"}, 422),
        ({"review": str(uuid4()), "garments": [{"id": str(uuid4())}]}, 422),
        ({"review": str(uuid4()), "verdict": "ugly"}, 422),
        ({"review": str(uuid4()), "wings": 2}, 422),
        (
            {
                "review": str(uuid4()),
                "added": [
                    {"category": "dress", "box": {"left": 5, "top": 5, "right": 5, "bottom": 9}}
                ],
            },
            422,
        ),
    ],
)
def test_refuses_bad_input_in_words(page, annotation, data, status):
    body = data if isinstance(data, str) else json.dumps(data)

    response = page.post(
        reverse("review_save", args=[annotation.id]), body, content_type="application/json"
    )

    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["detail"]
    assert not Review.objects.exists()


def test_skips_and_returns(ask, page, annotation):
    claim(ask)

    page.post("/review/return/", {"id": [str(annotation.id)]})

    assert ReviewTask.objects.get().claimed_by is None
    assert ask("review_skip", annotation.id).json()["counts"]["waiting"] == 1
    assert len(ReviewTask.objects.get().skipped_by) == 1


def test_what_one_skipped_is_only_claimed_where_one_asks_for_it(ask, annotation):
    ask("review_skip", annotation.id)

    assert claim(ask, data={"skipped": False}) == []
    assert ReviewTask.objects.get().claimed_by is None
    assert len(claim(ask, data={"skipped": True})) == 1


def test_what_one_has_already_is_announced_once(ask, annotation, monkeypatch):
    said = []
    monkeypatch.setattr(live, "announce_review", lambda **hint: said.append(hint["state"]))

    for _ in range(2):
        assert len(claim(ask)) == 1

    assert said == ["claimed"]


def test_a_page_of_another_shop_changes_nothing_here(page, member, tenant, annotation):
    other = make_member(user=member.user).tenant
    data = {"review": str(uuid4()), "version": 0, "verdict": "bad-photo"}
    page.post(
        reverse("review_save", args=[annotation.id]),
        json.dumps(data),
        content_type="application/json",
    )
    addresses = [
        reverse("review_claim"),
        reverse("review_undo"),
        reverse("review_save", args=[annotation.id]),
        reverse("review_skip", args=[annotation.id]),
    ]

    for address in addresses:
        answer = page.post(
            address,
            json.dumps({"review": str(uuid4())}),
            content_type="application/json",
            headers={"X-Kalas-Shop": str(other.id)},
        )
        assert (answer.status_code, answer.json()["reason"]) == (409, "other-shop")
    assert Review.objects.count() == 1


def test_undoes_what_one_said_last(ask, annotation, tenant):
    other = make_done_annotation(tenant=tenant, result=make_result(confidence=0.3))
    for each in (annotation, other):
        data = {"review": str(uuid4()), "version": 0, "verdict": "not-a-garment"}
        assert ask("review_save", each.id, data=data).status_code == 200
    undo = {"review": str(uuid4())}

    first, again = (ask("review_undo", data=undo) for _ in range(2))

    assert first.json()["item"]["id"] == again.json()["item"]["id"] == str(other.id)
    assert first.json()["item"]["garments"][0]["category"] == "t-shirt"
    assert Annotation.objects.get(id=other.id).needs_review
    assert ask("review_undo", data={"review": str(uuid4())}).json()["item"]["id"] == str(
        annotation.id
    )
    nothing = ask("review_undo", data={"review": str(uuid4())})
    assert (nothing.status_code, nothing.json()["detail"]) == (422, "There is nothing to undo.")


def test_what_others_have_reviewed_since_does_not_end_the_undoing(ask, annotation, tenant):
    other = make_done_annotation(tenant=tenant, result=make_result(confidence=0.3))
    for each in (annotation, other):
        data = {"review": str(uuid4()), "version": 0, "verdict": "not-a-garment"}
        ask("review_save", each.id, data=data)
    colleague = client_of(make_member(tenant=tenant, role=Role.REVIEWER))
    data = {"review": str(uuid4()), "version": 1, "verdict": "bad-photo"}
    ask("review_save", other.id, data=data, client=colleague)

    undone = ask("review_undo", data={"review": str(uuid4())})

    assert undone.json()["item"]["id"] == str(annotation.id)
    assert ask("review_undo", data={"review": str(uuid4())}).status_code == 422


def test_reviews_of_which_nobody_knows_what_was_before_are_not_undone(ask, tenant, annotation):
    review = Review.objects.create(
        tenant=tenant, annotation=annotation, reviewer=tenant.memberships.get().user
    )

    assert ask("review_undo", data={"review": str(uuid4())}).status_code == 422
    with pytest.raises(NotUndoable):
        undo_review(tenant=tenant, review_id=review.id, by=Reviewer(), now=timezone.now())


def test_the_words_follow_the_language(page, member):
    english = page.get("/review/words/").json()
    member.user.language = "tr"
    member.user.save()
    turkish = page.get("/review/words/").json()

    titles = [
        next(c["title"] for c in words["categories"] if c["name"] == "dress")
        for words in (english, turkish)
    ]
    assert titles == ["Dress", "Elbise"]
    pattern = next(a for a in english["attributes"] if a["key"] == "pattern")
    assert "dress" in pattern["on"]


def test_any_member_suggests_and_the_reviewer_reads_it(ask, tenant):
    sure = make_done_annotation(tenant=tenant)
    none = make_done_annotation(tenant=tenant, result=make_result(abstained="no-garment"))
    developer = client_of(make_member(tenant=tenant, role=Role.DEVELOPER, name="Deniz"))

    for annotation in (sure, none):
        address = reverse("suggest_review", args=[annotation.id])
        assert "Suggest" in developer.get(address).content.decode()
        answer = developer.post(address, {"note": "It is a skirt."})
        assert answer.headers["Location"] == reverse("annotation", args=[annotation.id])
    empty = developer.post(address, {"note": " "}, headers={"HX-Request": "true"})

    assert "This field is required" in empty.content.decode()
    found = claim(ask)
    assert {(item["note"], item["suggested_by"]) for item in found} == {("It is a skirt.", "Deniz")}


def test_offers_what_an_abstention_may_be_nevertheless(ask, page, tenant):
    result = make_result(abstained="no-garment", alternatives=(Alternative("scarf", 0.3),))
    annotation = make_done_annotation(tenant=tenant, result=result)

    page.post(reverse("suggest_review", args=[annotation.id]), {"note": "A scarf."})

    [item] = claim(ask)
    assert item["alternatives"] == [{"name": "scarf", "confidence": 0.3}]


def test_what_waits_takes_no_suggestion(page, tenant):
    address = reverse("suggest_review", args=[make_annotation(tenant=tenant).id])

    assert page.post(address, {"note": "x"}).status_code == 422
