from io import BytesIO

import pytest
from django.utils import timezone
from PIL import Image

from accounts.tests.factories import make_key
from annotations.api.tests.requests import PATH, fields_of, problem_of
from annotations.models import Annotation, FashionImage
from annotations.tests.factories import (
    make_annotation,
    make_done_annotation,
)

pytestmark = pytest.mark.django_db


def test_lists_and_filters(api, tenant):
    done = make_done_annotation(tenant=tenant)
    unsure = make_done_annotation(tenant=tenant, result=None)
    Annotation.objects.filter(id=unsure.id).update(needs_review=True, product="A 1")
    waiting = make_annotation(tenant=tenant)
    make_done_annotation(tenant=make_key().key.tenant)

    def ids(query):
        return {each["id"] for each in api.get(f"{PATH}?{query}").json()["results"]}

    every = {str(done.id), str(unsure.id), str(waiting.id)}
    assert ids("") == every
    assert ids("state=pending") == {str(waiting.id)}
    assert ids("needs_review=true") == {str(unsure.id)}
    assert ids("needs_review=false") == {str(done.id), str(waiting.id)}
    assert ids("category=t-shirt&attribute=pattern:striped") == {str(done.id), str(unsure.id)}
    assert ids("attribute=pattern:solid") == set()
    assert ids("product=A%201") == {str(unsure.id)}
    assert ids(f"image={done.image_id}") == {str(done.id)}
    assert ids("since=2020-01-01T00:00:00Z") == every
    assert ids("until=2020-01-01T00:00:00Z") == set()
    fewer = api.get(f"{PATH}?fields=id,state&state=pending").json()["results"]
    assert fewer == [{"id": str(waiting.id), "state": "pending"}]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=gone", "state"),
        ("category=nothing", "category"),
        ("attribute=striped", "attribute"),
        ("attribute=pattern:stripy", "attribute"),
        ("attribute=paint:striped", "attribute"),
        ("colour=blak", "colour"),
        ("fields=id,secret", "fields"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=cD1hYmM%3D", "cursor"),
        ("offset=1", "offset"),
        ("image=1", "image"),
        ("since=today", "since"),
    ],
)
def test_names_the_wrong_filter(api, query, field):
    assert fields_of(api.get(f"{PATH}?{query}")) == [field]


def test_pages_by_cursor(api, tenant, django_assert_max_num_queries):
    now = timezone.now()
    made = {str(make_annotation(tenant=tenant, now=now).id) for _ in range(5)}
    seen, url = [], f"{PATH}?limit=2"
    api.get(url)  # the first request ever makes the buckets of the limits

    while url:
        with django_assert_max_num_queries(6):
            page = api.get(url).json()
        seen += [each["id"] for each in page["results"]]
        url = page["next"]

    assert len(seen) == 5
    assert set(seen) == made


def test_a_list_costs_the_same_however_long(api, tenant, django_assert_max_num_queries):
    for _ in range(6):
        make_done_annotation(tenant=tenant)
    api.get(PATH)

    with django_assert_max_num_queries(6):  # key, limits, page, garments, colours, labels
        assert len(api.get(PATH).json()["results"]) == 6


def test_an_etag_saves_the_body(api, tenant):
    annotation = make_annotation(tenant=tenant)
    first = api.get(f"{PATH}{annotation.id}/")

    same = api.get(f"{PATH}{annotation.id}/", headers={"If-None-Match": first["ETag"]})
    Annotation.objects.update(product="B")
    changed = api.get(f"{PATH}{annotation.id}/", headers={"If-None-Match": first["ETag"]})

    assert (same.status_code, same.content) == (304, b"")
    assert changed.status_code == 200


def test_deletes_photo_vectors_and_files(api, tenant, stored_files):
    annotation = make_done_annotation(tenant=tenant)

    response = api.delete(f"{PATH}{annotation.id}/")

    assert response.status_code == 204
    assert not FashionImage.objects.exists()
    assert api.get(f"{PATH}{annotation.id}/").status_code == 404


def test_draws_the_result(api, tenant):
    annotation = make_done_annotation(tenant=tenant)

    response = api.get(f"{PATH}{annotation.id}/overlay.png")

    image = Image.open(BytesIO(response.content))
    assert response["Content-Type"] == "image/png"
    assert image.size == (60, 80)
    assert image.getpixel((10, 65)) == (0xEF, 0x33, 0x40)  # upper-body is red


def test_the_taxonomy_has_versions_and_both_languages(api):
    response = api.get("/api/v1/taxonomy/")

    known = response.json()
    assert known["version"]
    assert {"en", "tr"} <= set(known["categories"][0]["names"])
    assert {"en", "tr"} <= set(known["attributes"][0]["values"][0]["names"])
    same = api.get("/api/v1/taxonomy/", headers={"If-None-Match": response["ETag"]})
    assert same.status_code == 304


def test_images(api, tenant):
    image = make_annotation(tenant=tenant).image

    listed = api.get("/api/v1/images/").json()["results"]
    one = api.get(f"/api/v1/images/{image.id}/")
    file = api.get(f"/api/v1/images/{image.id}/file")
    same = api.get(f"/api/v1/images/{image.id}/file", headers={"If-None-Match": file["ETag"]})

    assert listed == [one.json()]
    assert file["Content-Type"] == "image/png"
    assert Image.open(BytesIO(file.content)).size == (60, 80)
    assert same.status_code == 304
    assert api.delete(f"/api/v1/images/{image.id}/").status_code == 204
    assert not Annotation.objects.exists()


def test_a_field_that_only_some_results_have_is_left_out(api, tenant):
    make_done_annotation(tenant=tenant)

    listed = api.get(f"{PATH}?fields=state,original").json()["results"]

    assert listed == [{"state": "done"}]


@pytest.mark.parametrize("kind", ["annotations", "images"])
def test_deletes_only_what_was_looked_at(api, tenant, kind):
    annotation = make_done_annotation(tenant=tenant)
    id_ = annotation.id if kind == "annotations" else annotation.image_id
    path = f"/api/v1/{kind}/{id_}/"
    etag = api.get(path)["ETag"]

    stale = api.delete(path, headers={"If-Match": '"other"'})
    assert (stale.status_code, problem_of(stale)) == (412, "precondition-failed")
    assert FashionImage.objects.exists()

    assert api.delete(path, headers={"If-Match": etag}).status_code == 204
    assert not FashionImage.objects.exists()
    gone = api.delete(path, headers={"If-Match": "*"})
    assert problem_of(gone) == "not-found"
