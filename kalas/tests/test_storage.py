import boto3
import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from moto.server import ThreadedMotoServer

from kalas import backup
from kalas.storage import MediaS3Storage


@pytest.fixture(scope="module")
def address():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(address, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    s3 = boto3.resource("s3", endpoint_url=address, region_name="us-east-1")
    bucket = s3.Bucket("photos")
    bucket.create()
    yield bucket
    bucket.objects.delete()
    bucket.delete()


@pytest.fixture
def storage(bucket, address):
    return MediaS3Storage(bucket_name="photos", endpoint_url=address, region_name="us-east-1")


def read(storage, name):
    with storage.open(name) as file:
        return file.read()


def test_keeps_photos(storage):
    name = storage.save("shop/one.jpg", ContentFile(b"photo" * 1000))

    assert name == "shop/one.jpg"
    assert storage.size(name) == 5000
    assert read(storage, name) == b"photo" * 1000
    assert list(backup.walk(storage)) == ["shop/one.jpg"]

    storage.delete(name)
    assert not storage.exists(name)
    with pytest.raises(FileNotFoundError):
        storage.open(name)


def test_never_overwrites(storage):
    storage.save("shop/one.jpg", ContentFile(b"first"))

    other = storage.save("shop/one.jpg", ContentFile(b"second"))

    assert other != "shop/one.jpg"
    assert read(storage, "shop/one.jpg") == b"first"


def test_sends_no_checksum_that_other_services_refuse(storage):
    seen = []
    storage.connection.meta.client.meta.events.register(
        "before-send.s3", lambda request, **_: seen.append(dict(request.headers))
    )

    storage.save("shop/one.jpg", ContentFile(b"photo"))
    read(storage, "shop/one.jpg")

    names = {name.lower() for headers in seen for name in headers}
    assert seen
    assert not [name for name in names if "checksum" in name or "trailer" in name]


def test_has_no_public_address(storage, bucket):
    storage.save("shop/one.jpg", ContentFile(b"photo"))

    with pytest.raises(NotImplementedError):
        storage.url("shop/one.jpg")
    grants = bucket.Object("shop/one.jpg").Acl().grants
    assert all("AllUsers" not in grant["Grantee"].get("URI", "") for grant in grants)


def test_names_cannot_leave_the_bucket(storage):
    with pytest.raises(SuspiciousFileOperation):
        storage.save("../../other/one.jpg", ContentFile(b"photo"))
