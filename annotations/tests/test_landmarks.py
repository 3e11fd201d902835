"""Landmarks of a photo's garments, on a page and by the API."""

import pytest
from django.test import Client

from accounts.tests.factories import make_key, make_tenant
from annotations import engine
from annotations.tests.factories import make_done_annotation
from inference.contract import AnnotationResult, ModelName, OtherModel

pytestmark = pytest.mark.django_db
MODEL = OtherModel("landmarks", "landmarks", "landmarks", "1")


@pytest.fixture
def detector(monkeypatch, fake_engine):
    monkeypatch.setattr(engine, "find_others", lambda kind: [MODEL] * (kind == MODEL.kind))
    said = {
        "x": {"left collar": 20.5, "right hem": 40.0},
        "y": {"left collar": 12.0, "right hem": 66.0},
        "visible": {"left collar": 0.9, "right hem": 0.2},
    }
    result = AnnotationResult(60, 80, ModelName("landmarks", "1", "none"), original=said)
    fake_engine.answer = (200, result.to_json(), {})
    return fake_engine


@pytest.fixture
def annotation(tenant):
    return make_done_annotation(tenant=tenant)


def ask(tenant, annotation):
    client = Client(headers={"Authorization": f"Bearer {make_key(tenant=tenant).token}"})
    return client.get(f"/api/v1/annotations/{annotation.id}/landmarks")


def test_the_api_tells_each_garments_points(detector, tenant, annotation):
    answer = ask(tenant, annotation)

    assert answer.status_code == 200, answer.content
    [garment] = answer.json()["garments"]
    assert garment["garment"] == str(annotation.garments.get().id)
    assert garment["landmarks"][0] == {"name": "left collar", "x": 20.5, "y": 12.0, "visible": 0.9}
    assert "crop=10%2C10%2C50%2C70" in detector.requests[-1]
    assert "model=landmarks" in detector.requests[-1]


def test_the_page_draws_those_that_are_seen(detector, annotation, page):
    shown = page.get(f"/annotations/{annotation.id}/landmarks/").content.decode()

    assert 'cx="40.0"' not in shown
    assert 'cx="20.5" cy="12.0"' in shown
    assert ">1</text>" in shown
    assert ">2</text>" not in shown
    assert "1. left collar" in shown
    assert "2. right hem" in shown
    assert "not to be seen" in shown


def test_the_page_says_what_is_needed(annotation, page):
    shown = page.get(f"/annotations/{annotation.id}/landmarks/").content.decode()

    assert "manage.py import_weights" in shown


def test_the_page_says_that_the_engine_is_busy(detector, annotation, page):
    detector.answer = (503, {}, {"Retry-After": "3"})

    shown = page.get(f"/annotations/{annotation.id}/landmarks/").content.decode()

    assert "The engine does not answer" in shown


def test_the_page_says_that_the_garments_are_too_small(detector, annotation, page):
    small = AnnotationResult(60, 80, ModelName("landmarks", "1", "none"), abstained="too-small")
    detector.answer = (200, small.to_json(), {})

    shown = page.get(f"/annotations/{annotation.id}/landmarks/").content.decode()

    assert "too small for it" in shown
    assert "No garment was found" not in shown


def test_the_api_without_a_detector(tenant, annotation):
    answer = ask(tenant, annotation)

    assert answer.status_code == 503
    assert "import_weights" in answer.json()["detail"]


def test_another_shops_annotation_is_a_missing_one(detector, annotation):
    assert ask(make_tenant(), annotation).status_code == 404
