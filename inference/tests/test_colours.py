"""Colours of pixels that are known, and the distance that names them."""

import numpy as np
import pytest

from inference import taxonomy
from inference.ciede import ciede2000
from inference.colours import Palette, cluster, count_colours, name_colours

PALETTE = Palette.of(taxonomy.load().colours)


def pixels(*parts: tuple[tuple[int, int, int], int], noise: int = 0):
    """`count` pixels of each colour, in a shuffled order, each channel off by at most `noise`."""
    random = np.random.default_rng(3)
    rows = np.concatenate([np.full((count, 3), colour) for colour, count in parts])
    rows = rows + random.integers(-noise, noise + 1, rows.shape)
    random.shuffle(rows)
    return np.clip(rows, 0, 255).astype(np.uint8)


def test_names_one_plain_colour_with_its_hex():
    [colour] = name_colours(pixels(((200, 30, 40), 5000)), PALETTE)

    assert (colour.name, colour.hex, colour.share) == ("red", "#c81e28", 1.0)


def test_gives_shares_largest_first():
    found = name_colours(pixels(((26, 36, 68), 7000), ((250, 250, 250), 3000), noise=6), PALETTE)

    assert [colour.name for colour in found] == ["navy-blue", "white"]
    assert [colour.share for colour in found] == pytest.approx([0.7, 0.3], abs=0.01)


def test_expecting_a_family_names_what_could_be_either():
    """A dark cloth that is nearly as blue as it is black."""
    dark = pixels(((30, 34, 52), 1000))

    said = [
        name_colours(dark, PALETTE, {family: 0.9, "white": 0.1})[0].name
        for family in ("blue", "black", "yellow")
    ]

    assert said[:2] == ["navy-blue", "black"]
    assert said[2] in ("navy-blue", "black")


def test_expecting_a_family_says_its_colour_first():
    striped = pixels(((250, 250, 250), 6500), ((200, 30, 40), 3500))

    found = name_colours(striped, PALETTE, {"red": 0.8, "white": 0.2})

    assert [colour.name for colour in found] == ["red", "white"]
    assert [colour.share for colour in found] == pytest.approx([0.35, 0.65], abs=0.01)


def test_joins_the_shades_of_one_cloth():
    folds = [((40 + step, 100 + step, 200 + step), 500) for step in range(0, 25, 5)]

    [colour] = name_colours(pixels(*folds), PALETTE)

    assert colour.name == "blue"


def test_leaves_out_what_is_negligible():
    found = name_colours(pixels(((20, 20, 20), 9800), ((240, 220, 40), 200)), PALETTE)

    assert [(colour.name, colour.share) for colour in found] == [("black", 1.0)]


@pytest.mark.parametrize(
    ("rgb", "family"),
    [
        ((24, 24, 26), "black"),
        ((240, 240, 238), "white"),
        ((128, 128, 128), "grey"),
        ((190, 25, 35), "red"),
        ((235, 120, 25), "orange"),
        ((240, 215, 50), "yellow"),
        ((50, 135, 60), "green"),
        ((35, 85, 180), "blue"),
        ((110, 55, 145), "purple"),
        ((238, 140, 175), "pink"),
        ((105, 66, 40), "brown"),
    ],
)
def test_names_the_basic_colours(rgb, family):
    [colour] = name_colours(pixels((rgb, 4000), noise=4), PALETTE)

    families = {name.name: name.family for name in taxonomy.load().colours}
    assert families[colour.name] == family


def test_has_no_colours_without_pixels():
    assert name_colours(np.empty((0, 3), dtype=np.uint8), PALETTE) == ()


def test_gives_the_same_answer_every_time_in_any_order():
    some = pixels(((26, 36, 68), 3000), ((200, 30, 40), 2000), ((240, 240, 230), 1000), noise=20)

    assert name_colours(some, PALETTE) == name_colours(some[::-1], PALETTE)


def test_clusters_find_the_centres_of_separate_colours():
    points, weights = count_colours(pixels(((255, 0, 0), 600), ((0, 0, 255), 400)))

    centres, shares = cluster(points, weights, clusters=2)

    assert shares.tolist() == pytest.approx([0.6, 0.4])
    assert centres[0] == pytest.approx([53.24, 80.09, 67.20], abs=0.1)
    assert centres[1] == pytest.approx([32.30, 79.19, -107.86], abs=0.1)


# From the test data of Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula", 2005.
@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0009), 7.1792),
        ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0011), 7.2195),
        ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((63.0109, -31.0961, -5.8663), (62.8187, -29.7946, -4.0864), 1.2630),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
        ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_ciede2000_agrees_with_the_published_values(first, second, distance):
    there = float(ciede2000(np.array(first), np.array(second)))
    back = float(ciede2000(np.array(second), np.array(first)))

    assert there == pytest.approx(distance, abs=5e-5)
    assert back == pytest.approx(distance, abs=5e-5)
