"""Shops of other families, asked of a real engine with small networks of MMFashion's shapes."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.tests.factories import make_key, make_member, make_tenant
from annotations import shop_models
from annotations.models import Annotation
from annotations.tests.conftest import media  # noqa: F401 - a fixture
from annotations.tests.factories import make_result
from inference.mmfashion import names
from inference.tests.engines import run_engine
from inference.tests.photos import encode, paint
from inference.tests.test_mmfashion_family import GLOBAL, RETRIEVER, shrink, store_model
from retrieval.models import ActiveIndex
from retrieval.services import building
from retrieval.tests.factories import add_annotated_photo, make_product

pytestmark = pytest.mark.django_db
JOINED = "fine+retriever"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("family")
    for name, config in (("fine", GLOBAL), ("retriever", RETRIEVER)):
        store_model(folder / "models", name, shrink(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELS", str(folder / "models"))
        patch.setenv("INFERENCE_FAMILIES", JOINED)
        with run_engine(folder / "engine.sock", "--workers", "1") as running:
            running.wait_until("ready")
            yield running


@pytest.fixture
def asked(engine, settings, media):  # noqa: F811
    settings.INFERENCE_URL = engine.url
    return engine


def make_shop(family):
    tenant = make_tenant()
    shop_models.choose_family(tenant=tenant, choice=family)
    return tenant


def post(tenant, path, number=0):
    client = Client(headers={"Authorization": f"Bearer {make_key(tenant=tenant).token}"})
    upload = SimpleUploadedFile("shirt.png", encode(paint(size=(160, 120), noise=number), "PNG"))
    return client.post(path, {"image": upload})


def test_the_old_addresses_answer_by_the_shops_family(asked):
    theirs = post(make_shop(JOINED), "/api/compat/annotate")
    kalas = post(make_shop(""), "/api/compat/annotate")

    assert (theirs.status_code, kalas.status_code) == (200, 200), theirs.content
    said = theirs.json()
    assert said["categories"].keys() == set(names.CATEGORIES)
    assert said["attributes"].keys() == set(names.FINE_ATTRIBUTES)
    assert sum(said["category_probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert said["calibrated"] is False
    assert "category_probabilities" not in kalas.json()


def test_a_shops_index_is_of_its_familys_retriever(asked):
    tenant, other = make_shop(JOINED), make_shop("")
    photo = add_annotated_photo(make_product(tenant=tenant), make_result())
    add_annotated_photo(make_product(tenant=other), make_result())

    index = building.begin_build(tenant=tenant, now=timezone.now())
    while building.build_part(index_id=index.id, now=timezone.now()):
        pass

    index.refresh_from_db()
    model = next(o for o in asked.client.health().others if o.choice == JOINED)
    assert (index.state, index.model_name, index.model_version) == (
        "ready",
        model.name,
        model.version,
    )
    assert len(index.embeddings.get().vector) == 256
    ActiveIndex.objects.filter(tenant=tenant).update(index=index)
    answer = post(tenant, "/api/compat/retrieve")
    assert answer.status_code == 200, answer.content
    [path] = answer.json()["paths"]
    assert str(photo.image_id) in path


def test_search_by_photo_says_what_a_family_without_a_retriever_lacks(asked, client):
    tenant = make_shop("fine")
    client.force_login(make_member(tenant=tenant).user)
    add_annotated_photo(make_product(tenant=tenant), make_result())
    upload = SimpleUploadedFile("shirt.png", encode(paint(size=(160, 120)), "PNG"))

    shown = client.post("/search/photo/", {"photo": upload}).content.decode()

    assert "The model fine names garments but cannot compare them" in shown
    assert not Annotation.objects.for_tenant(tenant).filter(model_name="fine").exists()
