from dataclasses import replace
from pathlib import Path

from inference.training.config import read_config
from inference.training.repeats import repeat_clothing

CONFIG = read_config(Path("inference/training/configs/kalas-mini-6.toml"))


def test_shows_a_label_more_often_by_the_root_of_what_it_lacks():
    labels = ["Hat"] * 25 + ["T-Shirt"] * 400

    even = repeat_clothing(replace(CONFIG, clothing_repeats=5), labels)
    rare = repeat_clothing(replace(CONFIG, clothing_repeats=5, clothing_frequent=100), labels)

    assert set(even) == {5}
    assert (rare[0], rare[-1]) == (10, 5)
