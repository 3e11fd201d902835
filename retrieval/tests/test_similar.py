import pytest
from django.urls import reverse

from accounts.tests.factories import make_member, make_tenant
from annotations.models import Annotation, Garment
from annotations.tests.factories import make_done_annotation, make_result
from retrieval import selectors


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        },
    }


@pytest.fixture
def tenant(db):
    return make_tenant()


def make_garment(tenant, embedding, **fields) -> Garment:
    annotation = make_done_annotation(
        tenant=tenant, result=make_result(embedding=embedding), **fields
    )
    return annotation.garments.select_related("annotation").get()


def find(garment: Garment, limit: int = 10) -> list[Garment]:
    tenant = garment.annotation.tenant
    found = selectors.nearest_garments(tenant=tenant, garment=garment, limit=limit)
    return [each.garment for each in found]


def test_finds_the_most_similar_first(tenant):
    query = make_garment(tenant, (1.0, 0.0))
    far = make_garment(tenant, (0.6, 0.8))
    near = make_garment(tenant, (0.8, 0.6))

    found = selectors.nearest_garments(tenant=tenant, garment=query, limit=10)

    assert [each.garment for each in found] == [near, far]
    assert [round(each.similarity, 3) for each in found] == [0.8, 0.6]


def test_leaves_out_what_is_not_similar(tenant):
    query = make_garment(tenant, (1.0, 0.0))
    make_garment(tenant, (0.4, 0.917))

    assert find(query) == []


def test_finds_as_many_as_wanted(tenant):
    query = make_garment(tenant, (1.0, 0.0))
    for _ in range(3):
        make_garment(tenant, (0.8, 0.6))

    assert len(find(query, limit=2)) == 2


def test_finds_nothing_of_another_shop(tenant):
    query = make_garment(tenant, (1.0, 0.0))
    make_garment(make_tenant(), (1.0, 0.0))

    assert find(query) == []


def test_does_not_compare_different_models(tenant):
    query = make_garment(tenant, (1.0, 0.0))
    newer = make_garment(tenant, (1.0, 0.0, 0.0))
    Annotation.objects.filter(id=newer.annotation_id).update(model_version="2")

    assert find(query) == []


def test_finds_nothing_for_a_garment_without_embedding(tenant):
    make_garment(tenant, (1.0, 0.0))

    assert find(make_garment(tenant, ())) == []


def test_the_page_shows_photos_of_the_own_shop(client, db):
    member = make_member()
    query = make_garment(member.tenant, (1.0, 0.0))
    near = make_garment(member.tenant, (0.8, 0.6))
    client.force_login(member.user)

    html = client.get(reverse("similar", args=[query.annotation_id])).content.decode()

    assert reverse("annotation", args=[near.annotation_id]) in html
    assert "80 % similar" in html
