"""MMFashion's metrics are its own to the last digit, and the usual ones beside them are not."""

import numpy as np
import pytest

from inference.mmfashion import metrics
from inference.tests.goldens import generate, read

GOLDEN = read("metrics.json")
_USUAL = "note_micro_topk_accuracy_percent_NOT_what_they_report"


def in_percent(value):
    return pytest.approx(value / 100, abs=1e-8)


def draw_attributes(count, seeds):
    scores = generate(seeds[0]).random((40, count), dtype=np.float32)
    truth = (generate(seeds[1]).random((40, count)) < 0.12).astype(int)
    if count == 60:
        truth[:, 7], truth[:, 3], truth[::4, 9] = 0, 1, -1
    return scores, truth


@pytest.mark.parametrize("k", [3, 5, 10])
@pytest.mark.parametrize(
    ("name", "count", "seeds"),
    [("attribute_60_classes", 60, (100, 101)), ("attribute_26_classes", 26, (110, 111))],
)
def test_attributes(name, count, seeds, k):
    golden = GOLDEN[name]

    found = metrics.measure_attributes(*draw_attributes(count, seeds), k=k)

    assert found.recall == in_percent(golden["recall_percent"][f"top{k}"])
    assert found.precision == in_percent(golden["precision_percent"][f"top{k}"])
    assert found.accuracy == in_percent(golden["accuracy_percent"][f"top{k}"])


def test_unknown_labels_are_errors_as_written_and_left_out_as_usual():
    scores, truth = np.array([[0.9, 0.1]]), np.array([[-1, 0]])

    found = metrics.measure_attributes(scores, truth, k=1)

    assert (found.accuracy, found.micro_recall) == (0.5, 0)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("name", ["category", "category_boosted"])
def test_categories(name, k):
    scores = generate(102).random((40, 50), dtype=np.float32)
    truth = generate(103).integers(0, 50, (40, 1))[:, 0]
    if name == "category_boosted":
        scores[np.arange(40), truth] += generate(105).random(40, dtype=np.float32) * 0.6

    found = metrics.measure_categories(scores, truth, k=k)

    golden = GOLDEN[name]
    usual = golden.get(
        "note_micro", golden.get("note_micro_topk_accuracy_percent_NOT_what_they_report")
    )
    assert found.recall == in_percent(golden["recall_percent"][f"top{k}"])
    assert found.accuracy == in_percent(usual[str(k)])


@pytest.fixture
def retrieval():
    golden, g = GOLDEN["retrieval"], generate(106)
    gallery_ids, query_ids = np.array(golden["gallery_ids"]), np.array(golden["query_ids"])
    centre = g.standard_normal((10, 16), dtype=np.float32)
    gallery = centre[gallery_ids] + g.standard_normal((30, 16), dtype=np.float32) * 0.9
    query = centre[query_ids] + g.standard_normal((12, 16), dtype=np.float32) * 0.9
    return metrics.order_gallery(query, gallery), gallery_ids, query_ids


@pytest.mark.parametrize("k", [3, 5, 10, 20, 30, 50])
def test_retrieval(retrieval, k):
    order, gallery, queries = retrieval

    found = metrics.measure_retrieval(order, gallery, queries, k=k)

    golden = GOLDEN["retrieval"]
    assert order[0].tolist() == golden["gallery_order_query0"]
    assert found.recall == in_percent(golden["recall_percent"][str(k)])
    assert found.hit_rate == in_percent(golden["note_hit_rate_NOT_theirs"][str(k)])


def test_an_item_that_is_not_in_the_gallery_is_named(retrieval):
    order, gallery, queries = retrieval
    queries = np.concatenate((queries[:-1], [99]))

    with pytest.raises(metrics.UnknownItem, match="item 99"):
        metrics.measure_retrieval(order, gallery, queries, k=3)


def test_landmarks():
    g = generate(104)
    truth = g.random((6, 8, 2)) * 224
    found = truth + g.standard_normal((6, 8, 2)) * 7
    visible = g.random((6, 8)) > 0.3
    said = g.random((6, 8))

    errors = metrics.measure_landmarks(found, truth, visible, said)

    golden = GOLDEN["landmark"]
    assert visible.astype(int).tolist() == golden["vis"]
    assert errors.error == pytest.approx(golden["normalized_error"], abs=1e-8)
    assert errors.detected == in_percent(golden["detected_percent"])
    assert errors.visible_error == pytest.approx(
        golden["visible_only_normalized_error_NOT_theirs"], abs=1e-8
    )
    assert errors.visible_detected == in_percent(golden["visible_only_detected_percent_NOT_theirs"])
    assert errors.found_visible == in_percent(golden["compute_vis_prediction_accuracy"])


def test_nothing_visible_is_perfect_as_written():
    missed = np.full((1, 8, 2), 500.0)

    errors = metrics.measure_landmarks(
        missed, np.zeros((1, 8, 2)), np.zeros((1, 8), bool), np.zeros((1, 8))
    )

    assert (errors.error, errors.detected, errors.visible_detected) == (0, 1, 0)
    assert (errors.found_visible, errors.visibility_accuracy) == (0, 1)


def test_compatible_outfits_rank_above_others():
    scores = np.array([0.9, 0.4, 0.4, 0.1])
    compatible = np.array([True, True, False, False])

    assert metrics.measure_auc(scores, compatible) == 0.875
    assert metrics.score_outfit([0.2, 0.4]) == pytest.approx(0.7)
