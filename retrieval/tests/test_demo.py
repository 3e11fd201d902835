from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from annotations import services as annotation_services
from annotations.models import Annotation, DemoShop, FashionImage
from annotations.tests.factories import make_annotation, make_photo_bytes
from retrieval import demo
from retrieval.models import Product
from retrieval.services import photos
from retrieval.tests.factories import make_product

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tenant):
    now = timezone.now()
    return DemoShop.objects.create(tenant=tenant, loaded_at=now)


def write_file(path: Path, **columns: list[object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def load(path: Path, *options: str) -> str:
    out = StringIO()
    call_command("load_demo_catalogue", "--from", str(path), *options, stdout=out)
    return out.getvalue()


def test_thousands_come_from_a_file(shop, tmp_path):
    photos = [make_photo_bytes() for _ in range(3)]
    path = write_file(
        tmp_path / "fpi.parquet",
        id=[1, 2, 3, 4],
        image=[*photos, b"no photo"],
        display_name=["Red shirt", "Blue shirt", None, "Broken"],
    )

    assert "2 new products" in load(path, "--limit", "2")
    assert "1 new products; 1 photos were refused" in load(path)

    products = Product.objects.for_tenant(shop.tenant).order_by("external_id")
    assert [each.external_id for each in products] == ["fpi-1", "fpi-2", "fpi-3"]
    assert [each.title for each in products] == ["Red shirt", "Blue shirt", ""]
    assert Annotation.objects.pending().count() == 3


def test_a_product_comes_with_its_photo_or_not_at_all(shop, tmp_path, monkeypatch):
    path = write_file(tmp_path / "fpi.parquet", id=[1], image=[make_photo_bytes()])
    with monkeypatch.context() as patch:
        patch.setattr(photos, "add_photo", fail)
        with pytest.raises(CommandError):
            load(path)

    assert "1 new products" in load(path)
    assert Product.objects.get().photos.count() == 1


def fail(**_values: object) -> None:
    raise OSError("The disk is full")


def test_a_file_that_is_none(shop, tmp_path):
    (tmp_path / "words.parquet").write_text("words")

    for path in (tmp_path / "words.parquet", tmp_path / "gone.parquet"):
        with pytest.raises(CommandError):
            load(path)
    with pytest.raises(CommandError, match="id and image"):
        load(write_file(tmp_path / "other.parquet", name=["x"]))


def test_the_demo_photos_become_products_once(shop):
    for name in ("clothing-t-shirt-1.jpg", "clothing-t-shirt-2.jpg", "outfit-0035.jpg"):
        make_annotation(tenant=shop.tenant, name=name, source=FashionImage.Source.DEMO)
    make_annotation(tenant=shop.tenant, name="own.jpg")

    assert demo.add_demo_products(now=timezone.now()) == 3
    assert demo.add_demo_products(now=timezone.now()) == 0

    titles = Product.objects.order_by("title").values_list("title", flat=True)
    assert list(titles) == ["Outfit 1", "T shirt 1", "T shirt 2"]
    assert all(product.photos.count() == 1 for product in Product.objects.all())


def test_they_go_with_the_demo_photos(shop):
    make_annotation(tenant=shop.tenant, source=FashionImage.Source.DEMO)
    own = make_annotation(tenant=shop.tenant)
    demo.add_demo_products(now=timezone.now())
    product = make_product(tenant=shop.tenant, external_id="OWN-1")
    photos.link_image(
        tenant=shop.tenant, product_id=product.id, image_id=own.image_id, now=timezone.now()
    )

    annotation_services.remove_demo_photos(tenant=shop.tenant, now=timezone.now())

    assert list(Product.objects.all()) == [product]
    assert demo.add_demo_products(now=timezone.now()) == 0


def test_a_shop_without_demo_photos_gets_no_products(shop):
    DemoShop.objects.update(removed_at=timezone.now())
    make_annotation(tenant=shop.tenant, source=FashionImage.Source.DEMO)

    assert demo.add_demo_products(now=timezone.now()) == 0
