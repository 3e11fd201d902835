import json
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Scope
from accounts.tests.factories import make_key, make_tenant
from annotations.tests.conftest import media  # noqa: F401 - fixture
from retrieval.models import CatalogueImport, Product, ProductImage
from retrieval.tests.factories import make_product, work
from retrieval.tests.test_similar import make_item

pytestmark = pytest.mark.django_db
PRODUCTS = "/api/v1/products/"
BULK = "/api/v1/products/bulk"
PHOTO = "https://shop.example/shirt.jpg"


@pytest.fixture
def tenant(db):
    return make_tenant()


@pytest.fixture
def api(tenant):
    token = make_key(tenant=tenant, scopes=[Scope.CATALOGUE]).token
    return Client(headers={"Authorization": f"Bearer {token}"})


def post(api, path: str, asked):
    return api.post(path, asked, content_type="application/json")


def test_made_read_changed_and_deleted(api, tenant):
    asked = {
        "external_id": "A-1",
        "title": "Shirt",
        "price": "19.90",
        "currency": "try",
        "images": [PHOTO],
    }

    made = post(api, PRODUCTS, asked)

    assert made.status_code == 201, made.content
    product = made.json()
    assert (product["price"], product["currency"], product["state"]) == ("19.90", "TRY", "new")
    assert [photo["source"] for photo in product["photos"]] == [PHOTO]
    path = f"{PRODUCTS}{product['id']}/"
    assert made["Location"].endswith(path)
    read = api.get(path)
    assert read.json()["title"] == "Shirt"
    assert api.get(path, headers={"If-None-Match": read["ETag"]}).status_code == 304

    again = post(api, PRODUCTS, asked)
    assert (again.status_code, again.json()["id"]) == (200, product["id"])
    changed = api.patch(
        path,
        {"title": "Blouse", "images": ["https://shop.example/2.jpg"]},
        content_type="application/json",
    )
    assert changed.json()["title"] == "Blouse"
    assert changed.json()["price"] == "19.90"
    assert len(changed.json()["photos"]) == 2
    assert api.delete(path).status_code == 204
    assert not Product.objects.exists()


def test_lists_with_filters(api, tenant):
    make_item(tenant, 0, title="Shirt", external_id="A-1", price=5)
    make_product(tenant=tenant, title="Nothing seen")
    make_product(tenant=make_tenant(), title="Foreign")

    def list_titles(**query):
        return [each["title"] for each in api.get(PRODUCTS, query).json()["results"]]

    assert list_titles() == ["Nothing seen", "Shirt"]
    assert list_titles(category="t-shirt") == ["Shirt"]
    assert list_titles(price_to="6", attribute="pattern:striped") == ["Shirt"]
    assert list_titles(external_id="A-1") == ["Shirt"]
    assert list_titles(state="new") == ["Nothing seen"]
    assert api.get(PRODUCTS, {"category": "hat-stand"}).status_code == 422


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "external_id"),
        ({"external_id": "A", "price": -1}, "price"),
        ({"external_id": "A", "url": "javascript:alert(1)"}, "url"),
        ({"external_id": "A", "images": ["ftp://x/y"]}, "images"),
        ({"external_id": "A", "currency": "??"}, "currency"),
        ({"external_id": "A", "colour": "red"}, "colour"),
    ],
)
def test_wrong_products(api, asked, field):
    response = post(api, PRODUCTS, asked)

    assert response.status_code == 422
    assert response.json()["errors"][0]["field"].startswith(field)


def test_ids_stay_unique(api, tenant):
    make_product(tenant=tenant, external_id="A-1")
    other = make_product(tenant=tenant, external_id="A-2")

    response = api.patch(
        f"{PRODUCTS}{other.id}/", {"external_id": "A-1"}, content_type="application/json"
    )

    assert response.status_code == 409
    assert response.json()["type"].endswith("/product-id-taken/")


def test_many_at_once(api, tenant):
    make_product(tenant=tenant, external_id="A-1", title="Old")
    make_product(tenant=tenant, external_id="A-2", title="Same")
    rows = [
        {"external_id": "A-1", "title": "New"},
        {"external_id": "A-2", "title": "Same"},
        {"external_id": "A-3", "images": [PHOTO]},
    ]

    answer = post(api, BULK, {"products": rows}).json()

    assert [row["outcome"] for row in answer["products"]] == ["changed", "unchanged", "created"]
    assert (answer["created"], answer["changed"], answer["unchanged"]) == (1, 1, 1)
    assert ProductImage.objects.get().source == PHOTO
    again = post(api, BULK, {"products": rows}).json()
    assert again["unchanged"] == 3


def test_many_as_lines(api, tenant):
    lines = "\n".join(json.dumps({"external_id": f"A-{n}"}) for n in range(3)) + "\n\n"

    response = api.post(BULK, lines, content_type="application/x-ndjson")

    assert response.json()["created"] == 3
    broken = api.post(BULK, lines + "{", content_type="application/x-ndjson")
    assert (broken.status_code, broken.json()["detail"]) == (400, "Line 5 is no JSON.")
    many = "\n".join('{"external_id": "x"}' for _ in range(1005))
    assert api.post(BULK, many, content_type="application/x-ndjson").status_code == 413


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"external_id": "A"}, {"external_id": "A"}],
        [{"external_id": "B"}, {"title": "no id"}],
        [{"external_id": f"A-{n}"} for n in range(1001)],
    ],
)
def test_wrong_rows_change_nothing(api, rows):
    assert post(api, BULK, {"products": rows}).status_code == 422
    assert not Product.objects.exists()


def test_an_import_from_upload_to_end(api, tenant):
    file = SimpleUploadedFile("products.csv", b"id,title\n1,Shirt\n,No id\n")

    response = api.post("/api/v1/imports/", {"file": file})

    assert response.status_code == 202, response.content
    path = f"/api/v1/imports/{response.json()['id']}/"
    assert response["Location"].endswith(path)
    assert response.json()["mapping"] == ["external_id", "title"]
    run = CatalogueImport.objects.get()
    assert api.post(f"{path}start").status_code == 409
    work(run)
    checked = api.get(path).json()
    assert (checked["state"], checked["created"], checked["refused"]) == ("checked", 1, 1)
    assert checked["problems"][0]["row"] == 3
    assert api.post(f"{path}start").status_code == 202
    work(run)
    assert api.get(path).json()["state"] == "done"
    assert api.delete(path).status_code == 409
    assert [each["state"] for each in api.get("/api/v1/imports/").json()["results"]] == ["done"]


def test_a_file_that_is_none(api):
    file = SimpleUploadedFile("products.pdf", b"%PDF")

    response = api.post("/api/v1/imports/", {"file": file})

    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "file"


def test_exports(api, tenant):
    make_item(tenant, 0, title="Shirt")
    make_item(make_tenant(), 0, title="Foreign")

    def read(name: str) -> bytes:
        response = api.get(f"/api/v1/exports/{name}")
        assert response.status_code == 200
        return b"".join(response.streaming_content)

    assert b"Shirt" in read("csv")
    (row,) = [json.loads(line) for line in BytesIO(read("ndjson"))]
    assert row["title"] == "Shirt"
    assert len(json.loads(read("coco"))["annotations"]) == 1


def test_changes_and_deletes_only_what_was_looked_at(api, tenant):
    path = f"{PRODUCTS}{make_product(tenant=tenant).id}/"
    first = {"If-Match": api.get(path)["ETag"]}
    changes = {"title": "Blouse"}, {"title": "Gown"}

    changed = api.patch(path, changes[0], content_type="application/json", headers=first)
    stale = api.patch(path, changes[1], content_type="application/json", headers=first)
    kept = api.delete(path, headers=first)

    assert (changed.status_code, changed["ETag"]) == (200, api.get(path)["ETag"])
    for refused in (stale, kept):
        assert refused.status_code == 412
        assert refused.json()["type"].endswith("/precondition-failed/")
    assert api.get(path).json()["title"] == "Blouse"
    assert api.delete(path, headers={"If-Match": changed["ETag"]}).status_code == 204
    gone = api.patch(path, changes[1], content_type="application/json", headers={"If-Match": "*"})
    assert gone.status_code == 404
