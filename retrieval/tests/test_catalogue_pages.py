from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from accounts.tests.factories import make_tenant
from annotations.models import Annotation
from annotations.tests.factories import make_garment, make_photo_bytes, make_result
from retrieval.models import NearDuplicate, Product, ProductImage
from retrieval.services import duplicates
from retrieval.tests.factories import (
    DEMO_PHOTOS,
    add_annotated_photo,
    add_waiting_photo,
    make_pair,
    make_product,
)

HTMX = {"HX-Request": "true"}


def show(page, **query) -> str:
    html: str = page.get(reverse("catalogue"), query).content.decode()
    return html


def upload(page, product, *contents: bytes, **headers):
    files = [
        SimpleUploadedFile(f"photo-{i}.png", data, "image/png") for i, data in enumerate(contents)
    ]
    return page.post(reverse("add_photos", args=[product.id]), {"photo": files}, headers=headers)


def test_an_empty_catalogue_says_what_to_do(page):
    assert "No products yet" in show(page)


def test_lists_products_with_what_is_seen_on_them(page, tenant):
    product = make_product(tenant=tenant, title="Blue shirt", price="1299.90", currency="TRY")
    add_annotated_photo(product)

    for view in ("grid", "list"):
        html = show(page, view=view)
        assert "Blue shirt" in html
        assert "T-shirt" in html
        assert "1,299.90 TRY" in html


def test_takes_the_same_number_of_queries_however_many_there_are(
    page, tenant, django_assert_max_num_queries
):
    for _ in range(4):
        product = make_product(tenant=tenant)
        add_annotated_photo(product)
        add_annotated_photo(product)

    with django_assert_max_num_queries(9):
        show(page)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "DRESS"}, ["B"]),
        ({"q": "a-1"}, ["A"]),
        ({"category": "dress"}, ["B"]),
        ({"object": "upper-body"}, ["A"]),
        ({"colour": "red"}, ["B"]),
        ({"stock": "in-stock"}, ["A"]),
        ({"state": "new"}, ["C"]),
        ({"flag": "no-photo"}, ["C"]),
        ({"flag": "duplicate"}, []),
        ({"sort": "dearest"}, ["B", "A"]),
        ({"sort": "nonsense", "category": "nonsense"}, ["C", "B", "A"]),
    ],
)
def test_filters(page, tenant, query, found):
    shirt = make_product(tenant=tenant, external_id="A-1", title="A", price=5, stock="in-stock")
    dress = make_product(tenant=tenant, external_id="B-1", title="B dress", price=9)
    make_product(tenant=tenant, external_id="C-1", title="C")
    add_annotated_photo(shirt)
    add_annotated_photo(
        dress, make_result(make_garment(category="dress", object_type="full-body", colour="red"))
    )

    response = page.get(reverse("catalogue"), query)

    assert [product.title[0] for product in response.context["page_obj"]] == found


def test_finds_possible_duplicates(page, tenant):
    pair = make_pair(tenant=tenant)
    make_product(tenant=tenant)

    response = page.get(reverse("catalogue"), {"flag": "duplicate"})

    shown = {product.id for product in response.context["page_obj"]}
    assert shown == {pair.product_id, pair.other_id}


def test_a_deleted_photo_is_no_possible_duplicate(page, tenant):
    data, smaller = (DEMO_PHOTOS / "clothing-dress-2074bc3b.jpg").read_bytes(), BytesIO()
    with Image.open(BytesIO(data)) as image:
        image.resize((300, 400)).save(smaller, "PNG")
    first, second = (
        add_waiting_photo(make_product(tenant=tenant), each) for each in (data, smaller.getvalue())
    )
    duplicates.compare_photos(product_image_ids=[first.id], now=timezone.now())
    duplicates.compare_photos(product_image_ids=[second.id], now=timezone.now())
    flagged = reverse("catalogue"), {"flag": "duplicate"}
    assert len(page.get(*flagged).context["page_obj"]) == 2

    page.post(reverse("delete_image", args=[first.image_id]))

    assert list(page.get(*flagged).context["page_obj"]) == []
    html = page.get(reverse("product", args=[second.product_id])).content.decode()
    assert "Possibly the same product" not in html


def test_says_when_nothing_matches(page, tenant):
    make_product(tenant=tenant)

    assert "Nothing matches" in show(page, q="no such thing")


def test_htmx_gets_the_part_below_the_filters(page, tenant):
    make_product(tenant=tenant, title="Blue shirt")

    response = page.get(reverse("catalogue"), headers=HTMX)

    assert b"Blue shirt" in response.content
    assert b"<html" not in response.content
    assert "HX-Request" in response.headers["Vary"]


def test_shows_nothing_of_another_shop(page):
    make_product(tenant=make_tenant(), title="Foreign shirt")

    assert "Foreign" not in show(page)


def test_a_product_shows_its_labels_photos_and_disagreement(page, tenant):
    product = make_product(tenant=tenant, title="Blue shirt")
    add_annotated_photo(product)
    add_annotated_photo(product)
    add_annotated_photo(
        product, make_result(make_garment(category="dress", object_type="full-body"))
    )

    html = page.get(reverse("product", args=[product.id])).content.decode()

    assert "Photo 3 shows another garment: Dress" in html
    assert "Striped" in html
    assert "Best view" in html


def test_a_product_shows_many_photos_with_few_queries(page, tenant, django_assert_max_num_queries):
    product = make_product(tenant=tenant)
    for _ in range(5):
        add_annotated_photo(product)

    with django_assert_max_num_queries(16):
        page.get(reverse("product", args=[product.id]))


def test_adds_a_product_and_its_photos(page, tenant):
    response = page.post(
        reverse("add_product"),
        {"title": "Shirt", "price": "19.90", "currency": "try", "url": "https://shop.example/1"},
    )
    product = Product.objects.get()
    assert response.url == reverse("product", args=[product.id])
    assert (product.currency, str(product.price)) == ("TRY", "19.90")

    upload(page, product, make_photo_bytes(), make_photo_bytes())

    assert product.photos.count() == 2
    assert Annotation.objects.filter(priority=Annotation.Priority.UPLOAD).count() == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", "-1"),
        ("price", "cheap"),
        ("currency", "12"),
        ("url", "javascript:alert(1)"),
        ("url", "ftp://shop.example/"),
        ("title", "x" * 501),
        ("external_id", "TAKEN"),
    ],
)
def test_refuses_wrong_values_with_words(page, tenant, field, value):
    make_product(tenant=tenant, external_id="TAKEN")
    product = make_product(tenant=tenant, external_id="MINE")

    for address in (reverse("add_product"), reverse("edit_product", args=[product.id])):
        response = page.post(address, {"external_id": "OTHER", field: value})
        assert response.status_code == 422
        assert response.context["form"].errors[field]
    assert Product.objects.count() == 2


def test_edits_a_product(page, tenant):
    product = make_product(tenant=tenant, external_id="A", title="Old")

    page.post(
        reverse("edit_product", args=[product.id]), {"external_id": "B", "title": "<b>New</b>"}
    )

    product.refresh_from_db()
    assert (product.external_id, product.title) == ("B", "<b>New</b>")
    assert "&lt;b&gt;New&lt;/b&gt;" in show(page)


def test_asks_before_it_deletes(page, tenant):
    product = make_product(tenant=tenant)
    address = reverse("delete_product", args=[product.id])

    assert b"Delete this product?" in page.get(address).content
    page.post(address)

    assert not Product.objects.exists()


def test_changes_the_chosen_ones_and_comes_back_to_the_filter(page, tenant):
    chosen, other = make_product(tenant=tenant), make_product(tenant=tenant)
    foreign = make_product(tenant=make_tenant())

    response = page.post(
        reverse("change_products"),
        {
            "action": "publish",
            "product": [str(chosen.id), str(foreign.id), "nonsense"],
            "query": "state=new&page=2",
        },
    )

    assert response.url == f"{reverse('catalogue')}?state=new&page=2"
    states = dict(Product.objects.values_list("id", "state"))
    assert states == {chosen.id: "published", other.id: "new", foreign.id: "new"}


def test_asks_before_it_deletes_the_chosen_ones(page, tenant):
    products = [make_product(tenant=tenant) for _ in range(2)]
    data = {"action": "delete", "product": [str(p.id) for p in products]}

    assert b"Delete these 2 products?" in page.post(reverse("change_products"), data).content
    assert Product.objects.count() == 2
    page.post(reverse("change_products"), {**data, "sure": "1"})

    assert not Product.objects.exists()


def test_annotates_the_chosen_ones_again(page, tenant):
    product = make_product(tenant=tenant)
    add_annotated_photo(product)

    page.post(reverse("change_products"), {"action": "again", "product": str(product.id)})

    assert Annotation.objects.pending().count() == 1


@pytest.mark.parametrize("data", [{}, {"action": "publish"}, {"product": "x"}])
def test_says_when_nothing_was_chosen(page, data):
    response = page.post(reverse("change_products"), data, follow=True)

    assert b"Choose products first" in response.content


def test_an_unknown_action_is_none(page, tenant):
    product = make_product(tenant=tenant)

    response = page.post(reverse("change_products"), {"action": "x", "product": str(product.id)})

    assert response.status_code == 404


def test_the_script_gets_a_card_or_a_problem(page, tenant):
    product, data = make_product(tenant=tenant), make_photo_bytes()
    script = {"X-Requested-With": "XMLHttpRequest"}

    created = upload(page, product, data, **script)
    again = upload(page, product, data, **script)
    broken = upload(page, product, b"no photo", **script)

    assert created.status_code == 201
    assert b"Photo 1" in created.content
    assert (again.status_code, again.json()["code"]) == (422, "repeated")
    assert (broken.status_code, broken.json()["code"]) == (422, "unsupported-format")


def test_takes_a_photo_away(page, tenant):
    photo = add_annotated_photo(make_product(tenant=tenant))

    page.post(reverse("remove_product_photo", args=[photo.id]))

    assert not ProductImage.objects.exists()


def test_fetches_only_what_was_refused_again(page, tenant):
    product = make_product(tenant=tenant)
    stored = add_waiting_photo(product)
    refused = ProductImage.objects.create(
        tenant=tenant,
        product=product,
        source="https://shop.example/a.jpg",
        state="refused",
        error="The host does not take connections.",
    )
    html = page.get(reverse("product", args=[product.id])).content.decode()
    assert "The host does not take connections." in html

    assert page.post(reverse("fetch_photo_again", args=[stored.id])).status_code == 404
    page.post(reverse("fetch_photo_again", args=[refused.id]))

    refused.refresh_from_db()
    assert refused.state == "waiting"


def test_merges_and_dismisses_duplicates(page, tenant):
    merged, dismissed = make_pair(tenant=tenant), make_pair(tenant=tenant)
    html = page.get(reverse("product", args=[merged.product_id])).content.decode()
    assert "Possibly the same product" in html

    page.post(reverse("merge_duplicate", args=[merged.id]), {"keep": str(merged.other_id)})
    page.post(reverse("dismiss_duplicate", args=[dismissed.id]))

    assert not Product.objects.filter(id=merged.product_id).exists()
    assert NearDuplicate.objects.get().dismissed_at
    html = page.get(reverse("product", args=[dismissed.product_id])).content.decode()
    assert "Possibly the same product" not in html


def test_a_page_in_turkish(page, tenant):
    make_product(tenant=tenant, price="1299.90", currency="TRY")

    html = page.get(reverse("catalogue"), headers={"Accept-Language": "tr"}).content.decode()

    assert "1.299,90 TRY" in html


@pytest.mark.parametrize(
    ("query", "is_open"),
    [({}, False), ({"q": "shirt", "state": "new"}, False), ({"colour": "red"}, True)],
)
def test_filters_in_use_are_not_folded_away(page, query, is_open):
    html = page.get(reverse("catalogue"), query).content.decode()

    assert ('<details class="filters" open>' in html) == is_open
