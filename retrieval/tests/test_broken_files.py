"""Files that are not what they say."""

import zipfile
import zlib
from io import BytesIO

import pytest

from accounts.tests.factories import make_tenant
from annotations.tests.conftest import media  # noqa: F401 - a fixture
from annotations.tests.factories import make_photo_bytes
from retrieval.models import CatalogueImport, Product
from retrieval.services import imports
from retrieval.tests.factories import import_file, make_import, make_zip, work

pytestmark = pytest.mark.django_db
State = CatalogueImport.State
TITLE = "Şapka, kırmızı"


@pytest.fixture
def tenant(db):
    return make_tenant()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32"])
def test_reads_wide_characters_with_and_without_a_mark(tenant, encoding):
    run = import_file(tenant=tenant, data=f'id,title\n1,"{TITLE}"\n'.encode(encoding))

    assert (run.created, run.refused) == (1, 0)
    assert Product.objects.get().title == TITLE


def test_refuses_wide_characters_that_are_cut_off(tenant):
    data = "id,title\n1,Şapka\n".encode("utf-16")[:-1]

    with pytest.raises(imports.ImportRefused, match="can't be read"):
        make_import(tenant=tenant, data=data)


@pytest.mark.parametrize(
    "rows",
    [
        b'1,"open\n2,"fine"\n3,right\n',
        b'1,"open\n2,fine\n3,right\n',
        b'1,"open\r\n2,"fine"\r\n3,right',
        b'2,fine\n3,right\n1,"open',
        b'2,fine\n1,"open\n5,"open too\n3,right\n',
    ],
)
def test_an_open_quotation_mark_takes_no_other_row_along(tenant, rows):
    run = import_file(tenant=tenant, data=b"id,title\n" + rows)

    found = Product.objects.order_by("external_id").values_list("external_id", "title")
    assert list(found) == [("2", "fine"), ("3", "right")]
    details = set(run.problems.values_list("detail", flat=True))
    assert details == {"A cell is too long, or its quotation mark is never closed."}
    assert run.rows_done == rows.count(b"open") + 2


def test_a_cell_may_have_several_lines(tenant):
    import_file(tenant=tenant, data=b'id,title\n1,"two\nlines"\n2,"a ""word"""\n')

    titles = Product.objects.order_by("external_id").values_list("title", flat=True)
    assert list(titles) == ["two\nlines", 'a "word"']


def test_a_table_needs_rows(tenant):
    with pytest.raises(imports.ImportRefused, match="no rows"):
        make_import(tenant=tenant, data="id,title\n")


def test_what_an_archive_may_not_hold_is_told_to_the_end(tenant):
    data = make_zip({"../a.jpg": make_photo_bytes(), "1/b.jpg": make_photo_bytes()})

    run = import_file(tenant=tenant, data=data, name="photos.zip")

    assert (run.photos_added, run.photos_refused) == (1, 1)
    assert run.problems.get().value == "../a.jpg"


def break_data(data: bytes, name: bytes) -> bytes:
    """With other bytes in the middle of what the archive says of the member."""
    at = data.index(name) + len(name) + 30
    return data[:at] + bytes(255 - byte for byte in data[at : at + 40]) + data[at + 40 :]


def make_table(mode: int) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", mode) as archive:
        rows = "".join(f"{zlib.crc32(bytes([i % 251, i % 7]))}-{i},Shirt\n" for i in range(900))
        archive.writestr("t.csv", f"id,title\n{rows}")
    return out.getvalue()


@pytest.mark.parametrize("mode", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_refuses_a_table_that_is_damaged_in_its_archive(tenant, mode):
    with pytest.raises(imports.ImportRefused, match=r"damaged|can't be read"):
        make_import(tenant=tenant, data=break_data(make_table(mode), b"t.csv"), name="a.zip")


def test_a_photo_that_is_damaged_in_its_archive_leaves_the_others(tenant):
    data = make_zip({"bad.bmp": bytes(range(256)) * 40, "good.png": make_photo_bytes()})

    run = import_file(tenant=tenant, data=break_data(data, b"bad.bmp"), name="a.zip")

    assert (run.state, run.photos_added, run.photos_refused) == (State.DONE, 1, 1)
    assert "damaged" in run.problems.get().detail


@pytest.mark.parametrize("mode", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unpacks_nothing_whose_size_cannot_be_bounded(tenant, mode):
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("bomb.png", bytes(50_000_000), mode)
        archive.writestr("good.png", make_photo_bytes())

    run = work(make_import(tenant=tenant, data=out.getvalue(), name="photos.zip"))

    assert (run.photos_total, run.photos_refused) == (1, 1)
    assert run.problems.get().value == "bomb.png"


def test_leaves_out_names_that_nothing_could_keep(tenant):
    long = "x" * 3000 + ".png"
    data = make_zip({long: make_photo_bytes(), "good.png": make_photo_bytes()})

    run = work(make_import(tenant=tenant, data=data, name="photos.zip"))

    assert "too long" in run.problems.get().detail
    assert run.photos_total == 1


def test_refuses_addresses_that_no_index_could_keep(tenant):
    address = "https://shop.example/" + "".join(chr(0x4E00 + i * 7 % 20_000) for i in range(1900))

    run = import_file(tenant=tenant, data=f"id,images\n1,{address}\n2,\n".encode())

    assert (run.state, run.created, run.refused) == (State.DONE, 1, 1)
    assert run.problems.get().field == "images"


@pytest.mark.parametrize(
    ("text", "listed"),
    [("", True), ("1", True), ("TRUE", True), ("Evet", True), ("-1", False), ("draft", False)],
)
def test_a_column_says_what_shoppers_see(tenant, text, listed):
    import_file(tenant=tenant, data=f"id,Published\n1,{text}\n".encode())

    assert Product.objects.get().listed is listed


def test_refuses_a_word_that_says_neither(tenant):
    run = import_file(tenant=tenant, data=b"id,published\n1,perhaps\n")

    assert (run.refused, run.problems.get().field) == (1, "listed")
