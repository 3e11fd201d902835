"""Files as shops make them: what is read, checked and refused."""

import json
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone

from accounts.tests.factories import make_tenant
from retrieval.importing import progress, tables
from retrieval.models import (
    CatalogueImport,
    ImportProblem,
    Product,
    ProductImage,
)
from retrieval.services import imports
from retrieval.tests.factories import (
    check,
    import_file,
    make_import,
    make_product,
    many_rows,
    work,
)

State = CatalogueImport.State
TITLE = "Çizgili gömlek, İnce"


@pytest.mark.parametrize(
    "data",
    [
        f'id,title\n1,"{TITLE}"\n'.encode(),
        f'\ufeffid,title\r\n1,"{TITLE}"\r\n'.encode(),
        f"id;title\n1;{TITLE}\n".encode("cp1254"),
        f"id\ttitle\n1\t{TITLE}\n".encode("utf-16"),
        f'id|title|empty\n"1"|{TITLE}|\n\n'.encode(),
    ],
    ids=["utf-8", "bom", "cp1254 and semicolon", "utf-16 and tab", "bar"],
)
def test_reads_what_spreadsheets_write(tenant, data):
    run = import_file(tenant=tenant, data=data)

    assert (run.state, run.created, run.refused) == (State.DONE, 1, 0)
    assert Product.objects.get().title == TITLE


def test_reads_ndjson(tenant):
    lines = [
        {"sku": "1", "name": TITLE, "price": 19.9, "currency": "TRY", "in_stock": True},
        {"sku": 2, "name": None, "price": 5, "images": ["https://a.example/1.jpg"]},
    ]
    data = "\n".join(json.dumps(line) for line in lines)

    run = import_file(tenant=tenant, data=data, name="products.ndjson")

    assert run.created == 2
    first = Product.objects.get(external_id="1")
    assert (str(first.price), first.stock) == ("19.90", "in-stock")
    assert ProductImage.objects.get().source == "https://a.example/1.jpg"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"\n\n", "empty"),
        ("a.pdf", b"%PDF-1.7", "CSV"),
        ("a.xlsx", b"PK\x03\x04rest", "Save the spreadsheet"),
        ("a.zip", b"PK\x03\x04broken", "damaged"),
        ("a.csv", b"id,\x81\x8d\x8f\x90\x9d\n", "UTF-8"),
        ("a.csv", b'"' + b"x" * 200_000, "first row"),
        ("a.csv", b"a," * 300 + b"id\n1\n", "more than 200 columns"),
        ("a.ndjson", b"[1, 2]\n", "empty"),
    ],
)
def test_refuses_files_with_words(tenant, name, data, words):
    with pytest.raises(imports.ImportRefused, match=words):
        make_import(tenant=tenant, data=data, name=name)
    assert not CatalogueImport.objects.exists()


def test_checks_without_changing_anything(tenant):
    make_product(tenant=tenant, external_id="1", title="Old")
    make_product(tenant=tenant, external_id="2", title="Same")

    run = check(make_import(tenant=tenant, data="id,title\n1,New\n2,Same\n3,More\n4\n,None\n"))

    assert run.state == State.CHECKED
    assert (run.created, run.changed, run.unchanged, run.refused) == (2, 1, 1, 1)
    assert run.rows_total == 5
    assert Product.objects.count() == 2
    assert Product.objects.get(external_id="1").title == "Old"


def test_says_row_field_and_what_to_do(tenant):
    data = "id,title,price\n1,A,1\n2,B,cheap\n1,C,2\n3,D,-4\n"

    run = import_file(tenant=tenant, data=data)

    problems = {(p.row, p.field): p for p in run.problems.all()}
    assert set(problems) == {(3, "price"), (4, "external_id"), (5, "price")}
    assert problems[3, "price"].value == "cheap"
    assert "1299.90" in problems[3, "price"].detail
    assert "Row 2" in problems[4, "external_id"].detail
    assert (run.created, run.refused) == (1, 3)


def test_goes_on_after_rows_that_cannot_be_read(tenant):
    giant = "x" * 150_000
    data = f'id,title\n1,A\n2,"{giant}"\n3,C\n4,{"y" * 1_500_000}\n5,E\n'

    run = import_file(tenant=tenant, data=data)

    assert set(Product.objects.values_list("external_id", flat=True)) == {"1", "3", "5"}
    assert run.refused == 2
    assert all("too long" in problem.detail for problem in run.problems.all())


def test_a_quotation_mark_that_is_never_closed_takes_no_rows_along(tenant):
    run = import_file(tenant=tenant, data='id,title\n1,"a\nb"\n2,"begun\n3,kept\n4,kept\n')

    assert (run.created, run.refused) == (3, 1)
    assert "never closed" in run.problems.get().detail
    assert Product.objects.filter(title="kept").count() == 2


def test_takes_formulas_and_markup_as_text(tenant):
    import_file(tenant=tenant, data='id,title\n1,"=HYPERLINK(""http://x"")"\n2,<script>\n')

    titles = Product.objects.values_list("title", flat=True)
    assert set(titles) == {'=HYPERLINK("http://x")', "<script>"}


def test_leaves_control_characters_out(tenant):
    import_file(tenant=tenant, data="id,title\n1,Shi\x00rt\x07\n")

    assert Product.objects.get().title == "Shirt"


def test_the_same_file_twice_changes_nothing(tenant):
    data = "id,title,price,currency,images\n1,A,5,TRY,https://a.example/1.jpg\n2,B,,,\n"
    import_file(tenant=tenant, data=data)
    before = list(Product.objects.order_by("id").values())

    run = import_file(tenant=tenant, data=data)

    assert (run.created, run.changed, run.unchanged) == (0, 0, 2)
    assert list(Product.objects.order_by("id").values()) == before
    assert ProductImage.objects.count() == 1


def test_spaces_around_words_are_no_change(tenant):
    make_product(tenant=tenant, external_id="1", title=" Shirt ")

    assert import_file(tenant=tenant, data="id,title\n1,Shirt\n").unchanged == 1
    assert Product.objects.get().title == "Shirt"


def test_columns_that_the_file_lacks_stay(tenant):
    make_product(tenant=tenant, external_id="1", title="Kept", price="5.00", currency="TRY")

    run = import_file(tenant=tenant, data="id,price\n1,6\n", currency="TRY")

    product = Product.objects.get()
    assert (run.changed, product.title, str(product.price)) == (1, "Kept", "6.00")


def test_does_not_bring_merged_products_back(tenant):
    product = make_product(tenant=tenant, external_id="KEEP", title="Kept")
    Product.objects.update(also_known_as=["GONE"])

    run = import_file(tenant=tenant, data="id,title\nGONE,Again\n")

    assert (run.unchanged, Product.objects.count()) == (1, 1)
    product.refresh_from_db()
    assert product.title == "Kept"


def test_leaves_other_shops_alone(tenant):
    foreign = make_product(tenant=make_tenant(), external_id="1", title="Foreign")

    import_file(tenant=tenant, data="id,title\n1,Mine\n")

    foreign.refresh_from_db()
    assert foreign.title == "Foreign"
    assert Product.objects.for_tenant(tenant).get().title == "Mine"


def test_needs_a_column_for_the_id(tenant):
    run = make_import(tenant=tenant, data="colour,size\nred,M\n")

    with pytest.raises(imports.ImportRefused, match="product id"):
        imports.check_import(tenant=tenant, import_id=run.id, mapping=["title", ""], currency="")


def test_takes_each_step_once_and_in_order(tenant):
    run = make_import(tenant=tenant)
    with pytest.raises(imports.WrongState):
        imports.start_import(tenant=tenant, import_id=run.id)
    check(run)
    imports.start_import(tenant=tenant, import_id=run.id)
    with pytest.raises(imports.WrongState):
        imports.start_import(tenant=tenant, import_id=run.id)
    with pytest.raises(CatalogueImport.DoesNotExist):
        imports.cancel_import(tenant=make_tenant(), import_id=run.id, now=timezone.now())


def test_a_cancelled_import_stops_and_forgets_its_file(tenant, django_capture_on_commit_callbacks):
    run = check(make_import(tenant=tenant))
    imports.start_import(tenant=tenant, import_id=run.id)

    with django_capture_on_commit_callbacks(execute=True):
        imports.cancel_import(tenant=tenant, import_id=run.id, now=timezone.now())
    work(run)

    assert run.state == State.CANCELLED
    assert not Product.objects.exists()
    assert not default_storage.exists(str(run.file.name))


def test_what_nobody_starts_is_forgotten(tenant):
    run = make_import(tenant=tenant)

    assert imports.forget_old_imports(now=timezone.now()) == 0
    assert imports.forget_old_imports(now=timezone.now() + timedelta(days=8)) == 1
    run.refresh_from_db()
    assert run.state == State.CANCELLED


def test_uploads_that_no_import_reads_are_swept(tenant):
    waiting, ended = make_import(tenant=tenant), make_import(tenant=tenant)
    lost, unlucky = make_import(tenant=tenant), make_import(tenant=tenant)
    CatalogueImport.objects.filter(id=lost.id).delete()
    CatalogueImport.objects.filter(id=ended.id).update(state="failed")
    now = timezone.now()

    assert imports.sweep_files(now=now) == 0  # the rows may be on their way

    CatalogueImport.objects.filter(id=unlucky.id).update(state="running")
    assert imports.sweep_files(now=now + timedelta(hours=2)) == 2
    runs = (waiting, ended, lost, unlucky)
    left = [run for run in runs if default_storage.exists(str(run.file.name))]
    assert left == [waiting, unlucky]


def test_sweeps_a_storage_without_uploads():
    assert imports.sweep_files(now=timezone.now()) == 0


def test_fails_with_words_when_its_file_is_gone(tenant):
    run = check(make_import(tenant=tenant))
    imports.start_import(tenant=tenant, import_id=run.id)
    default_storage.delete(str(run.file.name))

    work(run)

    assert (run.state, "Upload it again" in run.error) == (State.FAILED, True)


def test_keeps_the_first_thousand_problems(tenant, monkeypatch):
    monkeypatch.setattr(progress, "MOST_PROBLEMS", 5)

    run = import_file(tenant=tenant, data="id,price\n" + "1,x\n" * 300)

    assert (run.refused, run.problems.count()) == (300, 5)


def test_a_file_has_its_most_rows(tenant, monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 3)

    run = import_file(tenant=tenant, data=many_rows(10))

    assert (run.created, run.refused) == (3, 1)
    assert "Split it" in run.problems.get().detail


def test_problems_are_hidden_from_other_shops_by_the_database(tenant):
    import_file(tenant=tenant, data="id,price\n1,x\n")

    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('kalas.tenant', %s, true)", [str(make_tenant().id)])

    assert not ImportProblem.objects.exists()
    assert not CatalogueImport.objects.exists()


def test_large_uploads_are_refused(tenant, settings):
    settings.REQUEST_MAX_BYTES = 10

    with pytest.raises(imports.ImportRefused, match="larger than"):
        imports.begin_import(
            tenant=tenant,
            upload=SimpleUploadedFile("a.csv", b"id,title\n1,A\n"),
            requested_by=None,
            now=timezone.now(),
        )
