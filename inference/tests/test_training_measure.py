import math

import numpy as np
import pytest

from inference.training.measure import (
    Share,
    are_hits,
    estimate_mean,
    macro_f1,
    spread,
)

NAN = math.nan


def test_gives_wilson_s_interval():
    low, high = Share(8, 10).interval

    # Wilson's interval for 8 of 10 as tabulated, e.g. Brown, Cai and DasGupta 2001.
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.9433, abs=1e-4)


def test_knows_nothing_from_no_photos():
    assert Share(0, 0).interval == (0.0, 1.0)


def test_counts_any_accepted_answer_among_the_best():
    logits = np.array([[3, 2, 1, 0], [0, 1, 2, 3]], np.float32)
    accepts = np.array([[False, True, False, False], [False, False, True, True]])

    assert are_hits(logits, accepts, top=1).tolist() == [False, True]
    assert are_hits(logits, accepts, top=2).tolist() == [True, True]


def test_does_not_count_what_was_not_said():
    scores = np.array([[0.9, -np.inf, -np.inf]], np.float32)

    assert not are_hits(scores, np.array([[False, True, False]]), top=3)[0]


def test_takes_wilson_s_interval_for_yes_and_no_and_leaves_others_out():
    estimate = estimate_mean(np.array([1.0, 1, 1, 1, 1, 1, 1, 1, 0, 0, NAN]))

    assert estimate.count == 10
    assert estimate.interval == "wilson"
    assert estimate.value == 0.8
    assert estimate.low == pytest.approx(0.4902, abs=1e-4)


def test_redraws_the_photos_for_other_scores():
    scores = np.tile([0.2, 0.4, 0.9], 300)

    estimate = estimate_mean(scores)

    # Normal theory: 1.96 standard errors.
    half = 1.96 * scores.std() / math.sqrt(len(scores))
    assert estimate.interval == "bootstrap"
    assert estimate.value == pytest.approx(0.5)
    assert estimate.high - estimate.value == pytest.approx(half, rel=0.15)
    assert estimate_mean(scores) == estimate


def test_has_no_mean_of_nothing():
    assert estimate_mean(np.array([NAN])).count == 0


def test_averages_f1_over_the_classes_that_occur():
    # Class 0: 2 of 3 found, 1 wrongly said: P = 2/3, R = 2/3. Class 1: 1 of 2 found, said twice
    # (once for class 0): P = 1/2, R = 1/2. Class 2 doesn't occur. One answer is of no class.
    truth = np.array([0, 0, 0, 1, 1])
    said = np.array([0, 0, 1, 1, 0])

    estimate = macro_f1(truth, said, classes=3)

    assert estimate.value == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert estimate.low <= estimate.value <= estimate.high


def test_counts_no_answer_as_wrong_in_f1():
    # P = 1, R = 1/2.
    estimate = macro_f1(np.array([0, 0]), np.array([0, -1]), classes=1)

    assert estimate.value == pytest.approx(2 / 3)


def test_spreads_around_the_measure():
    low, high = spread(400, lambda drawn: float((drawn < 200).mean()))

    assert low == pytest.approx(0.451, abs=0.01)
    assert high == pytest.approx(0.549, abs=0.01)
