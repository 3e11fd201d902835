import errno
import uuid
from io import BytesIO

import pytest
from django.core.files.storage import FileSystemStorage, default_storage
from PIL import Image

from accounts.tests.factories import make_member, make_user
from annotations.tests.factories import encode, hide_tokens, make_image

KINDS = ["photo", "thumbnail"]


@pytest.mark.parametrize(("kind", "type"), [("photo", "image/png"), ("thumbnail", "image/jpeg")])
def test_sends_a_photo_to_its_shop(page, tenant, kind, type):
    image = make_image(tenant=tenant, name='şapka "x".png')

    response = page.get(f"/media/{image.id}/{kind}")

    assert response.status_code == 200
    assert response["Content-Type"] == type
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, max-age=3600"
    assert response["Content-Disposition"].startswith("inline; filename")
    file = image.file if kind == "photo" else image.thumbnail
    with file.open() as stored:
        assert response.content == stored.read()


def test_sends_a_jpeg_as_jpeg(page, tenant):
    image = make_image(tenant=tenant, data=encode(Image.new("RGB", (50, 50))))

    assert page.get(f"/media/{image.id}/photo")["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize("kind", KINDS)
def test_does_not_send_again_what_the_browser_has(page, tenant, kind):
    image = make_image(tenant=tenant)
    etag = page.get(f"/media/{image.id}/{kind}")["ETag"]

    response = page.get(f"/media/{image.id}/{kind}", headers={"If-None-Match": etag})

    assert (response.status_code, response.content) == (304, b"")
    assert response["Cache-Control"] == "private, max-age=3600"


def test_a_thumbnail_is_made_when_somebody_looks(page, tenant):
    image = make_image(
        tenant=tenant, data=encode(Image.effect_noise((2000, 1000), 80).convert("RGB"))
    )
    with image.thumbnail.open() as stored:
        before = Image.open(BytesIO(stored.read()))
    default_storage.delete(str(image.thumbnail))

    first = page.get(f"/media/{image.id}/thumbnail")
    with image.thumbnail.open() as stored:
        kept = stored.read()
    again = page.get(f"/media/{image.id}/thumbnail")

    assert (first.status_code, again.content, kept) == (200, first.content, first.content)
    assert Image.open(BytesIO(kept)).size == before.size == (400, 200)


def test_a_thumbnail_is_shown_where_it_cannot_be_kept(page, tenant, monkeypatch):
    image = make_image(tenant=tenant)
    default_storage.delete(str(image.thumbnail))
    monkeypatch.setattr(FileSystemStorage, "save", raise_no_space)

    assert page.get(f"/media/{image.id}/thumbnail").status_code == 200


def raise_no_space(*args):
    raise OSError(errno.ENOSPC, "The disk is full")


def test_a_thumbnail_without_its_photo_is_missing(page, tenant):
    image = make_image(tenant=tenant)
    default_storage.delete(str(image.thumbnail))
    default_storage.delete(str(image.file))

    assert page.get(f"/media/{image.id}/thumbnail").status_code == 404


def test_photo_and_thumbnail_have_different_etags(page, tenant):
    image = make_image(tenant=tenant)

    etags = {page.get(f"/media/{image.id}/{kind}")["ETag"] for kind in KINDS}

    assert len(etags) == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stranger", ["anonymous", "another shop", "no shop"])
def test_is_missing_for_strangers(client, tenant, kind, stranger):
    image = make_image(tenant=tenant)
    if stranger == "another shop":
        client.force_login(make_member().user)
    if stranger == "no shop":
        client.force_login(make_user())

    foreign = client.get(f"/media/{image.id}/{kind}")
    missing = client.get(f"/media/{uuid.uuid4()}/{kind}")

    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert hide_tokens(foreign) == hide_tokens(missing)


def test_a_removed_member_gets_nothing(page, member):
    image = make_image(tenant=member.tenant)
    member.delete()

    assert page.get(f"/media/{image.id}/photo").status_code == 404


def test_a_member_of_two_shops_sees_the_photos_of_both(page, member):
    other = make_member(user=member.user)
    image = make_image(tenant=other.tenant)

    assert page.get(f"/media/{image.id}/photo").status_code == 200


def test_operators_see_every_photo(client, tenant):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    image = make_image(tenant=tenant)

    assert client.get(f"/media/{image.id}/photo").status_code == 200


def test_is_missing_where_the_file_is_gone(page, tenant):
    image = make_image(tenant=tenant)
    image.file.storage.delete(str(image.file.name))

    assert page.get(f"/media/{image.id}/photo").status_code == 404


def test_only_reads(page, tenant):
    image = make_image(tenant=tenant)

    assert page.post(f"/media/{image.id}/photo").status_code == 405


def test_a_reviewer_in_the_admin_sees_only_their_shops(client, tenant):
    image = make_image(tenant=tenant)
    client.force_login(make_member(user=make_user(is_staff=True)).user)

    assert client.get(f"/media/{image.id}/photo").status_code == 404
