"""Archives of photos, with a table and without."""

import io
import zipfile

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.tests.factories import make_tenant
from annotations.models import Annotation, FashionImage
from annotations.tests.factories import make_photo_bytes
from retrieval.importing import archives
from retrieval.jobs import MEASURE_TASK
from retrieval.models import (
    CatalogueImport,
    PhotoMeasures,
    Product,
    ProductImage,
)
from retrieval.services import imports, photos
from retrieval.tests.factories import (
    import_file,
    make_import,
    make_zip,
    work,
)

State = CatalogueImport.State


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

    checked = work(make_import(tenant=tenant, data=out.getvalue(), name="photos.zip"))

    assert (checked.created, checked.photos_refused) == (1, 1)
    assert "larger than" in checked.problems.get().detail

    run = import_file(tenant=make_tenant(), data=out.getvalue(), name="photos.zip")

    assert (run.photos_added, run.photos_refused) == (1, 1)
    assert "larger than" in run.problems.get().detail
    monkeypatch.setattr(archives, "MOST_BYTES", 1_000_000)
    with pytest.raises(imports.ImportRefused, match="unpacks to more"):
        make_import(tenant=tenant, data=out.getvalue(), name="photos.zip")
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1)
    with pytest.raises(imports.ImportRefused, match="more than 1 files"):
        make_import(tenant=tenant, data=out.getvalue(), name="photos.zip")


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


def test_a_photo_that_comes_twice_leaves_the_others_together(tenant, monkeypatch):
    sizes = []
    real = photos.add_new_photos

    def note(*, new, **fields):
        sizes.append(len(new))
        return real(new=new, **fields)

    monkeypatch.setattr(photos, "add_new_photos", note)
    twice = make_photo_bytes()
    members = {f"{name}/1.png": make_photo_bytes() for name in "ADE"}
    data = make_zip({**members, "B/1.png": twice, "C/1.png": twice})

    run = import_file(tenant=tenant, data=data, name="photos.zip")

    assert sizes == [2, 2]
    assert (run.created, run.photos_added, FashionImage.objects.count()) == (5, 5, 4)
