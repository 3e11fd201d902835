"""Minimal products for tests."""

import zipfile
from dataclasses import replace
from io import BytesIO
from itertools import count
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.models import Tenant
from annotations import photos as annotation_photos
from annotations.tests.factories import make_done_annotation, make_photo_bytes, make_result
from inference.contract import AnnotationResult, ModelName
from retrieval.models import CatalogueImport, IndexVersion, NearDuplicate, Product, ProductImage
from retrieval.services import building, imports, photos, products

DEMO_PHOTOS = Path(__file__).resolve().parents[2] / "annotations" / "demo_photos"
_numbers = count(1)
NEWER = ModelName("kalas-mini", "2", "kalas-1")


def make_product(*, tenant: Tenant, external_id: str = "", **values) -> Product:
    return products.create_product(
        tenant=tenant,
        external_id=external_id or f"SKU-{next(_numbers)}",
        values={"title": "Striped shirt", **values},
        now=timezone.now(),
    )


def add_annotated_photo(
    product: Product, result: AnnotationResult | None = None, **fields
) -> ProductImage:
    annotation = make_done_annotation(tenant=product.tenant, result=result, **fields)
    photo = photos.link_image(
        tenant=product.tenant,
        product_id=product.id,
        image_id=annotation.image_id,
        now=timezone.now(),
    )
    assert photo is not None
    return photo


def add_waiting_photo(product: Product, data: bytes = b"", **fields) -> ProductImage:
    photo = photos.add_photo(
        tenant=product.tenant,
        product_id=product.id,
        photo=annotation_photos.check_photo(data or make_photo_bytes()),
        name="shirt.jpg",
        added_by=None,
        now=timezone.now(),
        **fields,
    )
    assert photo is not None
    return photo


def make_pair(*, tenant: Tenant) -> NearDuplicate:
    """Two products without photos that were found to be nearly the same."""
    first, second = sorted(
        (make_product(tenant=tenant), make_product(tenant=tenant)), key=lambda p: p.id
    )
    return NearDuplicate.objects.create(tenant=tenant, product=first, other=second, distance=3)


def make_index(*, tenant: Tenant, version: str = "9") -> IndexVersion:
    """Of another model than the engine's, ready and without vectors."""
    return IndexVersion.objects.create(
        tenant=tenant, model_name="kalas-mini", model_version=version, state="ready"
    )


def begin(tenant: Tenant) -> IndexVersion:
    return building.begin_build(tenant=tenant, now=timezone.now())


def build(index: IndexVersion) -> IndexVersion:
    while building.build_part(index_id=index.id, now=timezone.now()):
        pass
    index.refresh_from_db()
    return index


def answer_as(engine, model: ModelName = NEWER, **fields) -> None:
    engine.answer = (200, replace(make_result(**fields), model=model).to_json(), {})


def make_import(
    *, tenant: Tenant, data: bytes | str = "id,title\n1,Shirt\n", name: str = "products.csv"
) -> CatalogueImport:
    """An uploaded file that waits for its columns, or a ZIP of photos that is being checked."""
    content = data.encode() if isinstance(data, str) else data
    return imports.begin_import(
        tenant=tenant,
        upload=SimpleUploadedFile(name, content),
        requested_by=None,
        now=timezone.now(),
    )


def many_rows(number: int) -> str:
    return "id,title\n" + "".join(f"SKU-{i},Shirt {i}\n" for i in range(number))


def make_zip(members: dict[str, bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def work(run: CatalogueImport) -> CatalogueImport:
    """Do what its jobs do, to the end."""
    run.refresh_from_db()
    while run.is_working:
        imports.run_import(import_id=run.id, clock=timezone.now)
        run.refresh_from_db()
    return run


def check(run: CatalogueImport, *, currency: str = "") -> CatalogueImport:
    """With the columns as they were guessed."""
    imports.check_import(
        tenant=run.tenant, import_id=run.id, mapping=run.mapping, currency=currency
    )
    return work(run)


def import_file(
    *, tenant: Tenant, data: bytes | str, name: str = "products.csv", currency: str = ""
) -> CatalogueImport:
    """Upload, check and import a file."""
    run = make_import(tenant=tenant, data=data, name=name)
    run = check(run, currency=currency) if run.columns else work(run)
    imports.start_import(tenant=tenant, import_id=run.id)
    return work(run)
