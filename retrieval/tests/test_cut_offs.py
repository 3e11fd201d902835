"""From where on results are taken for alike."""

import numpy as np
import pytest

from annotations.tests.factories import make_garment, make_result
from inference import client
from retrieval.models import IndexVersion
from retrieval.services import building, calibration
from retrieval.tests.test_similar import at, make_item

pytestmark = pytest.mark.django_db


def test_few_products_have_the_usual_cut_off(tenant):
    make_item(tenant, 0)
    index = IndexVersion.objects.get()

    calibration.calibrate(index=index)

    index.refresh_from_db()
    assert (index.cut_off, index.words_cut_off) == (calibration.USUAL_CUT_OFF, None)


def test_the_cut_off_is_what_few_products_of_other_categories_reach(tenant, monkeypatch):
    monkeypatch.setattr(calibration, "_LEAST_PAIRS", 40)
    random = np.random.default_rng(1)
    for number in range(20):
        middle = 0 if number % 2 else 40
        category = "t-shirt" if number % 2 else "jeans"
        make_item(
            tenant,
            0,
            result=make_result(make_garment(
                category=category, embedding=at(middle + random.uniform(-5, 5))
            )),
        )  # fmt: skip
    index = IndexVersion.objects.get()

    calibration.calibrate(index=index)

    index.refresh_from_db()
    cut_off = index.cut_off
    assert at(42)[0] < cut_off < at(28)[0]
    IndexVersion.objects.update(cut_off=0.1)
    building.recalibrate_all()
    index.refresh_from_db()
    assert index.cut_off == cut_off


def test_an_index_that_is_deleted_while_it_is_calibrated_stays_so(tenant):
    make_item(tenant, 0)
    index = IndexVersion.objects.get()
    tenant.delete()

    calibration.calibrate(index=index)

    assert not IndexVersion.objects.exists()


def test_the_cut_off_of_words_is_what_few_names_reach_elsewhere(tenant, monkeypatch):
    monkeypatch.setattr(calibration, "_LEAST_PAIRS", 10)
    # The names are read as these directions.
    directions = {"Jeans": 0.0, "T-shirt": 90.0}
    monkeypatch.setattr(
        client.Client,
        "embed_texts",
        lambda _self, texts, timeout: [at(directions[t]) for t in texts],
    )
    for category, middle in (("jeans", 10), ("t-shirt", 60)):
        for number in range(6):
            garment = make_garment(category=category, embedding=at(middle + number))
            make_item(tenant, 0, result=make_result(garment))
    index = IndexVersion.objects.get()

    calibration.calibrate(index=index, engine=client.Client("http://nobody"))

    index.refresh_from_db()
    # Jeans are 75 to 80 degrees from "T-shirt", shirts 60 to 65 from "Jeans".
    assert index.words_cut_off == pytest.approx(at(60)[0], abs=0.02)
