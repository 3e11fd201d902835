import json

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.urls import reverse

from accounts.tests.factories import make_member, make_tenant
from annotations.tests.factories import make_garment, make_result
from retrieval import exporting
from retrieval.models import Product, ProductImage
from retrieval.tests.factories import add_annotated_photo, import_file, make_product


def read(page, name: str) -> str:
    response = page.get(reverse(f"export_{name}"))
    assert "attachment" in response.headers["Content-Disposition"]
    return b"".join(response.streaming_content).decode()


def fill(tenant) -> None:
    data = (
        "id,title,description,price,currency,stock,url,images\n"
        '1,"=SUM(A1), ""quoted"" İçlik","two\nlines",1299.90,TRY,yes,https://a.example/1,'
        "https://a.example/1.jpg|https://a.example/2.jpg\n"
        "2,'90s shirt,,,,,,\n"
    )
    import_file(tenant=tenant, data=data)
    product = make_product(tenant=tenant, external_id="-3", title="", price="5.50", currency="EUR")
    add_annotated_photo(product)


@pytest.mark.parametrize(("name", "file"), [("csv", "a.csv"), ("ndjson", "a.ndjson")])
def test_importing_an_export_changes_nothing(page, tenant, name, file):
    fill(tenant)
    before = list(Product.objects.order_by("id").values())
    photos = ProductImage.objects.count()

    run = import_file(tenant=tenant, data=read(page, name), name=file)

    assert (run.created, run.changed, run.refused, run.unchanged) == (0, 0, 0, 3)
    assert list(Product.objects.order_by("id").values()) == before
    assert ProductImage.objects.count() == photos


def test_an_export_fills_another_shop(page, tenant):
    fill(tenant)
    other = make_tenant()

    import_file(tenant=other, data=read(page, "csv"))

    def values(shop):
        names = ("external_id", "title", "description", "price", "currency", "stock", "url")
        return list(Product.objects.for_tenant(shop).order_by("external_id").values(*names))

    assert values(other) == values(tenant)


def test_exports_what_was_found(page, tenant):
    add_annotated_photo(make_product(tenant=tenant))

    (line,) = read(page, "ndjson").splitlines()

    found = json.loads(line)
    assert (found["category"], found["state"]) == ("t-shirt", "annotated")
    assert found["attributes"] == ["pattern:striped"]
    assert found["colours"] == ["navy-blue", "white"]


def test_spreadsheets_calculate_nothing(page, tenant):
    make_product(tenant=tenant, title="=1+1")

    assert "'=1+1" in read(page, "csv")


def test_exports_boxes_as_coco(page, tenant, monkeypatch):
    monkeypatch.setattr(exporting, "PAGE", 2)
    for _ in range(5):
        result = make_result(make_garment(), make_garment(category="dress"))
        add_annotated_photo(make_product(tenant=tenant), result)
    add_annotated_photo(make_product(tenant=make_tenant()))

    coco = json.loads(read(page, "coco"))

    names = {each["id"]: each["name"] for each in coco["categories"]}
    assert len(coco["images"]) == 5
    assert len(coco["annotations"]) == 10
    assert {each["id"] for each in coco["annotations"]} == set(range(1, 11))
    assert {names[each["category_id"]] for each in coco["annotations"]} == {"t-shirt", "dress"}
    assert coco["annotations"][0]["bbox"] == [10, 10, 40, 60]


def test_an_empty_catalogue_is_a_valid_file(page):
    assert read(page, "csv").strip("\ufeff").startswith("external_id,title")
    assert read(page, "ndjson") == ""
    assert json.loads(read(page, "coco"))["images"] == []


def test_holds_nothing_of_another_shop(page):
    make_product(tenant=make_tenant(), title="Foreign")

    assert "Foreign" not in read(page, "csv") + read(page, "ndjson")


def test_takes_few_queries_a_page(tenant, django_assert_max_num_queries):
    for _ in range(4):
        add_annotated_photo(make_product(tenant=tenant))

    with django_assert_max_num_queries(6):
        list(exporting.write_csv(tenant=tenant))


@pytest.mark.django_db(transaction=True)
async def test_is_streamed_by_the_server_we_use(async_client: AsyncClient):
    member = await sync_to_async(make_member)()
    await sync_to_async(make_product)(tenant=member.tenant, title="Streamed")
    await async_client.aforce_login(member.user)

    response = await async_client.get(reverse("export_csv"))

    assert response.is_async  # type: ignore[attr-defined]
    pieces = [piece async for piece in response]  # type: ignore[attr-defined]
    assert "Streamed" in b"".join(pieces).decode()
