import os

import pytest
import torch

from inference.training.loading import spread, steps_ahead


@pytest.mark.parametrize("workers", [0, 2])
def test_makes_the_steps_in_their_order(workers):
    made = list(steps_ahead(torch.tensor, first=3, last=20, workers=workers))

    assert [int(step) for step in made] == list(range(3, 20))


def test_makes_no_step_where_none_is_left():
    assert list(steps_ahead(lambda step: step, first=4, last=4, workers=0)) == []


def test_lets_other_processes_make_the_steps():
    made = list(steps_ahead(lambda _: os.getpid(), first=0, last=8, workers=2))

    assert os.getpid() not in made
    assert len(set(made)) == 2


def square(part: list[int]) -> list[int]:
    return [each * each for each in part]


@pytest.mark.parametrize("workers", [0, 2])
def test_spreads_parts_in_their_order(workers):
    assert list(spread(square, [[1, 2], [3], [4]], workers=workers)) == [[1, 4], [9], [16]]


def test_says_what_went_wrong_in_another_process():
    def fail(step: int) -> int:
        raise ValueError(f"no step {step}")

    with pytest.raises(ValueError, match="no step 0"):
        list(steps_ahead(fail, first=0, last=2, workers=1))
