import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import make_member, make_tenant
from annotations.models import Annotation, FashionImage
from annotations.tests.factories import make_annotation, make_done_annotation, make_photo_bytes
from annotations.tests.test_photos import REFUSED

UPLOAD = "/annotate/upload/"
SCRIPT = {"X-Requested-With": "XMLHttpRequest"}


def make_file(data: bytes = b"", name: str = "shirt.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data or make_photo_bytes())


@pytest.fixture
def upload(page):
    return lambda file: page.post(UPLOAD, {"photo": file}, headers=SCRIPT)


def test_answers_a_photo_with_its_card(upload, tenant):
    response = upload(make_file(name="linen shirt.png"))

    annotation = Annotation.objects.get()
    assert response.status_code == 201
    assert annotation.tenant == tenant
    assert annotation.image.name == "linen shirt.png"
    html = response.content.decode()
    assert f'data-live="{annotation.id}" data-pending' in html
    assert reverse("annotation_card", args=[annotation.id]) in html
    assert "Next in line" in html


@pytest.mark.parametrize("name", REFUSED)
def test_stores_nothing_of_a_refused_file(upload, stored_files, name):
    data, code = REFUSED[name]

    response = upload(SimpleUploadedFile("photo.jpg", data, "image/jpeg"))

    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == code
    assert response.json()["detail"]
    assert stored_files() == []
    assert not FashionImage.objects.exists()


def test_refuses_a_file_that_is_too_large(upload, stored_files, settings):
    settings.UPLOAD_MAX_BYTES = 2 * 1024 * 1024

    response = upload(make_file(bytes(2 * 1024 * 1024 + 1)))

    assert response.json()["code"] == "too-large"
    assert "2 MB" in response.json()["detail"]
    assert stored_files() == []


def test_refuses_a_request_without_a_file(page):
    response = page.post(UPLOAD, headers=SCRIPT)

    assert response.json()["code"] == "no-file"


def test_tells_the_refusal_in_the_users_language(page, member):
    member.user.language = "tr"
    member.user.save(update_fields=["language"])

    response = page.post(UPLOAD, {"photo": make_file(b"text")}, headers=SCRIPT)

    assert response.headers["Content-Language"] == "tr"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("<script>alert(1)</script>.png", "script&gt;.png"),
        ("evil\u202egnp.png", "evilgnp.png"),
    ],
)
def test_shows_a_hostile_name_harmlessly(upload, name, shown, tenant, stored_files):
    response = upload(make_file(name=name))

    html = response.content.decode()
    assert shown in html
    assert "<script>alert" not in html
    assert all(file.startswith(f"{tenant.id}/") for file in stored_files())


def test_says_that_a_photo_is_here_already(upload, tenant):
    data = make_photo_bytes()
    known = make_annotation(tenant=tenant, data=data)

    response = upload(make_file(data, "copy.png"))

    assert response.status_code == 201
    assert "Already here" in response.content.decode()
    assert f'data-live="{known.id}"' in response.content.decode()
    assert FashionImage.objects.count() == 1


def test_stores_all_files_of_the_plain_form(page):
    files = [make_file(name="a.png"), make_file(b"text", "b.txt"), make_file(name="c.png")]

    response = page.post(UPLOAD, {"photo": files})

    assert response.url == reverse("annotate")
    texts = [str(message) for message in get_messages(response.wsgi_request)]
    assert texts[0].startswith("b.txt: ")
    assert texts[1] == "2 photos were uploaded."
    assert FashionImage.objects.count() == 2


def test_the_plain_form_needs_a_file(page):
    response = page.post(UPLOAD)

    assert response.url == reverse("annotate")
    assert len(list(get_messages(response.wsgi_request))) == 1


def test_does_not_upload_into_a_shop_that_another_tab_switched_to(page, member):
    address = page.get(reverse("annotate")).context["upload_url"]
    other = make_member(user=member.user)
    page.post(reverse("switch_shop"), {"tenant": other.tenant.id})

    response = page.post(address, {"photo": make_file()}, headers=SCRIPT)

    assert (response.status_code, response.json()["code"]) == (409, "other-shop")
    assert not FashionImage.objects.exists()


def test_needs_the_csrf_token(member):
    client = Client(enforce_csrf_checks=True)
    client.force_login(member.user)

    response = client.post(UPLOAD, {"photo": make_file()}, headers=SCRIPT)

    assert response.status_code == 403
    assert not FashionImage.objects.exists()


def test_the_page_shows_the_newest_of_the_own_shop(page, tenant):
    mine = make_done_annotation(tenant=tenant)
    theirs = make_done_annotation(tenant=make_tenant())

    html = page.get("/annotate/").content.decode()

    assert str(mine.id) in html
    assert str(theirs.id) not in html


def test_an_empty_page_says_what_happens_next(page):
    html = page.get("/annotate/").content.decode()

    assert "No photos yet" in html


def test_the_page_makes_the_same_queries_for_one_and_for_many(
    page, tenant, django_assert_max_num_queries
):
    for _ in range(8):
        make_done_annotation(tenant=tenant)
        make_annotation(tenant=tenant)

    with django_assert_max_num_queries(10):
        page.get("/annotate/")
