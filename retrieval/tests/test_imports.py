"""Files as shops make them, broken ones, and imports that are interrupted."""

import io
import json
import tracemalloc
import zipfile
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.tests.factories import make_tenant
from annotations.models import Annotation, FashionImage
from annotations.tests.factories import make_photo_bytes
from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed
from retrieval.importing import archives, running, tables
from retrieval.jobs import IMPORT_TASK, MEASURE_TASK
from retrieval.models import (
    CatalogueImport,
    ImportProblem,
    PhotoMeasures,
    Product,
    ProductImage,
)
from retrieval.services import fetching, imports
from retrieval.tests.factories import (
    check,
    import_file,
    make_import,
    make_product,
    make_zip,
    work,
)

State = CatalogueImport.State
TITLE = "Çizgili gömlek, İnce"


def upload(tenant, data: bytes, name: str = "products.csv"):
    return make_import(tenant=tenant, data=data, name=name)


def many_rows(number: int) -> str:
    return "id,title\n" + "".join(f"SKU-{i},Shirt {i}\n" for i in range(number))


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
        upload(tenant, data, name)
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
    run = import_file(tenant=tenant, data='id,title\n1,"a\nb"\n2,"begun\n3,lost\n4,lost\n')

    assert (run.created, run.refused) == (1, 1)
    assert "never closed" in run.problems.get().detail
    assert not Product.objects.filter(title__contains="lost").exists()


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


def test_photos_in_bulk_hold_up_no_import(tenant):
    run = make_import(tenant=tenant, name="photos.zip", data=make_zip({"a.jpg": b"x"}))

    job = ProcrastinateJob.objects.get(task_name=IMPORT_TASK)
    assert job.args == {"import_id": str(run.id)}
    assert Annotation.Priority.BULK < job.priority < Annotation.Priority.CROP


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


def test_works_in_parts_that_hand_over(tenant, monkeypatch):
    monkeypatch.setattr(imports, "PART", timedelta(0))
    monkeypatch.setattr(running, "CHUNK", 10)
    run = make_import(tenant=tenant, data=many_rows(35))
    imports.check_import(tenant=tenant, import_id=run.id, mapping=run.mapping, currency="")

    states = []
    while run.state != State.CHECKED:
        imports.run_import(import_id=run.id, clock=timezone.now)
        run.refresh_from_db()
        states.append(run.rows_done)

    assert states == [10, 20, 30, 35, 35]
    assert run.created == 35
    # The first part's job and those that parts deferred for the next ones.
    assert ProcrastinateJob.objects.filter(task_name="retrieval.run_import").count() == 5


class Killed(BaseException):
    """What a process can't catch."""


def test_goes_on_where_it_was_killed(tenant, monkeypatch):
    monkeypatch.setattr(running, "CHUNK", 10)
    run = check(make_import(tenant=tenant, data=many_rows(50)))
    imports.start_import(tenant=tenant, import_id=run.id)
    move_on, moves = running._move_on, []

    def die_in_the_third(run, **numbers):
        moves.append(numbers)
        if len(moves) == 3:
            raise Killed  # after the rows of the chunk were written, before its commit
        move_on(run, **numbers)

    monkeypatch.setattr(running, "_move_on", die_in_the_third)
    with pytest.raises(Killed):
        work(run)
    monkeypatch.setattr(running, "_move_on", move_on)
    run.refresh_from_db()
    assert (run.rows_done, Product.objects.count()) == (20, 20)

    work(run)

    assert (run.state, run.created, run.rows_done) == (State.DONE, 50, 50)
    assert Product.objects.count() == 50


def test_two_workers_at_once_do_the_work_once(tenant, monkeypatch):
    monkeypatch.setattr(running, "CHUNK", 10)
    run = check(make_import(tenant=tenant, data=many_rows(20)))
    imports.start_import(tenant=tenant, import_id=run.id)
    stale = CatalogueImport.objects.get(id=run.id)
    work(run)

    with pytest.raises(running.TakenOver):
        running.run_part(stale, clock=timezone.now, until=timezone.now() + timedelta(hours=1))

    run.refresh_from_db()
    assert (run.state, run.created) == (State.DONE, 20)


def test_ten_times_the_rows_take_no_more_memory(tenant):
    def measure(number: int) -> int:
        Product.objects.all().delete()
        run = make_import(tenant=tenant, data=many_rows(number))
        tracemalloc.start()
        check(run)
        imports.start_import(tenant=tenant, import_id=run.id)
        work(run)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert Product.objects.count() == number
        return peak

    measure(200)  # what is kept for good is made once

    small, large = measure(200), measure(2_000)

    # What grows is the hash of each id, which tells a repeated one: some hundred bytes.
    assert large - small < 1_800 * 500


def test_takes_few_queries_a_chunk(tenant, django_assert_max_num_queries):
    run = check(make_import(tenant=tenant, data=many_rows(100)))
    imports.start_import(tenant=tenant, import_id=run.id)

    with django_assert_max_num_queries(25):
        work(run)


# Photos at addresses


def import_address(tenant) -> ProductImage:
    import_file(tenant=tenant, data="id,image\n1,https://a.example/shirt.jpg?w=3\n")
    return ProductImage.objects.get()


def fetch(photo: ProductImage, attempt: int = 9) -> ProductImage:
    fetching.fetch_photo(product_image_id=photo.id, attempt=attempt, now=timezone.now())
    photo.refresh_from_db()
    return photo


def test_fetches_photos_and_asks_for_their_annotation(tenant, monkeypatch):
    data = make_photo_bytes()
    monkeypatch.setattr(remote_images, "fetch_image", lambda *, url: data)
    photo = import_address(tenant)
    assert photo.state == "waiting"
    assert ProcrastinateJob.objects.filter(task_name="retrieval.fetch_photo").count() == 1

    for _ in range(2):
        fetch(photo)

    assert photo.state == "stored"
    assert photo.image is not None
    assert photo.image.name == "shirt.jpg"
    assert Annotation.objects.get().priority == Annotation.Priority.BULK


@pytest.mark.parametrize("code", ["status", "private-address", "timeout"])
def test_says_why_a_photo_could_not_be_fetched(tenant, monkeypatch, code):
    def fail(*, url: str) -> bytes:
        raise RequestFailed(code)

    monkeypatch.setattr(remote_images, "fetch_image", fail)

    photo = fetch(import_address(tenant))

    assert (photo.state, photo.error) == ("refused", RequestFailed(code).detail)


def test_tries_again_what_may_pass(tenant, monkeypatch):
    def fail(*, url: str) -> bytes:
        raise RequestFailed("timeout")

    monkeypatch.setattr(remote_images, "fetch_image", fail)
    photo = import_address(tenant)

    with pytest.raises(fetching.FetchLater):
        fetch(photo, attempt=1)
    photo.refresh_from_db()
    assert photo.state == "waiting"


def test_refuses_what_is_no_photo_and_what_the_quota_forbids(tenant, monkeypatch):
    photo = import_address(tenant)
    monkeypatch.setattr(remote_images, "fetch_image", lambda *, url: b"\xff\xd8\xffbroken")
    assert "Choose another" in fetch(photo).error
    tenant.monthly_quota = 0
    tenant.save()
    ProductImage.objects.update(state="waiting", error="")
    data = make_photo_bytes()
    monkeypatch.setattr(remote_images, "fetch_image", lambda *, url: data)

    assert "this month are used" in fetch(photo).error


# Archives


def test_photos_by_folder_are_products(tenant):
    photos = [make_photo_bytes() for _ in range(3)]
    data = make_zip(
        {
            "shop/A1/front.png": photos[0],
            "shop/A1/back.png": photos[1],
            "shop/B2/one.png": photos[2],
            "__MACOSX/shop/._front.png": b"x",
            "shop/notes.txt": b"x",
        }
    )

    run = import_file(tenant=tenant, data=data, name="photos.zip")

    assert (run.state, run.created, run.photos_added) == (State.DONE, 2, 3)
    counts = {p.external_id: p.photos.count() for p in Product.objects.all()}
    assert counts == {"A1": 2, "B2": 1}
    assert set(Annotation.objects.values_list("priority", flat=True)) == {0}


def test_photos_by_name_are_products(tenant):
    names = ["shirt-1.png", "shirt-2.png", "dress (1).png", "hat.png"]
    data = make_zip({name: make_photo_bytes() for name in names})

    import_file(tenant=tenant, data=data, name="photos.zip")

    ids = set(Product.objects.values_list("external_id", flat=True))
    assert ids == {"shirt", "dress", "hat"}


def test_measures_photos_of_an_archive_while_they_are_at_hand(tenant):
    data = make_zip({"a-1.png": make_photo_bytes(), "a-2.png": make_photo_bytes()})

    import_file(tenant=tenant, data=data, name="photos.zip")

    assert PhotoMeasures.objects.for_tenant(tenant).count() == 2
    assert not ProcrastinateJob.objects.filter(task_name=MEASURE_TASK).exists()


def test_the_same_archive_twice_changes_nothing(tenant):
    data = make_zip({"a-1.png": make_photo_bytes(), "a-2.png": make_photo_bytes()})
    import_file(tenant=tenant, data=data, name="photos.zip")

    run = import_file(tenant=tenant, data=data, name="photos.zip")

    assert (run.created, run.photos_added, run.refused) == (0, 0, 0)
    assert FashionImage.objects.count() == ProductImage.objects.count() == 2


def archive_with_table() -> bytes:
    table = "id,title,photos\nA1,Shirt,one.png|two.png\nB2,Dress,\nC3,Bad,missing.png\n"
    return make_zip(
        {
            "products.csv": table.encode(),
            "one.png": make_photo_bytes(),
            "two.png": make_photo_bytes(),
            "B2.png": make_photo_bytes(),
            "nobody.png": make_photo_bytes(),
        }
    )


def test_a_table_in_the_archive_names_photos(tenant):
    data = archive_with_table()

    run = import_file(tenant=tenant, data=data, name="photos.zip")

    counts = {p.external_id: p.photos.count() for p in Product.objects.all()}
    assert counts == {"A1": 2, "B2": 1}
    assert (run.photos_added, run.photos_refused, run.refused) == (3, 1, 1)
    values = set(run.problems.values_list("value", flat=True))
    assert values == {"missing.png", "nobody.png"}

    again = import_file(tenant=tenant, data=data, name="photos.zip")
    assert (again.changed, again.photos_added) == (0, 0)
    assert ProductImage.objects.count() == 3


def test_refuses_broken_photos_one_by_one(tenant):
    data = make_zip({"a.png": b"no photo", "b.heic": b"....ftypheic", "c.png": make_photo_bytes()})

    run = import_file(tenant=tenant, data=data, name="photos.zip")

    assert (run.photos_added, run.photos_refused) == (1, 2)
    assert {p.value for p in run.problems.all()} == {"a.png", "b.heic"}


def test_leaves_out_names_that_lead_out(tenant):
    evil = ["../../etc/cron.d/x.png", "/etc/x.png", "..\\x.png", "C:/x.png"]
    data = make_zip({**dict.fromkeys(evil, b"x"), "good.png": make_photo_bytes()})

    run = work(make_import(tenant=tenant, data=data, name="photos.zip"))

    assert set(run.problems.values_list("value", flat=True)) == set(evil)
    assert (run.photos_total, run.created) == (1, 1)


def test_refuses_bombs(tenant, settings, monkeypatch):
    settings.UPLOAD_MAX_BYTES = 1_000_000
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", b"\0" * 20_000_000)
        archive.writestr("good.png", make_photo_bytes())

    run = import_file(tenant=tenant, data=out.getvalue(), name="photos.zip")

    assert (run.photos_added, run.photos_refused) == (1, 1)
    assert "larger than" in run.problems.get().detail
    monkeypatch.setattr(archives, "MOST_BYTES", 1_000_000)
    with pytest.raises(imports.ImportRefused, match="unpacks to more"):
        upload(tenant, out.getvalue(), "photos.zip")
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1)
    with pytest.raises(imports.ImportRefused, match="more than 1 files"):
        upload(tenant, out.getvalue(), "photos.zip")


def test_new_photos_go_in_together(tenant, django_assert_max_num_queries):
    data = make_zip({f"p{i}.png": make_photo_bytes() for i in range(8)})
    run = work(make_import(tenant=tenant, data=data, name="photos.zip"))
    imports.start_import(tenant=tenant, import_id=run.id)

    with django_assert_max_num_queries(45):
        work(run)

    run.refresh_from_db()
    assert (run.created, run.photos_added) == (8, 8)
    jobs = ProcrastinateJob.objects.values_list("task_name", flat=True)
    assert "annotations.annotate" not in jobs
    assert sorted(jobs).count("annotations.annotate_shop") == 1
    assert sorted(jobs).count("retrieval.compare_photo") == 1


def test_a_photo_that_is_known_leaves_the_others_new(tenant):
    known = make_photo_bytes()
    import_file(tenant=tenant, data=make_zip({"a.png": known}), name="photos.zip")

    run = import_file(
        tenant=tenant, data=make_zip({"b.png": known, "c.png": make_photo_bytes()}), name="b.zip"
    )

    assert (run.created, run.photos_added) == (2, 2)
    assert FashionImage.objects.count() == 2


def test_an_archive_goes_on_where_it_was_killed(tenant, monkeypatch):
    data = make_zip({f"p{i}.png": make_photo_bytes() for i in range(4)})
    run = work(make_import(tenant=tenant, data=data, name="photos.zip"))
    imports.start_import(tenant=tenant, import_id=run.id)
    move_on = running._move_on

    def die(run, **numbers):
        move_on(run, **numbers)
        if run.photos_done == 4:
            raise Killed  # all of the last two is written, nothing of them is committed

    monkeypatch.setattr(running, "PHOTOS_AT_ONCE", 2)
    monkeypatch.setattr(running, "_move_on", die)
    with pytest.raises(Killed):
        work(run)
    monkeypatch.setattr(running, "_move_on", move_on)
    run.refresh_from_db()
    assert (run.photos_done, Product.objects.count()) == (2, 2)

    work(run)

    assert (run.state, run.created, run.photos_added) == (State.DONE, 4, 4)
    assert FashionImage.objects.count() == Annotation.objects.count() == 4


def test_keeps_the_first_thousand_problems(tenant, monkeypatch):
    monkeypatch.setattr(running, "MOST_PROBLEMS", 5)

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
