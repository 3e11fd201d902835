"""eTryOn's numbers and tables."""

import json
from dataclasses import astuple

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from inference.contract import Box
from inference.etryon import mallzee, metrics, report
from inference.etryon.metrics import Found, Truth
from inference.mmfashion import names

BOX = Box(10, 10, 110, 110)


def test_a_perfect_detector_has_ones():
    truth = [Truth(0, BOX, 1), Truth(1, BOX, 2)]
    found = [Found(0, BOX, 1, 0.9), Found(1, BOX, 2, 0.8)]

    measured = metrics.measure_detection(found, truth, photos=2)

    assert astuple(measured) == pytest.approx((1, 1, 1, 1, 1, 1))


def test_counts_by_overlap_and_by_how_many_may_be_found():
    """Two garments of one kind in a photo: at most one of them is within AR@1. The second box
    overlaps by 0.7: right at 0.50 … 0.70, five of COCO's ten thresholds."""
    other = Box(200, 200, 300, 300)
    truth = [Truth(0, BOX, 1), Truth(0, other, 1)]
    found = [Found(0, BOX, 1, 0.9), Found(0, Box(200, 200, 300, 270), 1, 0.8)]

    measured = metrics.measure_detection(found, truth, photos=1)

    assert measured.ap50 == pytest.approx(1)
    assert measured.ar1 == pytest.approx(0.5)
    assert measured.ar100 == pytest.approx((1 + 0.5) / 2)


def test_wants_something_to_find():
    with pytest.raises(ValueError, match="no garments"):
        metrics.measure_detection([], [], photos=1)


def test_many_labels():
    truth = np.array([[1, 0, 1], [0, 1, 0]], bool)
    said = np.array([[1, 0, 0], [0, 1, 0]], bool)

    measured = metrics.measure_labels(said, truth)

    assert measured.exact_match == 0.5
    assert measured.binary_accuracy == pytest.approx(5 / 6)
    assert measured.f1_micro == pytest.approx(2 * 2 / (2 + 3))
    assert measured.f1_macro == pytest.approx((1 + 1 + 0) / 3)


def test_at_most_one_label_of_a_group_is_said():
    scores = np.array([[0.9, 0.8, 0.2, 0.4], [0.3, 0.2, 0.6, 0.7]])

    said = metrics.choose_labels(scores, [(0, 1), (2, 3)])

    assert said.astype(int).tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]
    assert metrics.measure_top(scores, np.array([1, 1]), k=2) == 0.5


def test_without_labels_nothing_is_rare():
    nothing = np.zeros((3, 2), bool)

    assert metrics.measure_mean_ir(nothing) == 1
    assert metrics.measure_scumble(nothing) == 0


def test_imbalance():
    """Counts 4, 2, 1: ratios 1, 2, 4."""
    labels = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 1]], bool)

    assert metrics.measure_mean_ir(labels) == pytest.approx((1 + 2 + 4) / 3)
    expected = np.mean([1 - np.sqrt(2) / 1.5] * 2 + [0, 1 - 2 / 2.5])
    assert metrics.measure_scumble(labels) == pytest.approx(expected)


def test_deepfashions_categories_are_of_the_23_classes():
    classes = {name for some in mallzee.CLASSES.values() for name in some}

    assert len(classes) == 23
    assert {mallzee.remap(name) for name in names.CATEGORIES} - {None} <= classes
    assert mallzee.remap("Tee") == "t-shirts"
    assert mallzee.remap("Robe") is None


EVALUATION = {
    "format": 2,
    "taxonomy": "kalas-1",
    "model": {"name": "kalas-mini", "version": "2", "sha256": "0123456789abcdef"},
    "files": [
        {
            "name": "fpi-val.parquet",
            "photos": 10,
            "ways": {
                "served": {
                    "metrics": {
                        "category top-1": {
                            "value": 0.8,
                            "low": 0.5,
                            "high": 0.9,
                            "count": 10,
                            "interval": "Wilson",
                        }
                    },
                    "confusion": {
                        "t-shirt": {"t-shirt": 5, "shirt": 1},
                        "shirt": {"shirt": 3, "t-shirt": 0},
                        "not-a-garment": {"shirt": 1},
                    },
                }
            },
        }
    ],
}


def test_reports_in_tables(tmp_path, capsys):
    path = tmp_path / "eval.json"
    path.write_text(json.dumps(EVALUATION))

    call_command("report", path)

    lines = capsys.readouterr().out.splitlines()
    assert "| category top-1 | 0.800 | 0.500 – 0.900 | 10 |" in lines
    assert "| upper-body | t-shirt | 6 | 1.000 | 0.833 | 0.909 |" in lines
    assert "| upper-body | shirt | 3 | 0.600 | 1.000 | 0.750 |" in lines
    assert "| all | accuracy (micro F1) | 10 | | | 0.800 |" in lines


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("{", "is no JSON"), ("{}", "no evaluation"), ('{"format": 2}', "lacks 'model'")],
)
def test_refuses_what_is_no_evaluation(text, complaint, tmp_path):
    path = tmp_path / "eval.json"
    path.write_text(text)

    with pytest.raises(CommandError, match=complaint):
        call_command("report", path)


def test_a_category_never_said_has_no_precision():
    [row] = report.list_rows({"shirt": {"t-shirt": 2}})

    assert (row.precision, row.recall, row.f1) == (0, 0, 0)
