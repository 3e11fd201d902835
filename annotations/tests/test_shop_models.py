"""A family of models for a shop: chosen by its owner, asked for its photos alone."""

import pytest
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import Role
from accounts.tests.factories import make_key, make_member, make_tenant
from annotations import engine, jobs, shop_models, tasks
from annotations.models import Annotation
from annotations.tests.factories import make_annotation, make_done_annotation
from inference.contract import EngineHealth, ModelName, OtherModel

pytestmark = pytest.mark.django_db
FAMILY = OtherModel("fine+retriever", "family", "fine", "1-abcd")


@pytest.fixture
def families(monkeypatch, fake_engine):
    own = ModelName("kalas-mini", "1", "kalas-1")
    health = EngineHealth("ready", "cpu", own, 0, 1, 0, 1.0, "", (FAMILY,))
    monkeypatch.setattr(engine, "_read_health", lambda: health)
    return fake_engine


def test_only_the_shops_photos_are_asked_of_its_family(families, tenant):
    shop_models.choose_family(tenant=tenant, choice=FAMILY.choice)
    mine, others = make_annotation(tenant=tenant), make_annotation(tenant=make_tenant())

    tasks.run_annotation(annotation_id=mine.id)
    tasks.run_annotation(annotation_id=others.id)

    first, second = families.requests
    assert "model=fine%2Bretriever" in first
    assert "model" not in second


def test_refuses_what_the_engine_has_not(families, tenant):
    with pytest.raises(shop_models.NotOffered):
        shop_models.choose_family(tenant=tenant, choice="nothing")


def test_photos_of_before_are_asked_once(families, member, tenant):
    old, waiting = make_done_annotation(tenant=tenant), make_annotation(tenant=tenant)
    make_done_annotation(tenant=make_tenant())
    assert not shop_models.list_older(tenant=tenant).exists()
    shop_models.choose_family(tenant=tenant, choice=FAMILY.choice)
    assert [image.id for image in shop_models.list_older(tenant=tenant)] == [old.image_id]

    def ask():
        return shop_models.ask_part_again(tenant_id=tenant.id, by=member.user, now=timezone.now())

    assert (ask(), ask()) == (True, False)
    pending = Annotation.objects.pending().filter(tenant=tenant)
    assert {each.image_id for each in pending} == {old.image_id, waiting.image_id}
    lanes = ProcrastinateJob.objects.filter(task_name=jobs.SHOP_TASK)
    assert lanes.get().args == {"tenant_id": str(tenant.id)}
    new = pending.get(image=old.image)
    assert not ProcrastinateJob.objects.filter(args__annotation_id=str(new.id)).exists()


def test_the_owner_chooses_on_the_page(families, page, tenant):
    make_done_annotation(tenant=tenant)

    answer = page.post("/shops/model/", {"family": FAMILY.choice}, follow=True)

    tenant.refresh_from_db()
    assert tenant.model_family == FAMILY.choice
    shown = answer.content.decode()
    assert "1 photo was annotated by another model" in shown
    assert page.post("/shops/model/again/").status_code == 302
    assert page.post("/shops/model/", {"family": "nothing"}).status_code == 422


def test_others_do_not_choose(families, client, tenant):
    client.force_login(make_member(tenant=tenant, role=Role.MANAGER).user)

    assert client.post("/shops/model/", {"family": ""}).status_code == 403


def test_the_api_chooses(families, tenant):
    client = Client(headers={"Authorization": f"Bearer {make_key(tenant=tenant).token}"})
    body = {"family": FAMILY.choice}

    refused = client.patch("/api/v1/model/", {"family": "x"}, content_type="application/json")
    answer = client.patch("/api/v1/model/", body, content_type="application/json")

    assert refused.status_code == 422
    assert answer.json() == {
        "family": FAMILY.choice,
        "model": {"name": "fine", "version": "1-abcd"},
        "families": [{"family": FAMILY.choice, "name": "fine", "version": "1-abcd"}],
        "older": 0,
    }
