import numpy as np
import pytest

from inference.training.calibration import (
    HeadAnswers,
    adaptive_error,
    calibration_error,
    check,
    choose_floor,
    choose_least,
    equal_error,
    estimate_error,
    expect_error,
    fit,
    fit_temperature,
    in_fitting_half,
    reliability,
    shares,
)
from inference.training.measure import Bools, Floats


def draw(count: int) -> tuple[Floats, Bools]:
    """Logits whose softmax is honest, and answers drawn from it."""
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 1.5, (count, 6)).astype(np.float32)
    drawn = np.array([rng.choice(6, p=row / row.sum()) for row in shares(honest).astype(float)])
    return honest, np.eye(6, dtype=bool)[drawn]


def test_finds_the_temperature_that_logits_were_multiplied_with():
    honest, accepts = draw(20_000)

    temperature = fit_temperature(honest * 2, accepts)

    assert temperature == pytest.approx(2, rel=0.05)
    assert calibration_error(honest * 2, accepts) > 0.1
    assert calibration_error(honest * 2, accepts, temperature=temperature) < 0.02


def test_fits_each_head_on_one_half_and_checks_it_on_the_other():
    honest, accepts = draw(10_000)
    ids = tuple(f"fpi-{i}" for i in range(len(honest)))
    heads = {
        "category": HeadAnswers(ids, honest * 2, accepts),
        "pattern": HeadAnswers(ids, honest * 0.5, accepts),
        "fit": HeadAnswers((), np.empty((0, 3), np.float32), np.empty((0, 3), bool)),
    }

    temperatures = fit(heads)

    assert temperatures["category"] == pytest.approx(2, rel=0.1)
    assert temperatures["pattern"] == pytest.approx(0.5, rel=0.1)
    assert temperatures["fit"] == 1.0
    before, after = check(heads["category"], temperatures["category"])
    assert before > 0.1
    assert after < 0.03


def test_says_nothing_below_the_confidence_that_is_right_often_enough():
    honest, accepts = draw(10_000)
    head = HeadAnswers(tuple(f"fpi-{i}" for i in range(len(honest))), honest, accepts)

    floor = choose_floor(head, 1.0, wanted=0.8)

    confidence, right = (
        shares(honest).max(axis=1),
        accepts[np.arange(10_000), honest.argmax(axis=1)],
    )
    assert right[confidence >= floor].mean() == pytest.approx(0.8, abs=0.02)
    assert choose_floor(head, 1.0, wanted=1.1) == 1.0


def test_a_photo_is_unreadable_below_the_confidence_that_is_hopeless():
    honest, accepts = draw(10_000)
    head = HeadAnswers(tuple(f"fpi-{i}" for i in range(len(honest))), honest, accepts)

    least = choose_least(head, 1.0, hopeless=0.35)

    confidence, right = (
        shares(honest).max(axis=1),
        accepts[np.arange(10_000), honest.argmax(axis=1)],
    )
    assert right[confidence < least].mean() == pytest.approx(0.35, abs=0.02)
    assert choose_least(head, 1.0, hopeless=0) == 0


def test_few_photos_choose_no_floor():
    honest, accepts = draw(12)
    head = HeadAnswers(tuple(f"fpi-{i}" for i in range(12)), honest, accepts)

    assert choose_floor(head, 1.0, wanted=0.01) == 1
    assert choose_least(head, 1.0, hopeless=1.01) == 0


def test_halves_photos_by_their_id():
    ids = [f"clothing-{i}" for i in range(2000)]

    half = in_fitting_half(ids)

    assert 0.45 < half.mean() < 0.55
    assert (in_fitting_half(ids[::-1])[::-1] == half).all()


def test_weighs_the_gap_of_each_bin_by_its_photos():
    # Three photos at 0.95, two of them right; one at 0.5, wrong.
    confidence = np.array([0.95, 0.95, 0.95, 0.5])
    right = np.array([True, True, False, False])

    assert equal_error(confidence, right) == pytest.approx(3 / 4 * abs(2 / 3 - 0.95) + 1 / 4 * 0.5)


def test_fills_adaptive_bins_evenly():
    # 30 photos, two a bin: one right, one wrong at 0.5 is no error in any of them.
    confidence = np.full(30, 0.5)
    right = np.tile([True, False], 15)

    assert adaptive_error(confidence, right) == pytest.approx(0)
    # Sorted by confidence, the first bins are all wrong at 0.2 and the rest all right at 0.9.
    confidence = np.concatenate([np.full(10, 0.2), np.full(20, 0.9)])
    assert adaptive_error(confidence, confidence > 0.5) == pytest.approx((10 * 0.2 + 20 * 0.1) / 30)


def test_bounds_the_error():
    honest, accepts = draw(2000)
    confidence = shares(honest * 2).max(axis=1).astype(np.float64)
    right = accepts[np.arange(2000), honest.argmax(axis=1)]

    estimate = estimate_error(confidence, right)

    assert 0.05 < estimate.low < estimate.value < estimate.high < 0.4


def test_true_confidences_err_the_less_the_more_photos_there_are():
    confidence = np.random.default_rng(4).uniform(0.3, 1.0, 4000)

    few, many = expect_error(confidence[:200]), expect_error(confidence)

    assert 0.05 < few < 0.12
    assert many < 0.03


def test_draws_bars_where_there_are_photos():
    bins = reliability(np.array([0.99, 1.0, 0.41]), np.array([True, False, True]))

    assert [(b.count, b.right) for b in bins] == [(1, 1.0), (2, 0.5)]
    assert bins[1].confidence == pytest.approx(0.995)
    assert bins[1].high == 1.0
