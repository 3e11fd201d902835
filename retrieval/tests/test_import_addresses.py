"""Photos that an import fetches from their addresses."""

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from annotations.models import Annotation
from annotations.tests.factories import make_photo_bytes
from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed
from retrieval.models import (
    ProductImage,
)
from retrieval.services import fetching
from retrieval.tests.factories import (
    import_file,
)


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
