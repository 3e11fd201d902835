from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from accounts.models import Tenant
from annotations.models import Annotation, Colour, Garment, Label
from annotations.tests.factories import make_annotation, make_done_annotation
from kalas.lib.row_inserts import insert_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return Tenant.objects.create(name="Shop")


def build_garment(annotation: Annotation, **fields) -> Garment:
    values = {
        "object_type": "upper-body",
        "confidence": 0.1 + 0.2,
        "left": 1,
        "top": 2,
        "right": 3,
        "bottom": 4,
        "category": 'şapka "x" \\ \n',
        "category_confidence": 1.0,
        "alternatives": [{"name": "top", "confidence": 0.25}],
    }
    return Garment(annotation=annotation, **(values | fields))


def test_stores_what_djangos_own_way_stores(tenant):
    annotation = make_annotation(tenant=tenant)
    fields = {"embedding": [0.1, -1e-9, 3.0], "model_said": {"name": None}}
    garments = [build_garment(annotation, **fields) for _ in range(2)]

    insert_rows(garments[:1])
    Garment.objects.bulk_create(garments[1:])

    quick, usual = (
        dict[str, Any](Garment.objects.values().get(id=garment.id)) for garment in garments
    )
    assert [*quick.pop("embedding")] == [*usual.pop("embedding")]
    assert quick | {"id": None} == usual | {"id": None}
    assert not garments[0]._state.adding


def test_stores_times_and_what_is_not_there(tenant):
    image = make_annotation(tenant=tenant).image
    now = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    row = Annotation(tenant=tenant, image=image, created_at=now)

    insert_rows([row])

    kept = Annotation.objects.get(id=row.id)
    assert (kept.created_at, kept.crop, kept.finished_at, kept.timings_ms) == (now, None, None, {})
    assert Annotation.objects.filter(id=row.id, crop__isnull=True).exists()


def test_stores_numbers_of_numpy_as_numbers(tenant):
    vector = np.array([0.1, -1e-9, 3.0], dtype=np.float32)
    garment = build_garment(make_annotation(tenant=tenant), embedding=[*vector], left=np.int64(2))

    insert_rows([garment])

    kept = Garment.objects.get(id=garment.id)
    assert ([*kept.embedding], kept.left) == ([*vector], 2)


def test_refuses_what_it_cannot_word(tenant):
    garment = build_garment(make_annotation(tenant=tenant), alternatives=b"bytes")

    with pytest.raises(TypeError, match="bytes"):
        insert_rows([garment])


def test_sets_the_ids_that_the_database_gives_in_order(tenant):
    garment = make_done_annotation(tenant=tenant).garments.get()
    labels = [Label(garment=garment, key="fit", name=f"{n}", confidence=0.5) for n in range(20)]

    insert_rows(labels)

    kept = dict(Label.objects.filter(key="fit").values_list("id", "name"))
    assert kept == {label.pk: label.name for label in labels}


def test_the_databases_constraints_hold(tenant):
    garment = make_done_annotation(tenant=tenant).garments.get()
    colour = Colour(garment=garment, position=9, name="red", hex="#nonsen", share=0.5)

    with pytest.raises(IntegrityError, match="colour_hex"), transaction.atomic():
        insert_rows([colour])


def test_does_nothing_for_no_rows(django_assert_num_queries):
    with django_assert_num_queries(0):
        insert_rows([])
