from uuid import uuid4

import pytest

from annotations.api import reviews
from annotations.api.tests.requests import PATH, fields_of, post_json, problem_of
from annotations.models import Annotation, Label
from annotations.reviewing.services import review_annotation
from annotations.tests.factories import (
    make_annotation,
    make_done_annotation,
    make_result,
)
from inference.contract import Alternative

pytestmark = pytest.mark.django_db


def test_a_person_corrects(api, tenant, key):
    annotation = make_done_annotation(tenant=tenant)
    garment = annotation.garments.get()
    change = {
        "id": str(garment.id),
        "category": "shirt",
        "attributes": {"pattern": "checked", "sleeve-length": None},
    }

    response = post_json(api, path=f"{PATH}{annotation.id}/review/", garments=[change])

    result = response.json()
    assert response.status_code == 200, result
    assert result["needs_review"] is False
    assert result["garments"][0]["category"]["name"] == "shirt"
    assert result["garments"][0]["category"]["origin"] == "human"
    assert [(x["name"], x["origin"]) for x in result["garments"][0]["attributes"]] == [
        ("checked", "human")
    ]
    review = annotation.reviews.get()
    assert review.key == key.key
    assert [(x["from"], x["to"]) for x in review.changes] == [
        ("t-shirt", "shirt"),
        ("striped", "checked"),
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": str(uuid4())}, "garments.0.id"),
        ({"category": "spaceship"}, "garments.0.category"),
        ({"attributes": {"wings": "two"}}, "garments.0.attributes.wings"),
        ({"attributes": {"pattern": "noisy"}}, "garments.0.attributes.pattern"),
        ({"attributes": ["striped"]}, "garments.0.attributes"),
        ({"colour": "red"}, "garments.0.colour"),
    ],
)
def test_names_the_wrong_correction(api, tenant, change, field):
    annotation = make_done_annotation(tenant=tenant)
    garment = annotation.garments.get()

    response = post_json(
        api, path=f"{PATH}{annotation.id}/review/", garments=[{"id": str(garment.id), **change}]
    )

    assert fields_of(response) == [field]
    assert Label.objects.get().name == "striped"


def test_a_second_review_says_what_it_has_seen(api, tenant):
    """Nobody replaces what a colleague said without having seen it."""
    annotation = make_done_annotation(tenant=tenant)
    path = f"{PATH}{annotation.id}/review/"
    change = {"id": str(annotation.garments.get().id), "category": "shirt"}
    assert post_json(api, path=path).json()["version"] == 1

    unseen = post_json(api, path=path, garments=[change])
    stale = post_json(api, path=path, garments=[change], version=0)

    assert (unseen.status_code, problem_of(unseen)) == (428, "version-required")
    assert unseen.json()["version"] == 1
    assert (stale.status_code, problem_of(stale)) == (409, "reviewed-meanwhile")
    assert annotation.garments.get().category == "t-shirt"
    seen = post_json(api, path=path, garments=[change], version=1)
    assert seen.json()["garments"][0]["category"]["name"] == "shirt"


def test_what_waits_cannot_be_reviewed(api, tenant):
    annotation = make_annotation(tenant=tenant)

    response = post_json(api, path=f"{PATH}{annotation.id}/review/")

    assert (response.status_code, problem_of(response)) == (409, "not-reviewable")


def test_an_abstention_says_what_it_may_be_until_a_person_names_it(api, tenant):
    result = make_result(abstained="no-garment", alternatives=(Alternative("scarf", 0.3),))
    annotation = make_done_annotation(tenant=tenant, result=result)
    path = f"{PATH}{annotation.id}/?fields=alternatives"

    assert api.get(path).json() == {"alternatives": [{"name": "scarf", "confidence": 0.3}]}
    Annotation.objects.filter(id=annotation.id).update(state="done", abstained="")
    assert api.get(path).json() == {"alternatives": []}


def test_an_etag_says_what_was_looked_at(api, tenant):
    annotation = make_done_annotation(tenant=tenant)
    address = f"{PATH}{annotation.id}/"
    path, change = f"{address}review/", {"id": str(annotation.garments.get().id)}
    first = {"If-Match": api.get(address)["ETag"]}

    accepted = post_json(api, path=path, headers=first)
    stale = post_json(api, path=path, headers=first, garments=[change | {"category": "shirt"}])
    seen = {"If-Match": f'"other", {accepted["ETag"]}'}
    corrected = post_json(api, path=path, headers=seen, garments=[change | {"category": "shirt"}])

    assert (stale.status_code, problem_of(stale)) == (412, "precondition-failed")
    assert corrected.json()["garments"][0]["category"]["name"] == "shirt"
    assert corrected["ETag"] == api.get(address)["ETag"]


@pytest.mark.parametrize("wanted", ["W/{}", '"other"', "nonsense", ""])
def test_an_etag_that_is_not_the_results_reviews_nothing(api, tenant, wanted):
    annotation = make_done_annotation(tenant=tenant)
    address = f"{PATH}{annotation.id}/"
    headers = {"If-Match": wanted.format(api.get(address)["ETag"])}

    answer = post_json(api, path=f"{address}review/", headers=headers)

    assert (answer.status_code, problem_of(answer)) == (412, "precondition-failed")
    assert not annotation.reviews.exists()


def test_a_star_reviews_whatever_is_there(api, tenant):
    annotation = make_done_annotation(tenant=tenant)
    path = f"{PATH}{annotation.id}/review/"
    post_json(api, path=path)

    assert post_json(api, path=path, headers={"If-Match": "*"}).json()["version"] == 2
    missing = post_json(api, path=f"{PATH}{uuid4()}/review/", headers={"If-Match": "*"})
    assert problem_of(missing) == "not-found"


def test_a_version_and_an_etag_must_both_hold(api, tenant):
    annotation = make_done_annotation(tenant=tenant)
    address = f"{PATH}{annotation.id}/"
    headers = {"If-Match": api.get(address)["ETag"]}

    answer = post_json(api, path=f"{address}review/", headers=headers, version=7)

    assert (answer.status_code, problem_of(answer)) == (409, "reviewed-meanwhile")


def test_who_reviews_between_the_look_and_the_lock_is_not_replaced(api, tenant, monkeypatch):
    annotation = make_done_annotation(tenant=tenant)
    address = f"{PATH}{annotation.id}/"
    headers = {"If-Match": api.get(address)["ETag"]}

    def review_second(**asked):
        review_annotation(
            tenant=tenant,
            annotation_id=annotation.id,
            by=asked["by"],
            now=asked["now"],
        )
        return review_annotation(**asked)

    monkeypatch.setattr(reviews, "review_annotation", review_second)

    answer = post_json(api, path=f"{address}review/", headers=headers)

    assert (answer.status_code, problem_of(answer)) == (412, "precondition-failed")
    assert answer.json()["version"] == 1
    assert annotation.reviews.count() == 1
