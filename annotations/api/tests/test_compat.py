from dataclasses import replace

import pytest

from annotations.api.tests.requests import PATH, post_file
from annotations.tests.factories import (
    make_result,
)

pytestmark = pytest.mark.django_db


def test_a_program_of_kalas_iris_moves_by_its_address(api, fake_engine):
    response = post_file(api, b"", path="/api/compat/annotate")

    assert response.status_code == 200, response.content
    assert response.json() == {
        "attributes": {"Striped": 0.88},
        "categories": {"T-shirt": 0.93, "Women's top": 0.04},
        "colors": ["#1b2a49", "#ffffff"],
    }


def test_an_imported_models_own_words_are_given_as_they_are(api, fake_engine):
    """Names are whole, and probabilities that sum to 1 stand beside the sigmoid."""
    said = {
        "categories": {"Jacket": 0.4, "Tee": 0.97},
        "category_probabilities": {"Jacket": 0.1, "Tee": 0.9},
        "attributes": {"abstract chevron": 0.2, "abstract print": 0.7},
    }
    result = replace(make_result(), original=said)
    fake_engine.answer = (200, result.to_json(), {})

    old = post_file(api, b"", path="/api/compat/annotate").json()
    listed = api.get(f"{PATH}?fields=original").json()["results"]

    assert old == {
        "attributes": {"abstract print": 0.7, "abstract chevron": 0.2},
        "categories": {"Tee": 0.97, "Jacket": 0.4},
        "colors": ["#1b2a49", "#ffffff"],
        "category_probabilities": {"Tee": 0.9, "Jacket": 0.1},
        "calibrated": False,
    }
    assert list(old["categories"]) == ["Tee", "Jacket"]
    assert listed == [{"original": said}]


def test_an_etryon_familys_own_values_are_its_probabilities(api, fake_engine):
    """Its answer has no probabilities beside the values, which sum to 1, nor a calibration."""
    said = {
        "objects": {"full-body 1": 0.9},
        "categories": {"coat": 0.25, "dress": 0.75},
        "attributes": {"Pattern: striped": 0.2, "Pattern: plain": 0.8},
    }
    fake_engine.answer = (200, replace(make_result(), original=said).to_json(), {})

    old = post_file(api, b"", path="/api/compat/annotate").json()

    assert old == {
        "attributes": {"Pattern: plain": 0.8, "Pattern: striped": 0.2},
        "categories": {"dress": 0.75, "coat": 0.25},
        "colors": ["#1b2a49", "#ffffff"],
        "category_probabilities": {"dress": 0.75, "coat": 0.25},
        "calibrated": False,
    }
    assert list(old["category_probabilities"]) == ["dress", "coat"]
