import numpy as np
import pytest

from inference.training.measure import (
    Share,
    calibration_error,
    count_hits,
    fit_temperature,
    shares,
)


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

    assert count_hits(logits, accepts, top=1) == Share(1, 2)
    assert count_hits(logits, accepts, top=2) == Share(2, 2)


def test_finds_the_temperature_that_logits_were_multiplied_with():
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 1.5, (20_000, 6)).astype(np.float32)
    drawn = np.array([rng.choice(6, p=row / row.sum()) for row in shares(honest).astype(float)])
    accepts = np.eye(6, dtype=bool)[drawn]

    temperature = fit_temperature(honest * 2, accepts)

    assert temperature == pytest.approx(2, rel=0.05)
    assert calibration_error(honest * 2, accepts) > 0.1
    assert calibration_error(honest * 2, accepts, temperature=temperature) < 0.02
