"""Photos in S3: a real S3 API on loopback."""

from datetime import timedelta

import boto3
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from moto.server import ThreadedMotoServer

from annotations import files, tasks
from annotations.models import Annotation, FashionImage
from annotations.tests.factories import list_names, make_annotation, make_photo_bytes

SCRIPT = {"X-Requested-With": "XMLHttpRequest"}


@pytest.fixture(scope="module")
def server():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server, settings, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    s3 = boto3.resource("s3", endpoint_url=server, region_name="us-east-1")
    bucket = s3.create_bucket(Bucket="photos")
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "kalas.storage.MediaS3Storage",
            "OPTIONS": {
                "bucket_name": "photos",
                "endpoint_url": server,
                "region_name": "us-east-1",
            },
        },
    }
    yield bucket
    bucket.objects.all().delete()
    s3.meta.client.close()


def list_keys(bucket) -> list[str]:
    return sorted(each.key for each in bucket.objects.all())


def test_a_photo_goes_through_the_house(page, bucket, fake_engine):
    file = SimpleUploadedFile("shirt.png", make_photo_bytes())

    response = page.post("/annotate/upload/", {"photo": file}, headers=SCRIPT)

    annotation = Annotation.objects.select_related("image").get()
    image = annotation.image
    assert response.status_code == 201
    assert list_keys(bucket) == list_names(image)
    tasks.annotate(annotation_id=str(annotation.id))
    annotation.refresh_from_db()
    assert annotation.state == "done"
    sent = page.get(reverse("photo", args=[image.id]))
    assert sent.content == bucket.Object(str(image.file.name)).get()["Body"].read()
    assert sent["Content-Type"] == "image/png"


def test_a_photo_that_is_gone_is_missing(page, tenant, bucket, fake_engine):
    annotation = make_annotation(tenant=tenant)
    bucket.objects.all().delete()

    response = page.get(reverse("photo", args=[annotation.image_id]))
    tasks.annotate(annotation_id=str(annotation.id))

    assert response.status_code == 404
    annotation.refresh_from_db()
    assert annotation.state == "failed"


def test_deletes_and_sweeps(page, tenant, bucket, django_capture_on_commit_callbacks):
    deleted = make_annotation(tenant=tenant).image
    orphan = make_annotation(tenant=tenant).image
    FashionImage.objects.filter(id=orphan.id).delete()

    with django_capture_on_commit_callbacks(execute=True):
        page.post(reverse("delete_image", args=[deleted.id]))
    assert len(list_keys(bucket)) == 2
    files.sweep_orphans(now=timezone.now() + timedelta(hours=2))

    assert list_keys(bucket) == []
