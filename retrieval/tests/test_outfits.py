"""What goes with a product: by a recommender that was brought in, of the own shop only."""

import pytest
from django.test import Client

from accounts.tests.factories import make_key, make_tenant
from annotations import engine
from annotations.tests.factories import make_garment, make_result
from inference.contract import OtherModel
from retrieval.models import OutfitVector
from retrieval.services import outfits
from retrieval.tests.factories import add_annotated_photo, make_product

pytestmark = pytest.mark.django_db
MODEL = OtherModel("outfits", "outfits", "outfits", "1")


@pytest.fixture
def recommender(monkeypatch, fake_engine):
    monkeypatch.setattr(engine, "find_others", lambda kind: [MODEL] * (kind == MODEL.kind))
    return fake_engine


def make_item(tenant, category="t-shirt", object_type="upper-body", **fields):
    product = make_product(tenant=tenant, title=category, **fields)
    add_annotated_photo(
        product, make_result(make_garment(category=category, object_type=object_type))
    )
    product.refresh_from_db()
    return product


@pytest.fixture
def shop(tenant):
    return {
        "shirt": make_item(tenant),
        "other shirt": make_item(tenant),
        "jeans": make_item(tenant, "jeans", "lower-body"),
        "skirt": make_item(tenant, "skirt", "lower-body"),
        "sold out": make_item(tenant, "shorts", "lower-body", stock="out-of-stock"),
        "dress": make_item(tenant, "dress", "full-body"),
        "trainers": make_item(tenant, "trainers", "footwear"),
    }


def prepare(tenant):
    parts = 0
    while outfits.prepare_part(tenant_id=tenant.id):
        parts += 1
    return parts


def test_vectors_are_made_once(recommender, tenant, shop):
    assert prepare(tenant) == 1
    assert OutfitVector.objects.count() == len(recommender.requests) == 7
    assert all("model=outfits" in path for path in recommender.requests)

    assert prepare(tenant) == 0

    assert len(recommender.requests) == 7


def test_finds_what_goes_best_in_each_type(recommender, tenant, shop):
    stranger = make_tenant()
    make_item(stranger, "jeans", "lower-body")
    prepare(tenant)
    prepare(stranger)
    recommender.answer = (200, {"distances": [0.5, 0.2, 0.3]}, {})

    found = outfits.find_matching(tenant=tenant, product=shop["shirt"])

    assert found.waiting == 0
    groups = {g.kind: [each.product for each in g.products] for g in found.groups}
    # The newest is asked first: the skirt has 0.5, the jeans 0.2.
    assert groups == {"bottoms": [shop["jeans"], shop["skirt"]], "shoes": [shop["trainers"]]}


def test_counts_what_is_not_seen_yet(recommender, tenant, shop):
    found = outfits.find_matching(tenant=tenant, product=shop["shirt"])

    assert (found.waiting, found.groups) == (7, ())


@pytest.mark.parametrize(
    ("object_type", "category", "kind"),
    [
        ("upper-body", "coat-jacket", "outerwear"),
        ("upper-body", "t-shirt", "tops"),
        ("accessory", "handbag", "bags"),
        ("accessory", "umbrella", "accessories"),
        ("footwear", "boots", "shoes"),
    ],
)
def test_types_are_polyvores(object_type, category, kind):
    assert outfits.tell_type(object_type, category) == kind


def test_the_page_shows_it(recommender, tenant, shop, page):
    prepare(tenant)
    recommender.answer = (200, {"distances": [0.5, 0.2, 0.3]}, {})

    shown = page.get(f"/catalogue/{shop['shirt'].id}/goes-with/").content.decode()

    assert "Trousers and skirts" in shown
    assert shown.index(f"/catalogue/{shop['jeans'].id}/") < shown.index(
        f"/catalogue/{shop['skirt'].id}/"
    )


def test_the_page_says_what_is_needed(tenant, shop, page):
    shown = page.get(f"/catalogue/{shop['shirt'].id}/goes-with/")

    assert shown.status_code == 200
    assert "manage.py import_weights" in shown.content.decode()


def test_the_page_says_that_the_engine_is_busy(recommender, tenant, shop, page):
    prepare(tenant)
    recommender.answer = (503, {}, {"Retry-After": "3"})

    shown = page.get(f"/catalogue/{shop['shirt'].id}/goes-with/").content.decode()

    assert "The engine does not answer" in shown


def test_the_api_says_it(recommender, tenant, shop):
    client = Client(headers={"Authorization": f"Bearer {make_key(tenant=tenant).token}"})
    prepare(tenant)
    recommender.answer = (200, {"distances": [0.5, 0.2, 0.3]}, {})

    answer = client.get(f"/api/v1/products/{shop['shirt'].id}/goes-with").json()

    assert answer["model"] == {"name": "outfits", "version": "1"}
    assert [group["type"] for group in answer["groups"]] == ["bottoms", "shoes"]
    best = answer["groups"][0]["products"][0]
    assert (best["product"]["category"], best["distance"]) == ("jeans", 0.2)


def test_the_api_without_a_recommender(tenant, shop):
    client = Client(headers={"Authorization": f"Bearer {make_key(tenant=tenant).token}"})

    answer = client.get(f"/api/v1/products/{shop['shirt'].id}/goes-with")

    assert answer.status_code == 503
    assert "import_weights" in answer.json()["detail"]


def test_another_shops_product_is_a_missing_one(recommender, shop, page):
    product = make_item(make_tenant())

    assert page.get(f"/catalogue/{product.id}/goes-with/").status_code == 404
