import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.models import Role
from accounts.tests.factories import make_member, make_tenant
from annotations.models import Annotation
from annotations.tests.factories import (
    make_annotation,
    make_done_annotation,
    make_photo_bytes,
    make_result,
)
from retrieval.models import ActiveIndex, Embedding, IndexVersion, Product
from retrieval.tests.factories import add_annotated_photo, make_index, make_product
from retrieval.tests.test_similar import at, make_item

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def read(response) -> str:
    assert response.status_code == 200, response.content
    html: str = response.content.decode()
    return html


def send(page, data: bytes = b"", headers=HTMX, **fields):
    upload = SimpleUploadedFile("shirt.png", data or make_photo_bytes())
    return page.post(reverse("search_photo"), {"photo": upload, **fields}, headers=headers)


def test_an_empty_catalogue_says_what_to_do(page):
    assert reverse("catalogue_imports") in read(page.get(reverse("search")))


def test_by_photo(page, tenant, fake_engine):
    make_item(tenant, 10, title="Near shirt")
    make_item(tenant, 85, title="Far shirt")
    make_item(make_tenant(), 0, title="Foreign shirt")

    html = read(send(page))

    assert "Near shirt" in html
    assert "98 %" in html
    assert "Striped" in html
    assert "ΔE 0" in html
    assert "Far shirt" not in html
    assert "Foreign shirt" not in html
    assert "<html" not in html


def test_by_photo_without_a_script(page, tenant, fake_engine):
    make_item(tenant, 10, title="Near shirt")

    html = read(send(page, headers={}))

    assert "Near shirt" in html
    assert "<html" in html


def test_by_a_box_on_the_photo(page, tenant, fake_engine):
    send(page, left=1, top=2, right=30, bottom=40)

    assert "crop=1%2C2%2C30%2C40" in fake_engine.requests[0]


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ({"left": 30, "top": 2, "right": 3, "bottom": 40}, "must exceed"),
        ({"left": 0, "top": 0, "right": 3000, "bottom": 40}, "inside the photo"),
        ({"left": 0, "top": 0, "right": 3, "bottom": 3}, "at least"),
    ],
)
def test_a_wrong_box(page, fake_engine, box, words):
    assert words in read(send(page, **box))
    assert fake_engine.requests == []


def test_filters_of_a_photo(page, tenant, fake_engine):
    make_item(tenant, 10, title="Near shirt", price=5)

    assert "Near shirt" in read(send(page, price_to=6, category="t-shirt"))
    assert "Nothing similar" in read(send(page, price_to=4))
    assert "Near shirt" in read(send(page, price_to="many"))


def test_what_is_no_photo(page, fake_engine):
    assert "This is no JPEG" in read(send(page, b"words"))
    html = read(page.post(reverse("search_photo"), headers=HTMX))
    assert "required" in html
    assert page.post(reverse("search_photo")).status_code == 422


def test_an_engine_that_is_away(page):
    assert "The engine is busy or away" in read(send(page))


def test_a_photo_without_a_garment(page, fake_engine):
    fake_engine.answer = (200, make_result(abstained="no-garment").to_json(), {})

    assert "No garment was found" in read(send(page))


def test_by_product(page, tenant):
    query = make_item(tenant, 0, title="This shirt")
    make_item(tenant, 10, title="Near shirt")

    html = read(page.get(reverse("search"), {"product": query.id}))

    assert "Near shirt" in html
    assert html.count("This shirt") == 1
    assert reverse("search") in read(page.get(reverse("product", args=[query.id])))


def test_by_a_product_without_photos(page, tenant):
    product = make_product(tenant=tenant)

    assert "has no photo yet" in read(page.get(reverse("search"), {"product": product.id}))


def test_by_a_product_that_shows_no_garment(page, tenant):
    product = make_product(tenant=tenant)
    add_annotated_photo(product, make_result(abstained="no-garment"))

    assert "No garment was found" in read(page.get(reverse("search"), {"product": product.id}))


def test_by_a_product_of_a_family_without_a_retriever(page, tenant):
    product = make_product(tenant=tenant)
    photo = add_annotated_photo(product, make_result(embedding=()))
    annotation = Annotation.objects.get(image=photo.image_id)

    for html in (
        read(page.get(reverse("search"), {"product": product.id})),
        read(page.get(reverse("search"), {"annotation": annotation.id})),
        read(page.get(reverse("similar", args=[annotation.id]))),
    ):
        assert "names garments but cannot compare them" in html
        assert "No garment" not in html


def test_by_an_annotation_that_waits(page, tenant):
    annotation = make_annotation(tenant=tenant)

    html = read(page.get(reverse("search"), {"annotation": annotation.id}))
    assert "Not looked at yet" in html
    fragment = read(page.get(reverse("similar", args=[annotation.id])))
    assert "once a garment has been found" in fragment


def test_by_annotation(page, tenant):
    annotation = make_done_annotation(tenant=tenant, result=make_result(embedding=at(0)))
    make_item(tenant, 10, title="Near shirt")

    assert "Near shirt" in read(page.get(reverse("search"), {"annotation": annotation.id}))
    fragment = read(page.get(reverse("similar", args=[annotation.id])))
    assert "Near shirt" in fragment
    assert f"?annotation={annotation.id}" in fragment


@pytest.mark.parametrize("name", ["product", "annotation"])
def test_foreign_things_are_missing_ones(page, name):
    product = make_item(make_tenant(), 0)
    annotation = Annotation.objects.get(image__product_images__product=product)
    ids = {"product": product.id, "annotation": annotation.id}

    assert page.get(reverse("search"), {name: ids[name]}).status_code == 404
    assert page.get(reverse("search"), {name: "nonsense"}).status_code == 404


def test_by_words(page, tenant):
    make_item(tenant, 0, title="Everyday model")

    html = read(page.get(reverse("search"), {"q": "striped t-shirt"}, headers=HTMX))

    assert "1 product" in html
    assert "Everyday model" in html
    assert "t shirt = T-shirt" in html
    assert "No product was found" in read(page.get(reverse("search"), {"q": "qwertz"}))


def test_what_was_found_is_counted_to_narrow_it(page, tenant, fake_engine):
    make_item(tenant, 0, title="A shirt")
    make_item(tenant, 5, title="A red one", result=make_result(embedding=at(5), colour="red"))

    for html in (
        read(page.get(reverse("search"), {"q": "t-shirt"}, headers=HTMX)),
        read(send(page)),
    ):
        assert re.search(r'name="colour" value="red"[^>]*>Red <span[^>]*>1<', html)
        assert 'name="category"' not in html  # it leaves no choice

    html = read(page.get(reverse("search"), {"q": "t-shirt", "colour": "red"}, headers=HTMX))
    assert "A shirt" not in html
    assert re.search(r'name="colour" value=""[^>]*aria-pressed="true">Red', html)


def test_more_is_shown_when_asked_for(page, tenant, fake_engine, monkeypatch):
    monkeypatch.setattr("retrieval.views.search.SHOWN", 2)
    monkeypatch.setattr("retrieval.views.search.MOST_SHOWN", 3)
    for number in range(4):
        make_item(tenant, number, title=f"Shirt {number}")

    html = read(page.get(reverse("search"), {"q": "shirt"}, headers=HTMX))
    assert html.count("product-card") == 2
    assert 'name="shown" value="3" form="by-words"' in html
    html = read(send(page))
    assert 'name="shown" value="3" form="by-photo"' in html
    html = read(send(page, shown=3))
    assert html.count("product-card") == 3
    assert 'name="shown"' not in html
    for nonsense in ("many", "-1", "99999999", "²"):
        read(page.get(reverse("search"), {"q": "shirt", "shown": nonsense}))


def test_a_photo_while_the_index_is_being_built(page, tenant, fake_engine):
    for degrees in (0, 5):
        make_item(tenant, degrees)
    Embedding.objects.filter(photo__product=Product.objects.latest("created_at")).delete()
    IndexVersion.objects.update(state="building")

    html = read(send(page))

    assert "50 % of the photos can be found so far" in html
    assert html.count("product-card") == 1


def test_a_photo_while_the_index_lacks_something(page, tenant, fake_engine):
    for degrees in (0, 5):
        make_item(tenant, degrees)
    Embedding.objects.filter(photo__product=Product.objects.latest("created_at")).delete()

    assert "New photos are not in the search index yet: 50 %" in read(send(page))
    IndexVersion.objects.update(error="The engine runs kalas-mini 2, not kalas-mini 1.")
    html = read(send(page))
    assert "could not be completed (The engine runs kalas-mini 2, not kalas-mini 1.): 50 %" in html


def test_words_are_understood_in_turkish(page, tenant, member):
    member.user.language = "tr"
    member.user.save()
    make_item(tenant, 0, title="Everyday model")

    html = read(page.get(reverse("search"), {"q": "ÇİZGİLİ tişört"}))

    assert "Everyday model" in html
    assert "cizgili" not in html


def test_says_what_was_written_not_how_it_was_read(page, tenant):
    make_item(tenant, 0, title="Everyday model")

    assert "çizgili = Striped" in read(page.get(reverse("search"), {"q": "çizgili tişört"}))


def test_suggestions(page, tenant):
    make_item(tenant, 0, title="Tidy <b>shirt</b>")

    assert '<option value="T-shirt">1</option>' in read(page.get(reverse("suggest"), {"q": "t"}))
    html = read(page.get(reverse("suggest"), {"q": "ti"}))

    assert '<option value="Tidy &lt;b&gt;shirt&lt;/b&gt;">' in html


def test_the_catalogue_is_searched_by_words_too(page, tenant):
    make_item(tenant, 0, title="Everyday model", external_id="AB-4711")

    for text in ("striped", "everyday", "AB-47", "çizgili tişört"):
        assert "Everyday model" in read(page.get(reverse("catalogue"), {"q": text})), text
    assert "Nothing matches" in read(page.get(reverse("catalogue"), {"q": "striped dress"}))
    for sort in ("best", "cheapest", "title", ""):
        read(page.get(reverse("catalogue"), {"q": "striped", "sort": sort}))


def test_the_page_of_indexes(page, tenant):
    assert "No index yet" in read(page.get(reverse("search_indexes")))
    make_item(tenant, 0)
    make_index(tenant=tenant)

    html = read(page.get(reverse("search_indexes")))

    assert "kalas-mini 1" in html
    assert "In use" in html
    assert "0 of 1 photos" in html


def test_a_dry_run_then_the_switch_then_back(page, tenant):
    make_item(tenant, 0)
    newer = make_index(tenant=tenant)
    older = ActiveIndex.objects.get().index

    html = read(page.get(reverse("compare_index", args=[newer.id])))
    assert "A dry run" in html
    assert "It has 0 % of the photos" in html
    assert page.get(reverse("compare_index", args=[older.id])).status_code == 302

    for index in (newer, older):
        page.post(reverse("switch_index", args=[index.id]))
        assert ActiveIndex.objects.get().index == index
    page.post(reverse("delete_index", args=[older.id]))
    page.post(reverse("delete_index", args=[newer.id]))
    assert list(IndexVersion.objects.all()) == [older]


def test_an_index_that_is_not_ready_is_not_used(page, tenant):
    make_item(tenant, 0)
    index = make_index(tenant=tenant)
    IndexVersion.objects.filter(id=index.id).update(state="building")

    page.post(reverse("switch_index", args=[index.id]))

    assert ActiveIndex.objects.get().index != index


def test_building_needs_an_engine(page, tenant):
    html = read(page.post(reverse("build_index"), follow=True))

    assert "The engine does not answer" in html


def test_only_leaders_change_indexes(client, tenant):
    reviewer = make_member(tenant=tenant, role=Role.REVIEWER)
    index = make_index(tenant=tenant)
    client.force_login(reviewer.user)

    assert client.get(reverse("search_indexes")).status_code == 403
    assert client.post(reverse("switch_index", args=[index.id])).status_code == 403
    assert reverse("search_indexes") not in read(client.get(reverse("search")))


def test_before_a_search_examples_lead_to_one(page, tenant):
    make_item(tenant, 0, title="Everyday model")

    html = read(page.get(reverse("search")))

    [address] = re.findall(r'<a class="chip" href="([^"]+)"', html)
    assert "Everyday model" in read(page.get(address))
