import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.tests.factories import make_tenant
from annotations.tests.factories import make_photo_bytes
from retrieval.models import CatalogueImport, Product
from retrieval.tests.factories import check, import_file, make_import, make_zip, work

CSV = b"Product code,Name,Price\n1,Shirt,5\n2,Dress,cheap\n"


def address(name: str, run: CatalogueImport) -> str:
    return reverse(name, args=[run.id])


def upload(page, data: bytes = CSV, name: str = "products.csv"):
    file = SimpleUploadedFile(name, data)
    return page.post(reverse("catalogue_imports"), {"file": file})


def show(page, run: CatalogueImport) -> str:
    html: str = page.get(address("catalogue_import", run)).content.decode()
    return html


def test_from_upload_to_products(page):
    response = upload(page)
    run = CatalogueImport.objects.get()
    assert response.url == address("catalogue_import", run)
    html = show(page, run)
    assert "What the columns mean" in html
    assert "Shirt · Dress" in html
    assert '<option value="title" selected>' in html

    mapping = {"column-0": "external_id", "column-1": "title", "column-2": "price"}
    page.post(address("check_import", run), {**mapping, "currency": "try"})
    assert 'hx-trigger="every 2s"' in show(page, run)
    work(run)
    html = show(page, run)
    assert "Nothing has changed yet" in html
    assert "This is no price" in html
    assert not Product.objects.exists()

    page.post(address("start_import", run))
    work(run)

    product = Product.objects.get()
    assert (product.external_id, product.title, product.currency) == ("1", "Shirt", "TRY")
    assert "Done" in show(page, run)


def test_an_archive_of_photos_is_checked_at_once(page):
    upload(page, make_zip({"shirt.png": make_photo_bytes()}), "photos.zip")
    run = CatalogueImport.objects.get()
    assert run.state == CatalogueImport.State.CHECKING

    work(run)

    assert "Nothing has changed yet" in show(page, run)


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [(b"%PDF", "a.pdf", "Upload a CSV"), (b"", "a.csv", "empty"), (b"PK\x03\x04", "a.zip", "ZIP")],
)
def test_says_why_a_file_is_refused(page, data, name, words):
    response = upload(page, data, name)

    # Django drops an empty file, and that is said as well.
    assert response.status_code == 422
    assert words in response.content.decode() or "No file arrived" in response.content.decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"column-1": "title"}, "product id"),
        ({"column-0": "external_id", "column-1": "title", "column-2": "title"}, "Only one column"),
        ({"column-0": "external_id", "currency": "lira!"}, "three letters"),
    ],
)
def test_says_what_is_wrong_with_the_columns(page, tenant, data, words):
    run = make_import(tenant=tenant, data=CSV)

    response = page.post(address("check_import", run), data)

    assert response.status_code == 422
    assert words in response.content.decode()


def test_the_columns_can_be_changed_after_the_check(page, tenant):
    run = check(make_import(tenant=tenant, data=CSV.replace(b"Product code", b"id")))

    html = page.get(address("catalogue_import", run), {"columns": ""}).content.decode()

    assert "What the columns mean" in html


def test_progress_reloads_the_page_at_the_end(page, tenant):
    run = make_import(tenant=tenant, data=make_zip({"a.png": make_photo_bytes()}), name="a.zip")
    assert "HX-Refresh" not in page.get(address("import_progress", run)).headers

    work(run)

    assert page.get(address("import_progress", run)).headers["HX-Refresh"] == "true"


def test_lists_the_last_imports_of_this_shop_only(page, tenant):
    import_file(tenant=tenant, data="id,title\n1,A\n", name="mine.csv")
    make_import(tenant=make_tenant(), name="foreign.csv")

    html = page.get(reverse("catalogue_imports")).content.decode()

    assert "mine.csv" in html
    assert "1 new, 0 changed, 0 refused" in html
    assert "foreign.csv" not in html


def test_problems_can_be_downloaded_without_formulas(page, tenant):
    run = import_file(tenant=tenant, data="id,price\n1,=1+1\n")

    text = page.get(address("import_problems", run)).content.decode()

    assert "'=1+1" in text
    assert text.startswith("\ufeffrow,")


def test_steps_that_came_too_late_say_so(page, tenant):
    run = import_file(tenant=tenant, data="id,title\n1,A\n")

    for name in ("start_import", "check_import", "cancel_import"):
        data = {"column-0": "external_id", "column-1": "title"}
        response = page.post(address(name, run), data, follow=True)
        assert "further on already" in response.content.decode()
