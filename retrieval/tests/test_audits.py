"""What the photos of a product lack, from the photo to the page and the API."""

from dataclasses import replace
from io import BytesIO

import pytest
from django.db import connection
from django.test import Client
from django.utils import translation
from PIL import Image, ImageFilter
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.tests.factories import make_key, make_tenant
from annotations import files
from annotations.tests.factories import make_garment, make_result
from inference.contract import Box
from retrieval import catalogue, jobs, tasks
from retrieval.auditing import advice
from retrieval.auditing.advice import Advice, SeenPhoto
from retrieval.auditing.measures import Measures, measure_photo
from retrieval.auditing.texts import TITLES, say
from retrieval.auditing.views import SeenGarment, is_worn, tell_view
from retrieval.models import PhotoMeasures
from retrieval.services import audits
from retrieval.tests.factories import DEMO_PHOTOS, add_annotated_photo, make_product

GOOD = Measures(sharpness=0.6, brightness=0.9, skin=0.0, plain=True)


def see(number=1, *, box=(200, 200, 800, 1200), measures=GOOD, verdict="best", garments=(), **more):
    shown = Box(*box)
    found = garments or (SeenGarment("upper-body", 0.9, shown, 0.4),)
    return SeenPhoto(number, 1000, 1400, verdict, tuple(found), shown, measures, **more)


def list_codes(*photos, object_type="upper-body"):
    return {a.code: a.photos for a in advice.audit(photos, object_type=object_type).advice}


def encode(image):
    out = BytesIO()
    image.save(out, "JPEG", quality=92)
    return out.getvalue()


def measure(product):
    """What its jobs do."""
    for photo in product.photos.all():
        tasks.measure_photo(product_image_id=str(photo.id))


def wear():
    return (
        SeenGarment("upper-body", 0.9, Box(300, 200, 700, 600), 0.12),
        SeenGarment("lower-body", 0.9, Box(320, 600, 680, 1100), 0.12),
        SeenGarment("footwear", 0.9, Box(350, 1100, 650, 1300), 0.04),
    )


def test_measures_blur_and_darkness():
    with Image.open(sorted(DEMO_PHOTOS.glob("clothing-t-shirt-*.jpg"))[0]) as opened:
        photo = opened.convert("RGB")

    sharp = measure_photo(encode(photo))
    blurred = measure_photo(encode(photo.filter(ImageFilter.GaussianBlur(4))))
    dark = measure_photo(encode(photo.point(lambda value: int(value * 0.4))))

    assert sharp.sharpness > 0.5 > advice.LEAST_SHARPNESS > blurred.sharpness
    assert sharp.brightness > advice.LEAST_BRIGHTNESS > dark.brightness
    assert dark.sharpness > 0.5


def test_a_photo_of_one_colour_is_not_blurred():
    assert measure_photo(encode(Image.new("RGB", (300, 400), "white"))).sharpness == 1


def test_several_garments_where_a_body_has_them_are_worn():
    assert is_worn(wear(), GOOD)
    assert not is_worn(wear()[:1], GOOD)
    assert tell_view(wear(), GOOD) == "worn"
    assert tell_view(wear()[:1], GOOD) == "lying"
    assert tell_view((), GOOD) == ""


def test_one_garment_with_skin_before_a_plain_ground_is_left_open():
    skin = replace(GOOD, skin=0.1)

    assert tell_view(wear()[:1], skin) == ""
    assert "no-worn" not in list_codes(see(measures=skin))


def test_lists_the_faults_of_each_photo():
    dark = Measures(sharpness=0.2, brightness=0.3, skin=0, plain=False)
    found = list_codes(
        see(1, measures=dark), see(2, measures=dark), see(3, verdict="other-garment")
    )

    assert found["dark"] == found["blurred"] == (1, 2)
    assert found["busy-cover"] == (1,)
    assert found["other-garment"] == (3,)


def test_lists_the_views_that_are_missing():
    whole, near = see(1), see(2, box=(0, 0, 1000, 1400), verdict="agrees")
    worn = see(3, garments=wear(), verdict="agrees")

    assert set(list_codes(whole)) == {"few", "no-detail", "no-worn"}
    assert set(list_codes(near)) == {"few", "no-worn", "no-whole"}
    assert set(list_codes(worn)) == {"few", "no-detail", "never-alone"}
    assert not list_codes(whole, near, worn)


def test_says_nothing_of_what_was_not_measured():
    assert set(list_codes(see(measures=None))) == {"few", "no-detail"}


def test_says_nothing_where_nobody_knows_what_it_is():
    assert not list_codes(see(), object_type="")


@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("object_type", ["upper-body", "footwear", "accessory"])
def test_says_what_to_do_about_each(language, object_type):
    with translation.override(language):
        said = {say(Advice(code, (1, 3)), object_type=object_type) for code in advice.CODES}
        titles = {str(title) for title in TITLES.values()}

    assert len(said) == len(titles) == len(advice.CODES)
    assert any("1, 3" in each for each in said)


@pytest.fixture
def product(tenant):
    product = make_product(tenant=tenant)
    add_annotated_photo(product)
    product.refresh_from_db()
    return product


@pytest.mark.django_db
def test_the_job_measures_and_tells(product):
    assert "busy-cover" not in product.photo_advice

    measure(product)

    product.refresh_from_db()
    assert PhotoMeasures.objects.get().tenant_id == product.tenant_id
    assert {"small", "few", "no-worn"} <= set(product.photo_advice)


@pytest.mark.django_db
def test_photos_of_before_are_measured_once(product):
    measure(product)
    PhotoMeasures.objects.all().delete()

    tasks.measure_missing_photos(after=None)
    assert PhotoMeasures.objects.count() == 1
    product.refresh_from_db()
    assert product.photo_advice


@pytest.mark.django_db
def test_one_job_measures_them_in_parts_and_passes_over_what_it_cannot_read(product, monkeypatch):
    lost, here = add_annotated_photo(product), add_annotated_photo(product)
    PhotoMeasures.objects.all().delete()
    assert lost.image
    files.remove_files([str(lost.image.file.name)])
    monkeypatch.setattr(audits, "TURN_S", 0.0)

    ids = sorted(product.photos.values_list("id", flat=True))
    after = None
    for _ in ids:
        tasks.measure_missing_photos(after=after)
        after = ProcrastinateJob.objects.get(task_name=jobs.MEASURE_MISSING_TASK).args["after"]
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs")
    tasks.measure_missing_photos(after=after)

    assert after == str(ids[-1])
    assert not ProcrastinateJob.objects.filter(task_name=jobs.MEASURE_MISSING_TASK).exists()
    assert PhotoMeasures.objects.filter(image=here.image).exists()
    assert PhotoMeasures.objects.count() == len(ids) - 1


@pytest.mark.django_db
def test_filters_products(tenant, product):
    unjudged = make_product(tenant=tenant)

    def find(flag):
        return list(catalogue.filter_products(tenant=tenant, flag=flag))

    assert find("faults") == find("gaps") == find("small") == [product]
    assert find("dark") == []
    assert unjudged not in find("faults")


@pytest.mark.django_db
def test_the_pages_say_it(page, product):
    measure(product)

    own = page.get(f"/catalogue/{product.id}/").content.decode()
    listed = page.get("/catalogue/?flag=faults").content.decode()

    assert "Use the camera&#x27;s own file" in own
    assert "Lying or hanging · plain background · 1 garment · 60 × 80" in own
    assert "Too few pixels" in listed
    assert product.name in listed


@pytest.mark.django_db
def test_the_api_says_it(tenant, product):
    client = Client(headers={"Authorization": f"Bearer {make_key(tenant=tenant).token}"})
    path = f"/api/v1/products/{product.id}/audit"
    before = client.get(path).json()
    measure(product)

    after = client.get(f"{path}?language=tr").json()

    assert (before["complete"], after["complete"]) == (False, True)
    assert before["photos"][0]["ground"] is None
    assert after["photos"][0]["ground"] == "plain"
    small = next(each for each in after["advice"] if each["code"] == "small")
    assert small["photos"] == [1]
    assert "Fotoğraf" in small["text"]
    found = client.get("/api/v1/products/?advice=small").json()
    assert [each["id"] for each in found["results"]] == [str(product.id)]
    assert client.get("/api/v1/products/?advice=dark").json()["results"] == []
    assert client.get("/api/v1/products/?advice=magic").status_code == 422


@pytest.mark.django_db
def test_another_shops_audit_is_a_missing_one(product):
    client = Client(headers={"Authorization": f"Bearer {make_key(tenant=make_tenant()).token}"})

    assert client.get(f"/api/v1/products/{product.id}/audit").status_code == 404


@pytest.mark.django_db
def test_other_garments_in_a_photo_are_told(tenant):
    product = make_product(tenant=tenant)
    for category, object_type in (("t-shirt", "upper-body"),) * 2 + (("jeans", "lower-body"),):
        garment = make_garment(category=category, object_type=object_type)
        add_annotated_photo(product, make_result(garment))
    product.refresh_from_db()

    told = audits.audit_product(product)

    assert next(a.photos for a in told.advice if a.code == "other-garment") == (3,)
