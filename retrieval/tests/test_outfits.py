"""What goes with a product: by a recommender that was brought in, of the own shop only."""

import json

import numpy as np
import pytest
from django.test import Client

from accounts.tests.factories import make_key, make_tenant
from annotations import engine
from annotations.tests.factories import make_garment, make_result
from inference.contract import OtherModel, Vectors
from retrieval.models import OutfitVector, ProductImage
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


def compare(asked):
    """The engine's: each vector's first number is its distance."""
    others = [Vectors.from_json(each) for each in json.loads(asked)["others"]]
    rows = [np.frombuffer(each.data, "<f4").reshape(-1, 4) for each in others]
    return 200, {"distances": [float(row[0]) for each in rows for row in each]}, {}


def place(recommender, shop, **distances):
    """All are as far away as said, or a mile."""
    for name, product in shop.items():
        distance = distances.get(name, 1000.0)
        own = OutfitVector.objects.filter(photo__product=product)
        own.update(vector=[distance, 0.25, -3, 1e-7])
    recommender.answer = compare


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
    place(recommender, shop, skirt=0.5, jeans=0.25, trainers=0.75)

    found = outfits.find_matching(tenant=tenant, product=shop["shirt"])

    assert found.waiting == 0
    groups = {g.kind: [each.product for each in g.products] for g in found.groups}
    assert groups == {"bottoms": [shop["jeans"], shop["skirt"]], "shoes": [shop["trainers"]]}


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_all_are_compared_a_part_at_a_time(recommender, tenant, shop, at_once, monkeypatch):
    prepare(tenant)
    place(recommender, shop, skirt=0.5, jeans=0.25, trainers=0.75)
    whole = outfits.find_matching(tenant=tenant, product=shop["shirt"])
    monkeypatch.setattr(outfits, "COMPARED", at_once)
    monkeypatch.setattr(outfits, "SHOWN", 1)
    recommender.requests.clear()

    found = outfits.find_matching(tenant=tenant, product=shop["shirt"])

    assert len(recommender.requests) == -(-3 // at_once)
    assert [(g.kind, g.products) for g in found.groups] == [
        (g.kind, g.products[:1]) for g in whole.groups
    ]


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


def test_types_are_chosen_as_they_are_told(tenant):
    for object_type in ("upper-body", "lower-body", "full-body", "footwear", "accessory"):
        for category in ("coat-jacket", "t-shirt", "handbag", "hat", "umbrella"):
            make_item(tenant, category, object_type)
    photos = list(ProductImage.objects.for_tenant(tenant).select_related("product", "garment"))
    OutfitVector.objects.bulk_create(
        OutfitVector(photo=photo, tenant=tenant, garment=photo.garment)
        for photo in photos
        if photo.garment
    )

    chosen = {
        kind: set(
            OutfitVector.objects.filter(outfits.show_types([kind])).values_list("pk", flat=True)
        )
        for kind in outfits.TYPES
    }

    told: dict[str, set[object]] = {kind: set() for kind in outfits.TYPES}
    for photo in photos:
        told[outfits.tell_type(photo.product.object_type, photo.product.category)].add(photo.id)
    assert chosen == told
    assert all(told[kind] for kind in ("tops", "bottoms", "outerwear", "bags", "accessories"))


def test_the_page_shows_it(recommender, tenant, shop, page):
    prepare(tenant)
    place(recommender, shop, skirt=0.5, jeans=0.25)

    shown = page.get(f"/catalogue/{shop['shirt'].id}/goes-with/").content.decode()

    assert "Trousers and skirts" in shown
    assert shown.index(f"/catalogue/{shop['jeans'].id}/") < shown.index(
        f"/catalogue/{shop['skirt'].id}/"
    )


def test_the_page_renews_itself_while_products_are_looked_at(recommender, tenant, shop, page):
    address = f"/catalogue/{shop['shirt'].id}/goes-with/"
    before = page.get(address).content.decode()
    prepare(tenant)
    place(recommender, shop, jeans=0.25)

    assert f'hx-get="{address}"' in before
    assert "still being looked at" in before
    assert "hx-trigger" not in page.get(address).content.decode()


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
    place(recommender, shop, skirt=0.5, jeans=0.25)

    answer = client.get(f"/api/v1/products/{shop['shirt'].id}/goes-with").json()

    assert answer["model"] == {"name": "outfits", "version": "1"}
    assert [group["type"] for group in answer["groups"]] == ["bottoms", "shoes"]
    best = answer["groups"][0]["products"][0]
    assert (best["product"]["category"], best["distance"]) == ("jeans", 0.25)


def test_the_api_without_a_recommender(tenant, shop):
    client = Client(headers={"Authorization": f"Bearer {make_key(tenant=tenant).token}"})

    answer = client.get(f"/api/v1/products/{shop['shirt'].id}/goes-with")

    assert answer.status_code == 503
    assert "import_weights" in answer.json()["detail"]


def test_another_shops_product_is_a_missing_one(recommender, shop, page):
    product = make_item(make_tenant())

    assert page.get(f"/catalogue/{product.id}/goes-with/").status_code == 404
